"""The message from which Home Assistant makes a device and its entities.

The keys of the top level and of `device` and `origin` are those of `DEVICE_DISCOVERY_SCHEMA` in Home Assistant's
`components/mqtt/schemas.py`. With one other key, Home Assistant ignores the whole message.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edge import __version__
from edge.config import Config
from edge.config.schema import Device
from edge.homeassistant.components import component
from edge.homeassistant.entities import Platform, entities_of
from edge.mqtt.topics import Topics, discovery_topic
from edge.system.board import board_name
from edge.system.files import read_text
from edge.types import Backend, Message

ORIGIN = "edge-pose"
_PROCESSORS: dict[Backend, str] = {"cpu": "CPU", "edgetpu": "Coral Edge TPU"}
_SENSOR_WORDS = {"pose", "presence", "sensor", "camera", "cam"}


@dataclass(frozen=True, slots=True)
class Hardware:
    """What Home Assistant shows about the machine."""

    model: str
    processor: str  # which runs the network
    serial_number: str  # "" if unknown
    page: str = ""  # URL of the sensor's page; "" if other machines cannot open it


def hardware(backend: Backend, root: Path = Path("/")) -> Hardware:
    """This machine, on which the network runs on `backend`."""
    # machine-id(5) says that the machine ID itself must not leave the machine. Its hash cannot be reversed, unlike
    # that of a Raspberry Pi's short serial number.
    identity = read_text(root / "etc/machine-id")
    digest = hashlib.sha256(f"edge-pose serial number {identity}".encode()).hexdigest()
    return Hardware(
        model=board_name(root) or os.uname().machine,
        processor=_PROCESSORS[backend],
        serial_number=digest[:12] if identity else "",
    )


def announced_platforms(config: Config) -> dict[str, Platform]:
    """The platform of each entity, by key."""
    return {entity.key: entity.platform for entity in entities_of(config)}


def discovery_message(config: Config, machine: Hardware, removed: Mapping[str, Platform] | None = None) -> Message:
    """Announce the device and its entities, and delete the `removed` ones."""
    device_id = config.device.topic_id
    topics = Topics(config.mqtt.base_topic, device_id)
    # Only the platform means that the entity is deleted. These are first, because Home Assistant skips the rest of a
    # message if it is still busy with an entity.
    components: dict[str, Any] = {key: {"platform": platform} for key, platform in (removed or {}).items()}
    for entity in entities_of(config):
        components.setdefault(entity.key, component(entity, topics, device_id))
    payload = {
        "device": _device(config.device, machine),
        "origin": {"name": ORIGIN, "sw_version": __version__},
        "availability": [{"topic": topics.status}],
        "qos": 1,
        "components": components,
    }
    topic = discovery_topic(config.home_assistant.prefix, device_id)
    return Message(topic, msgspec.json.encode(payload), qos=1, retain=True)


def suggested_area(name: str) -> str:
    """The room in the name of a device: "Hall" in "Hall pose sensor"; "" if there is none."""
    words = name.split()
    while words and words[-1].lower() in _SENSOR_WORDS:
        words.pop()
    return " ".join(words)


def _device(device: Device, machine: Hardware) -> dict[str, Any]:
    block = {
        "identifiers": [device.topic_id],
        "name": device.name,
        "manufacturer": ORIGIN,
        "model": machine.model,
        "serial_number": machine.serial_number,
        "sw_version": __version__,
        "hw_version": machine.processor,
        "suggested_area": suggested_area(device.name),
        "configuration_url": machine.page,
    }
    return {name: value for name, value in block.items() if value}
