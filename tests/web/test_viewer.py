"""What waits for a viewer that reads slowly."""

import asyncio

from edge.web.viewer import Viewer


def test_the_newest_messages_wait_in_the_order_in_which_they_came() -> None:
    """So no keypoints follow the message that the camera was switched off."""

    async def waiting() -> bytes:
        viewer = Viewer()
        for name, message in [("settings", b"on,"), ("keypoints", b"1,"), ("keypoints", b"2,"), ("settings", b"off,")]:
            viewer.put(name, message)
        return await viewer.take(1)

    assert asyncio.run(waiting()) == b"2,off,"
