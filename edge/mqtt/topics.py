"""The wire contract: every topic, its payload, QoS, retain flag, expiry and JSON Schema.

Topic names appear only here. docs/mqtt.md explains the fields.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from edge.config.settings import SETTINGS
from edge.mqtt.answers import ANSWERS
from edge.mqtt.commands import KINDS, Command, Kind, Request, Response
from edge.mqtt.events import EventOut, StateOut
from edge.mqtt.messages import Health, Info, Keypoints, Payload
from edge.types import Message

MISSED_HEARTBEATS = 3
ONLINE, OFFLINE = b"online", b"offline"  # also Home Assistant's
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What is sent on a topic, and how. The topic is below that of the device; a name in braces stands for any name."""

    topic: str
    summary: str
    payload: type[Payload] | None = None  # None: no JSON
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None  # MQTT 5 only
    expires_unrepeated: bool = False  # after three heartbeats


# By the name of the section in docs/mqtt.md.
CHANNELS = {
    "status": Channel(topic="status", summary="Whether the sensor is connected; also its last will.", retain=True),
    "info": Channel(topic="info", summary="What the sensor is, and why it stopped.", payload=Info, retain=True),
    "keypoints": Channel(topic="keypoints", summary="The people in one frame.", payload=Keypoints, qos=0, expiry_s=5),
    "event": Channel(topic="event/{rule}", summary="One phase of an event.", payload=EventOut, expiry_s=300),
    "state": Channel(
        topic="state", summary="The state of the room now.", payload=StateOut, retain=True, expires_unrepeated=True
    ),
    "health": Channel(
        topic="health", summary="How the sensor is doing.", payload=Health, retain=True, expires_unrepeated=True
    ),
    "snapshot": Channel(topic="snapshot", summary="People and zones, drawn on black.", qos=0, expiry_s=30),
    "set": Channel(topic="set/{setting}", summary="Changes a setting. Retained messages are ignored."),
    "setting": Channel(topic="setting/{setting}", summary="The value of a setting in force.", retain=True),
    "request": Channel(
        topic="request/{request}", summary="Asks for something. Retained messages are ignored.", payload=Request
    ),
    "response": Channel(topic="response/{request}", summary="The answer to a request.", payload=Response, expiry_s=30),
}

PAYLOADS = {name: channel.payload for name, channel in CHANNELS.items() if channel.payload}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each JSON payload, by the name of its channel; also of answers, such as `response/people`."""
    payloads = PAYLOADS | {f"response/{name}": answer for name, answer in ANSWERS.items()}
    return {name: {"$schema": DIALECT} | msgspec.json.schema(payload) for name, payload in payloads.items()}


def discovery_topic(prefix: str, device_id: str) -> str:
    """Where Home Assistant looks for the entities of a device."""
    return f"{prefix}/device/{device_id}/config"


def birth_topic(prefix: str) -> str:
    """Where Home Assistant publishes `online` when it has connected."""
    return f"{prefix}/status"


class Topics:
    """The topics of one device, and the messages on them."""

    def __init__(self, base_topic: str, device_id: str) -> None:
        self.root = f"{base_topic}/{device_id}"
        self.status = self._topic("status")
        self.info = self._topic("info")
        self.keypoints = self._topic("keypoints")
        self.health = self._topic("health")
        self.state = self._topic("state")
        self.snapshot = self._topic("snapshot")
        self.retained = self.status, self.info, self.health, self.state, *map(self.setting, SETTINGS)
        self.all = (
            *(self.status, self.keypoints, self.event("fall"), self.state, self.info, self.health),
            *(self.setting("enabled"), self.response("ping"), self.snapshot),
        )

    def below(self, name: str) -> str:
        """The topic that docs/mqtt.md calls `name`, such as `event/fall`."""
        return f"{self.root}/{name}"

    def event(self, rule: str) -> str:
        return self._topic("event", rule)

    def setting(self, name: str) -> str:
        """The topic of the value in force."""
        return self._topic("setting", name)

    def command(self, kind: Kind, name: str) -> str:
        return self._topic(kind, name)

    @property
    def commands(self) -> tuple[str, str]:
        """Filters that match all commands."""
        return self.command("set", "+"), self.command("request", "+")

    def trial(self, kind: Kind) -> str:
        """A topic with the rights of a command; no sensor subscribes to it."""
        return f"{self.root}/{kind}/doctor/check"

    def response(self, name: str) -> str:
        """The topic of the answer to a request; `set` for refused settings."""
        return self._topic("response", name)

    def command_on(self, topic: str, payload: bytes) -> Command | None:
        """The command that a message is; None if it is none."""
        name = topic.rpartition("/")[2]
        for kind in KINDS:
            if topic == self.command(kind, name):
                return Command(kind, name, payload)
        return None

    def status_message(self, *, online: bool) -> Message:
        return _message("status", self.status, ONLINE if online else OFFLINE)

    def info_message(self, info: Info) -> Message:
        return _message("info", self.info, info)

    def keypoints_message(self, keypoints: Keypoints) -> Message:
        return _message("keypoints", self.keypoints, keypoints)

    def event_message(self, event: EventOut) -> Message:
        return _message("event", self.event(event.rule), event)

    def state_message(self, state: StateOut, heartbeat_s: float) -> Message:
        return _message("state", self.state, state, heartbeat_s)

    def health_message(self, health: Health, heartbeat_s: float) -> Message:
        return _message("health", self.health, health, heartbeat_s)

    def setting_message(self, name: str, value: str) -> Message:
        return _message("setting", self.setting(name), value.encode())

    def response_message(self, name: str, response: Response[Any]) -> Message:
        return _message("response", self.response(name), response)

    def snapshot_message(self, png: bytes) -> Message:
        return _message("snapshot", self.snapshot, png)

    def _topic(self, channel: str, name: str = "") -> str:
        return f"{self.root}/{CHANNELS[channel].topic.partition('{')[0]}{name}"


def _message(channel: str, topic: str, content: Payload | bytes, heartbeat_s: float = 0) -> Message:
    sent = CHANNELS[channel]
    payload = content if isinstance(content, bytes) else msgspec.json.encode(content)
    expiry_s = max(round(MISSED_HEARTBEATS * heartbeat_s), 1) if sent.expires_unrepeated else sent.expiry_s
    return Message(topic, payload, sent.qos, sent.retain, expiry_s)
