"""A sensor without a camera, which behaves like the real one towards the page."""

import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from msgspec.structs import replace

from edge.config import Config, Line, Zone
from edge.config.checks import check
from edge.config.settings import SETTINGS, is_switch, limits_of, parse, text_of, value_of, with_values
from edge.errors import EdgeError, ReasonCode, RequestError
from edge.mqtt.messages import FrameCounts, Health, HealthLatency, Quantiles
from edge.mqtt.topics import Topics
from edge.types import Message
from edge.web.feed import Feed
from edge.web.seams import Pictures, Places

TOPICS = Topics("edge-pose", "hall")
HEALTH = Health(
    v=1,
    time="2026-12-01T18:00:00.000Z",
    uptime_s=100,
    fps=14.9,
    latency_ms=HealthLatency(inference=Quantiles(median=10.4, p95=12), total=Quantiles(median=12, p95=14)),
    frames=FrameCounts(processed=1000, idle=0, dropped=3, unreadable=0),
    messages_dropped=0,
    connects=1,
    recording_dropped=None,
    last_frame_age_s=0.05,
    frame_age_ms=None,
    idle=False,
    camera="ok",
    camera_reopened=0,
    pictures=False,
    backend="cpu",
    backend_code=ReasonCode.CONFIGURED,
    backend_reason="a test",
    soc_temperature_c=51.2,
    throttled=None,
    rss_mb=90.0,
)


class FakeSensor:
    """Does at once what it is asked, unless it hangs, and keeps what it was asked."""

    def __init__(self, config: Config | None = None) -> None:
        self.file = self.config = config or Config()
        self.feed = Feed(TOPICS)
        self.connected = True
        self.hangs = False
        self.reading = HEALTH
        self.readings = 0
        self.requests: list[str] = []
        self.pictures: dict[int, bytes] = {}
        self._tokens: set[str] = set()
        for name in SETTINGS:
            self._publish(name)
        self._use(self.file)
        self._show_pictures()

    def set(self, name: str, text: str) -> "Future[None]":
        def work() -> None:
            self.config = with_values(self.config, {name: parse(name, text)})
            self._publish(name)

        return self._done(work)

    def request(self, name: str) -> "Future[Any]":
        def work() -> dict[str, int]:
            self.requests.append(name)
            return {"cleared": 1}

        return self._done(work)

    def use_places(self, zones: tuple[Zone, ...], lines: tuple[Line, ...]) -> "Future[None]":
        return self._done(lambda: self._use(replace(self.config, zones=zones, lines=lines)))

    def reset_places(self) -> "Future[None]":
        return self._done(lambda: self._use(self.file))

    def health(self) -> "Future[Health]":
        def work() -> Health:
            self.readings += 1
            return self.reading

        return self._done(work)

    def limits(self) -> Mapping[str, tuple[float, float]]:
        return {name: limits_of(name) for name in SETTINGS if not is_switch(name)}

    def open_pictures(self) -> str:
        if not self.config.camera.enabled:
            raise RequestError("camera.enabled", "the camera is off", "switch it on")
        token = secrets.token_urlsafe(6)
        self._tokens.add(token)
        self._show_pictures()
        return token

    def close_pictures(self, token: str) -> None:
        self._tokens.discard(token)
        self._show_pictures()

    def picture(self, token: str, after: int) -> tuple[int, bytes] | None:
        if token not in self._tokens:
            raise RequestError("token", "the pictures are over", "press Show picture")
        newest = max(self.pictures, default=-1)
        return (newest, self.pictures[newest]) if newest > after else None

    def _use(self, config: Config) -> None:
        check(config)
        self.config = config
        self.feed.use_places(Places(config.zones, config.lines, changed=config.zones != self.file.zones))

    def _publish(self, name: str) -> None:
        self.feed.message(Message(TOPICS.setting(name), text_of(value_of(self.config, name)).encode()))

    def _show_pictures(self) -> None:
        self.feed.use_pictures(Pictures(allowed=self.config.privacy.allow_pictures, watched=bool(self._tokens)))

    def _done(self, work: Callable[[], Any]) -> "Future[Any]":
        done: Future[Any] = Future()
        if not self.hangs:
            try:
                done.set_result(work())
            except EdgeError as exc:
                done.set_exception(exc)
        return done
