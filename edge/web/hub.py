"""Send what the sensor reports to all viewers. Each message is encoded once for all of them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine

import msgspec

from edge.config.places_toml import places_toml
from edge.mqtt.keypoints import keypoints_out
from edge.pipeline.seams import Update
from edge.rules.aim import Aim
from edge.web.feed import EVENTS_KEPT, Content, Feed
from edge.web.history import PERIOD_S, History
from edge.web.readings import Readings
from edge.web.seams import Places, Sensor
from edge.web.viewer import Viewer, server_sent

log = logging.getLogger(__name__)

MAX_VIEWERS = 20
FRAME_S = 1 / 15  # between two messages with keypoints, on average
CONNECTION_S = 1.0  # between two checks of the connection to the broker
AIM_S = 2.0  # between two verdicts


class Hub:
    """Without viewers, it only takes readings for the history. Everything runs in one event loop."""

    def __init__(self, feed: Feed, sensor: Sensor, readings: Readings) -> None:
        self._feed = feed
        self._sensor = sensor
        self._readings = readings
        self._history = History()
        self._aim = Aim()
        self._viewers: set[Viewer] = set()
        self._woken = asyncio.Event()
        self._taken = 0  # number of the last item that was taken from the feed
        self._update: Update | None = None  # the last one that was taken
        self._newest: dict[str, bytes] = {}  # by name: for new viewers
        self._events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        self._tasks: list[asyncio.Task[None]] = []
        self._watching: list[asyncio.Task[None]] = []  # only while there are viewers

    def open(self) -> None:
        """Take what the feed has. Call this in the running loop."""
        loop = asyncio.get_running_loop()
        self._feed.attach(lambda: loop.call_soon_threadsafe(self._woken.set))
        self._tasks = [_task(_every(PERIOD_S, self._read))]

    def close(self) -> None:
        """End all viewers."""
        self._feed.detach()
        for task in (*self._tasks, *self._watching):
            task.cancel()
        for viewer in self._viewers:
            viewer.close()

    def join(self) -> Viewer | None:
        """A new viewer, for whom the newest of everything waits; None if there are too many."""
        if len(self._viewers) >= MAX_VIEWERS:
            return None
        if not self._viewers:
            self._update = self._feed.newest  # it may be old
            work = self._run(), _every(CONNECTION_S, self._look), _every(AIM_S, self._judge)
            self._watching = [_task(one) for one in work]
        self._send_new()
        self._send_connection()
        viewer = Viewer()
        for name, message in self._newest.items():
            viewer.put(name, message)
        for message in self._events:
            viewer.put("event", message)
        self._viewers.add(viewer)
        self._feed.viewers = len(self._viewers)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Send nothing more to a viewer."""
        self._viewers.discard(viewer)
        self._feed.viewers = len(self._viewers)
        if not self._viewers:
            for task in self._watching:
                task.cancel()

    async def _run(self) -> None:
        """Send what is new, frames at most once per FRAME_S on average."""
        due_s = time.monotonic()
        while True:
            await self._woken.wait()
            self._woken.clear()
            self._send_new()
            update, now_s = self._feed.newest, time.monotonic()
            if update is None or update is self._update:
                continue
            self._update = update
            self._aim.observe(update.seen, update.rejected)
            self._put("keypoints", msgspec.json.encode(keypoints_out(update, now_s)))
            # After a late frame the next one may come sooner: otherwise jitter would lower the rate.
            due_s = max(due_s, now_s - FRAME_S) + FRAME_S
            await asyncio.sleep(max(due_s - now_s, 0))

    async def _look(self) -> None:
        self._send_connection()

    async def _read(self) -> None:
        """Take a reading for the history, and send it."""
        health = await self._readings.newest()
        self._history.add(health)
        self._send_new()  # a health message in the feed is older
        if health is not None:
            self._put("health", msgspec.json.encode(health))
        self._put("history", self._history.encoded())

    async def _judge(self) -> None:
        """Send how the camera is aimed, judged from the frames that viewers get."""
        health = await self._readings.newest()
        camera = "starting" if health is None else health.camera
        verdicts = self._aim.verdicts(camera, time.monotonic())
        aim = {"watched_s": round(self._aim.watched_s, 1), "verdicts": verdicts}
        self._put("aim", msgspec.json.encode(aim))

    def _send_connection(self) -> None:
        data = b'{"connected": true}' if self._sensor.connected else b'{"connected": false}'
        if self._newest.get("status") != server_sent("status", data):
            self._put("status", data)

    def _send_new(self) -> None:
        for item in self._feed.after(self._taken):
            self._taken = item.number
            self._put(item.name, self._encoded(item.content))

    def _put(self, name: str, data: bytes) -> None:
        message = server_sent(name, data)
        if name == "event":
            self._events.append(message)
        elif name != "keypoints":
            self._newest[name] = message
        for viewer in self._viewers:
            viewer.put(name, message)

    def _encoded(self, content: Content) -> bytes:
        if isinstance(content, bytes):
            return content
        if isinstance(content, dict):
            return msgspec.json.encode({"values": content, "limits": self._sensor.limits()})
        if isinstance(content, Places):
            return encode_places(content)
        return msgspec.json.encode(content)


def encode_places(places: Places) -> bytes:
    """The data of `places`, also in the answers about them."""
    toml = places_toml(places.zones, places.lines)
    return msgspec.json.encode({"zones": places.zones, "lines": places.lines, "changed": places.changed, "toml": toml})


async def _every(period_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do this now, and then once per period."""
    while True:
        await work()
        await asyncio.sleep(period_s)


def _task(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Run in the background; an error is logged."""
    task = asyncio.create_task(work)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("unexpected error in the page; please report it with these lines", exc_info=error)
