"""The stream of server-sent events."""

import asyncio
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError

from edge.web.handler import PlainHandler, RefusedError
from edge.web.hub import MAX_VIEWERS
from edge.web.viewer import Viewer

SILENCE_S = 10.0  # after which a comment keeps proxies from closing the stream
STUCK_S = 60.0  # after which a viewer that reads nothing is dropped


class LiveHandler(PlainHandler):
    """Sends what the sensor reports, until the viewer leaves."""

    viewer: Viewer | None = None

    async def get(self) -> None:
        # Another website cannot read the stream, but it could take the places of all viewers.
        if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise RefusedError(403, "the request does not come from this page", "open the page itself")
        viewer = self.site.hub.join()
        if viewer is None:
            headers = {"Connection": "close", "Retry-After": "10"}
            raise RefusedError(503, f"{MAX_VIEWERS} viewers are watching already", "close one", headers=headers)
        self.viewer = viewer
        stream = cast("HTTP1Connection", self.request.connection).stream
        self.site.watched.add(stream)
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")  # for nginx
        try:
            self.write(b"retry: 1000\n\n")
            while not viewer.closed:
                async with asyncio.timeout(STUCK_S):
                    await self.flush()
                self.write(await viewer.take(SILENCE_S) or b":\n\n")
        except (StreamClosedError, TimeoutError):
            stream.close()  # a viewer that does not read
        finally:
            self.site.watched.discard(stream)
            self.site.hub.leave(viewer)

    def on_connection_close(self) -> None:
        if self.viewer is not None:
            self.viewer.close()
