"""The page's real server, with a sensor that shows what a test wants."""

import json
from pathlib import Path
from typing import Any

import msgspec

from edge.config import Config, Web
from edge.mqtt.messages import Health, Info
from edge.types import Message, Person
from edge.web.server import WebServer
from tests.page import contents
from tests.support.brokers import LOOPBACK, accepts_connections, free_port
from tests.support.waiting import until
from tests.web.sensors import TOPICS, FakeSensor
from tests.web.updates import make_update


class StandIn:
    """It has a zone and a line, and may show pictures."""

    def __init__(self, folder: Path, *, password: str = "", pictures: str = "allowed") -> None:
        tables = {
            "zones": contents.ZONES, "lines": contents.LINES, "privacy": {"allow_pictures": pictures == "allowed"},
        }  # fmt: skip
        self.sensor = FakeSensor(msgspec.convert(tables, Config))
        self._web: dict[str, Any] = {"enabled": True, "port": free_port()}
        if password:
            file = folder / "password"
            file.write_text(password, encoding="utf-8")
            self._web["password_file"] = str(file)
        self._server: WebServer | None = None
        self.sequence = 0
        self.say("info", contents.info())
        self.say("state", contents.state())
        self.say("health", contents.health())

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._web['port']}/"

    def start(self) -> None:
        web = msgspec.convert(self._web, Web)
        self._server = WebServer(
            web, feed=self.sensor.feed, sensor=self.sensor, device_id="hall", render=_no_metrics, first_retry_s=0.05
        )
        self._server.start()
        until(lambda: accepts_connections(web.port))

    def stop(self) -> None:
        if self._server is not None:
            self._server.close(10)
            self._server = None

    def say(self, name: str, payload: dict[str, Any]) -> None:
        """Publish `info`, `state`, `health` or an event."""
        topic = TOPICS.event(payload["rule"]) if name == "event" else getattr(TOPICS, name)
        if name == "health":
            self.sensor.reading = msgspec.convert(payload, type(self.sensor.reading))
        self.sensor.feed.message(Message(topic, json.dumps(payload).encode()))

    def show(self, *people: Person) -> int:
        """Show a frame with these people, and return its number."""
        self.sequence += 1
        self.sensor.feed.publish(make_update(self.sequence, *people))
        return self.sequence

    def show_people(self, *people: Person) -> None:
        """A frame with these people, and the state that goes with it."""
        self.show(*people)
        self.say("state", contents.state(*((one.id, "standing") for one in people if one.id is not None)))


def _no_metrics(health: Health, info: Info | None, *, connected: bool) -> bytes:  # noqa: ARG001 - as it is called
    return b""
