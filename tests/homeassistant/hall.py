"""The sensor of the examples in the documentation, played by the tests."""

import json
import re
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import urlopen

from edge.homeassistant.discovery import Hardware, discovery_message
from edge.mqtt.topics import CHANNELS, Topics
from edge.types import Message
from tests.docs.pages import Page
from tests.homeassistant.configs import BED, config_with
from tests.homeassistant.home_assistant import HomeAssistant
from tests.support.brokers import LOOPBACK, Mosquitto, publish
from tests.support.contract import PNG, channel_of, check
from tests.support.waiting import until

SOFA = BED | {"name": "sofa", "kind": "area"}
CONFIG = config_with(device={"id": "hall", "name": "Hall"}, zones=[BED, SOFA])
TOPICS = Topics("edge-pose", "hall")
EXAMPLES = {block.mark.removeprefix("message: "): block.text for block in Page("docs/mqtt.md").blocks}
PICTURE = PNG + b"skeletons"


class Hall:
    """The device `hall`, which is called Hall, with the zones `bed` and `sofa`."""

    def __init__(self, home_assistant: HomeAssistant, broker: Mosquitto, commands: Callable[[], list[str]]) -> None:
        """`commands` returns the topics and payloads of the requests so far."""
        self._home_assistant = home_assistant
        self._port = broker.port
        self._folder = home_assistant.folder.path
        self._commands = commands
        self._drawn = 0  # snapshots

    def start(self, *, skeleton: bool = True) -> None:
        """Appear in Home Assistant with an empty room, as if its user had enabled the entity Skeleton."""
        announcement = json.loads(discovery_message(CONFIG, Hardware("Test", "CPU", "")).payload)
        if skeleton:
            del announcement["components"]["skeleton"]["enabled_by_default"]
        else:
            announcement["components"]["skeleton"] = {"platform": "image"}
        publish(self._port, "homeassistant/device/hall/config", json.dumps(announcement), "-r")
        self.come_online()
        self._home_assistant.wait_for_state("binary_sensor.hall_camera_problem", "off")
        self._home_assistant.wait_for_state("binary_sensor.hall_fall", "off")
        self._home_assistant.events.clear()

    def come_online(self, people: int = 0, **fields: Any) -> None:
        """Publish that it is online, and the state of the room."""
        self._publish(TOPICS.status, b"online")
        self.camera("ok")
        self.state(people, **fields)
        known = {"event.hall_gesture", "event.hall_zone"}
        self._home_assistant.wait_for(
            lambda: not {self._home_assistant.state(entity_id) for entity_id in known} & {None, "unavailable"}
        )

    def go_offline(self) -> None:
        self._publish(TOPICS.status, b"offline")
        self._home_assistant.wait_for_state("binary_sensor.hall_fall", "unavailable")

    def state(self, people: int = 0, **fields: Any) -> None:
        """Publish the state of a room with people who stand in no zone, with some other fields."""
        someone = json.loads(EXAMPLES["state"])["persons"][1]
        state = {"seq": 1, "present": people > 0, "people": people, "standing": people, "sitting": 0, "lying": 0,
                 "fall": False, "still_down": False, "moving": False, "persons": people * [someone],
                 **self.in_zone("")}  # fmt: skip
        self._publish_like("state", TOPICS.state, state | fields)

    @staticmethod
    def in_zone(zone: str) -> dict[str, Any]:
        """The zones while a person is in one of them."""
        names = ("bed", "sofa")
        return {
            "zones": {name: {"occupied": name == zone, "people": int(name == zone), "dwell_s": 1.0} for name in names}
        }

    def unknown(self) -> None:
        """Publish the state while nothing is visible."""
        self._publish_like("state", TOPICS.state, dict.fromkeys(set(json.loads(EXAMPLES["state"])) - {"v", "time"}))

    def camera(self, condition: str) -> None:
        self._publish_like("health", TOPICS.health, {"camera": condition})

    def event(self, rule: str, event_type: str, **fields: Any) -> None:
        fields = {"rule": rule, "event_type": event_type, "zone": None, **fields}
        self._publish_like("event", TOPICS.event(rule), fields)

    def draw(self) -> None:
        """Wait for a request for a snapshot, and carry it out."""
        self._drawn += 1
        until(lambda: self.requests.count("snapshot {}") >= self._drawn)
        self._publish(TOPICS.snapshot, PICTURE)

    @property
    def requests(self) -> list[str]:
        """The requests so far, such as "snapshot {}"."""
        return [line.removeprefix(f"{TOPICS.root}/request/") for line in self._commands()]

    def remove(self) -> None:
        """Disappear from Home Assistant and from the broker, with all that automations have done."""
        publish(self._port, "homeassistant/device/hall/config", "", "-r")
        self._home_assistant.wait_for(lambda: self._home_assistant.device("hall") is None)
        for topic in TOPICS.retained:
            publish(self._port, topic, "", "-r")
        for notification in notifications(self._home_assistant):
            self._home_assistant.call("persistent_notification.dismiss", notification_id=notification)
        self._home_assistant.call("light.turn_off", "light.lamp")

    def _publish_like(self, name: str, topic: str, fields: dict[str, Any]) -> None:
        """Publish the message of the documentation with some other fields."""
        self._publish(topic, json.dumps(json.loads(EXAMPLES[name]) | fields).encode())

    def _publish(self, topic: str, payload: bytes) -> None:
        channel = CHANNELS[channel_of(topic)[0]]
        check(Message(topic, payload, qos=channel.qos, retain=channel.retain))
        file = self._folder / "payload"
        file.write_bytes(payload)
        options = ["-r"] if channel.retain else []
        command = ["mosquitto_pub", "-p", str(self._port), "-t", topic, "-q", str(channel.qos), "-f", str(file)]
        subprocess.run([*command, *options], check=True)


def automation(mark: str, times: Mapping[str, str] | None = None) -> str:
    """An automation of the page, as an entry of a list. Some times in it are replaced by other ones."""
    (block,) = [block for block in Page("docs/home-assistant.md").blocks if block.mark == f"automation: {mark}"]
    text = block.text
    for old, new in (times or {}).items():
        assert old in text
        text = text.replace(old, new)
    return entry(text)


def entry(text: str) -> str:
    """A YAML mapping as an entry of a list."""
    return "- " + textwrap.indent(text, "  ").lstrip()


def notifications(home_assistant: HomeAssistant) -> dict[str, dict[str, Any]]:
    """The notifications in Home Assistant, by ID."""
    return {one["notification_id"]: one for one in home_assistant.api.ask("persistent_notification/get")}


def wait_for_notification(home_assistant: HomeAssistant, notification_id: str) -> str:
    """Wait until a notification is shown; returns its text."""
    home_assistant.wait_for(lambda: notification_id in notifications(home_assistant))
    text: str = notifications(home_assistant)[notification_id]["message"]
    return text


def picture_in(home_assistant: HomeAssistant, text: str) -> bytes:
    """The picture that a notification shows to a browser."""
    (address,) = re.findall(r"!\[Skeletons\]\((/[^)]+)\)", text)
    with urlopen(f"http://{LOOPBACK}:{home_assistant.folder.port}{address}") as answer:
        content: bytes = answer.read()
    return content
