"""The page: what it shows of a running sensor, and what it does to it."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from edge.config import Config, Line, Zone
from edge.config.settings import SETTINGS, is_switch, limits_of
from edge.errors import RequestError
from edge.mqtt.messages import Health
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.pipeline.seams import Sink
from edge.pipeline.shutter import Shutter
from edge.service.allowance import Allowance
from edge.service.calls import Calls
from edge.service.control import BURST, REFILL_S, Handler
from edge.service.settings import Settings
from edge.types import Image, Message
from edge.web.feed import Feed
from edge.web.metrics import Metrics
from edge.web.seams import Pictures, Places

# Pictures may be switched on this often at once, and then once per SHOWS_REFILL_S, since each time is published and
# logged.
SHOWS, SHOWS_REFILL_S = 20, 3.0
LONGEST_CLOSE_S = 0.3  # of the time in which all parts must close
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class PageSensor:
    """The sensor, as the thread of the page sees it: `edge.web.seams.Sensor`."""

    calls: Calls
    settings: Settings
    requests: Mapping[str, Handler]
    publisher: Publisher
    read_health: Callable[[], Health]
    shutter: Shutter | None
    changes: Allowance = field(default_factory=lambda: Allowance(BURST, REFILL_S, time.monotonic()))
    shows: Allowance = field(default_factory=lambda: Allowance(SHOWS, SHOWS_REFILL_S, time.monotonic()))

    @property
    def connected(self) -> bool:
        return self.publisher.connection.connected

    def set(self, name: str, text: str) -> "Future[None]":
        return self._change(lambda: self.settings.set(name, text))

    def request(self, name: str) -> "Future[Any]":
        return self._change(self.requests[name])

    def use_places(self, zones: tuple[Zone, ...], lines: tuple[Line, ...]) -> "Future[None]":
        return self._change(lambda: self.settings.use_places(zones, lines))

    def reset_places(self) -> "Future[None]":
        return self._change(self.settings.reset_places)

    def health(self) -> "Future[Health]":
        return self.calls.submit(self.read_health)

    def limits(self) -> Mapping[str, tuple[float, float]]:
        return {name: limits_of(name) for name in SETTINGS if not is_switch(name)}

    def open_pictures(self) -> str:
        shutter = self._checked_shutter()
        if not self.shows.take(time.monotonic()):
            raise RequestError("pictures", "pictures were switched on too often", "try again in a few seconds")
        return shutter.open()

    def close_pictures(self, token: str) -> None:
        if self.shutter:
            self.shutter.close(token)

    def picture(self, token: str, after: int) -> tuple[int, bytes] | None:
        return self._checked_shutter().picture(token, after)

    def _change(self, work: Callable[[], T]) -> "Future[T]":
        """Do this between two frames, unless there are more changes than over MQTT."""

        def do() -> T:
            if not self.changes.take(time.monotonic()):
                raise RequestError("", "there are too many changes", "send fewer than ten per second")
            return work()

        return self.calls.submit(do)

    def _checked_shutter(self) -> Shutter:
        if self.shutter is None:
            remedy = "set privacy.allow_pictures = true in the configuration file, and restart the service"
            raise RequestError("privacy.allow_pictures", "pictures are not allowed", remedy)
        return self.shutter


class Page:
    """The parts of the page that the main thread has."""

    def __init__(self, config: Config, publisher: Publisher, topics: Topics) -> None:
        self.feed = Feed(topics)
        self.metrics = Metrics(topics)
        self.calls = Calls()
        self.shutter: Shutter | None = None
        if config.privacy.allow_pictures:
            self.shutter = Shutter(_jpeg, mirror=config.camera.mirror, on=config.camera.enabled)
            self.shutter.changed = lambda watched: self.feed.use_pictures(Pictures(allowed=True, watched=watched))
            self.feed.use_pictures(Pictures(allowed=True))
        self._publisher = publisher
        self._config = config
        publisher.tap = self._tap

    @property
    def sinks(self) -> list[Sink]:
        return [self.feed, self.metrics]

    def show_places(self, config: Config, *, changed: bool) -> None:
        """Show these zones and lines; `changed` says whether they differ from the configuration file."""
        self.feed.use_places(Places(config.zones, config.lines, changed))

    def open(
        self,
        settings: Settings,
        requests: Mapping[str, Handler],
        read_health: Callable[[], Health],
        stack: ExitStack,
        left_s: Callable[[], float],
    ) -> None:
        """Start to serve the page, and register how it closes. Raises ConfigError."""
        from edge.web.server import WebServer  # noqa: PLC0415 - asyncio takes time and memory

        sensor = PageSensor(self.calls, settings, requests, self._publisher, read_health, self.shutter)
        server = WebServer(
            self._config.web,
            feed=self.feed,
            sensor=sensor,
            device_id=self._config.device.topic_id,
            render=self.metrics.render,
        )
        stack.callback(lambda: server.close(min(left_s(), LONGEST_CLOSE_S)))
        server.start()

    def stop(self) -> None:
        """Refuse what is waiting, and end pictures, because the sensor stops."""
        self.calls.close()
        if self.shutter:
            self.shutter.switch(on=False)

    def _tap(self, message: Message) -> None:
        self.feed.message(message)
        self.metrics.message(message)


def _jpeg(image: Image) -> bytes:
    from edge.drawing.jpeg_writer import jpeg  # noqa: PLC0415 - few pages ever show a picture, which needs Pillow

    return jpeg(image)
