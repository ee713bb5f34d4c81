"""Ask the sensor for its health, and judge the answer."""

import asyncio
import time

from edge.errors import EdgeError
from edge.mqtt.messages import Health
from edge.web.seams import Sensor

FRESH_S = 1.0  # an answer of this age is used again, so that requests from outside cannot slow down the frames
PATIENCE_S = 3.0  # for the main thread to answer between two frames
RECENT_S = 30.0  # age of the last frame while frames come; the slowest camera delivers one in ten seconds

_NOT_OK = {
    "starting": "the camera has not delivered a frame yet",
    "stalled": "the camera delivers no frames",
    "blind": "nothing can be seen in the frames",
    "off": "the camera is switched off",
}


class Readings:
    """The newest health of the sensor. All requests share one answer."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._newest: Health | None = None
        self._read_s = float("-inf")
        self._reading: asyncio.Task[Health | None] | None = None

    async def newest(self) -> Health | None:
        """The health, at most FRESH_S old; None if the sensor does not answer."""
        if time.monotonic() - self._read_s > FRESH_S:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            return await asyncio.shield(self._reading)
        return self._newest

    async def _read(self) -> Health | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._newest = await asyncio.wrap_future(self._sensor.health())
        except (EdgeError, TimeoutError):
            self._newest = None
        self._read_s = time.monotonic()
        return self._newest


def problem_of(health: Health | None, *, connected: bool) -> str:
    """Why the sensor does not work, from the camera to the broker; empty if it does."""
    if health is None:
        return "the sensor does not answer"
    if health.camera != "ok":
        return _NOT_OK[health.camera]
    if health.last_frame_age_s is None or health.last_frame_age_s > RECENT_S:
        return f"no frame for {RECENT_S:g} s"
    return "" if connected else "the broker is not connected"
