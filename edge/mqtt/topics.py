"""The wire contract: every topic, its payload, QoS, retain flag, expiry and JSON Schema.

Topic names appear only here. docs/mqtt.md explains the fields.
"""

from typing import Any

import msgspec

from edge.config.settings import SETTINGS
from edge.mqtt.commands import KINDS, Command, Kind, Response
from edge.mqtt.events import EventOut, StateOut
from edge.mqtt.messages import Health, Info, Keypoints, Payload
from edge.types import Message

KEYPOINTS_EXPIRY_S = 5
EVENT_EXPIRY_S = 300
RESPONSE_EXPIRY_S = 30
MISSED_HEARTBEATS = 3
ONLINE, OFFLINE = b"online", b"offline"  # also Home Assistant's

PAYLOADS: dict[str, type[Payload]] = {
    "keypoints": Keypoints, "event": EventOut, "state": StateOut, "info": Info, "health": Health,
    "response": Response,
}  # fmt: skip


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each payload, by topic name without the rule or the operation.

    `status` and the settings have none: they are plain text.
    """
    return {name: msgspec.json.schema(payload) for name, payload in PAYLOADS.items()}


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
        self.status = f"{self.root}/status"
        self.info = f"{self.root}/info"
        self.keypoints = f"{self.root}/keypoints"
        self.health = f"{self.root}/health"
        self.state = f"{self.root}/state"
        self.snapshot = f"{self.root}/snapshot"
        self.retained = self.status, self.info, self.health, self.state, *map(self.setting, SETTINGS)
        self.all = (
            *(self.status, self.keypoints, self.event("fall"), self.state, self.info, self.health),
            *(self.setting("enabled"), self.response("ping"), self.snapshot),
        )

    def below(self, name: str) -> str:
        """The topic that docs/mqtt.md calls `name`, such as `event/fall`."""
        return f"{self.root}/{name}"

    def event(self, rule: str) -> str:
        return f"{self.root}/event/{rule}"

    def setting(self, name: str) -> str:
        """The topic of the value in force."""
        return f"{self.root}/setting/{name}"

    def command(self, kind: Kind, name: str) -> str:
        return f"{self.root}/{kind}/{name}"

    @property
    def commands(self) -> tuple[str, str]:
        """Filters that match all commands."""
        return f"{self.root}/set/+", f"{self.root}/request/+"

    def trial(self, kind: Kind) -> str:
        """A topic with the rights of a command; no sensor subscribes to it."""
        return f"{self.root}/{kind}/doctor/check"

    def response(self, name: str) -> str:
        """The topic of the answer to a request; `set` for refused settings."""
        return f"{self.root}/response/{name}"

    def command_on(self, topic: str, payload: bytes) -> Command | None:
        """The command that a message is; None if it is none."""
        root, _, name = topic.rpartition("/")
        for kind in KINDS:
            if root == f"{self.root}/{kind}":
                return Command(kind, name, payload)
        return None

    def setting_message(self, name: str, value: str) -> Message:
        return Message(self.setting(name), value.encode(), qos=1, retain=True)

    def response_message(self, name: str, response: Response) -> Message:
        return Message(self.response(name), msgspec.json.encode(response), qos=1, expiry_s=RESPONSE_EXPIRY_S)

    def snapshot_message(self, png: bytes) -> Message:
        return Message(self.snapshot, png, expiry_s=RESPONSE_EXPIRY_S)

    def status_message(self, *, online: bool) -> Message:
        return Message(self.status, ONLINE if online else OFFLINE, qos=1, retain=True)

    def info_message(self, info: Info) -> Message:
        return Message(self.info, msgspec.json.encode(info), qos=1, retain=True)

    def keypoints_message(self, keypoints: Keypoints) -> Message:
        return Message(self.keypoints, msgspec.json.encode(keypoints), expiry_s=KEYPOINTS_EXPIRY_S)

    def event_message(self, event: EventOut) -> Message:
        return Message(self.event(event.rule), msgspec.json.encode(event), qos=1, expiry_s=EVENT_EXPIRY_S)

    def state_message(self, state: StateOut, heartbeat_s: float) -> Message:
        expiry_s = _heartbeats_s(heartbeat_s)
        return Message(self.state, msgspec.json.encode(state), qos=1, retain=True, expiry_s=expiry_s)

    def health_message(self, health: Health, heartbeat_s: float) -> Message:
        expiry_s = _heartbeats_s(heartbeat_s)
        return Message(self.health, msgspec.json.encode(health), qos=1, retain=True, expiry_s=expiry_s)


def _heartbeats_s(heartbeat_s: float) -> int:
    """The expiry of what is sent again at every heartbeat."""
    return max(round(MISSED_HEARTBEATS * heartbeat_s), 1)
