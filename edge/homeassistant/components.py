"""The part of a discovery message that describes one entity."""

import re
from typing import Any

from edge.config.settings import limits_of
from edge.homeassistant.entities import Entity
from edge.mqtt.topics import Topics

EMPTY_REQUEST = "{}"


def component(entity: Entity, topics: Topics, device_id: str) -> dict[str, Any]:
    """The options of an entity, by the names that Home Assistant's MQTT integration has for them."""
    options: dict[str, Any] = {
        "platform": entity.platform,
        "unique_id": f"{device_id}_{entity.key}",
        # Otherwise it would depend on the names of device and area, and on Home Assistant's version.
        "default_entity_id": f"{entity.platform}.{_slug(device_id)}_{_slug(entity.name)}",
        "name": entity.name,
        "device_class": entity.device_class,
        "entity_category": entity.category,
        "state_class": entity.state_class,
        "unit_of_measurement": entity.unit,
        "value_template": entity.template,
        **_specific(entity, topics),
    }
    shown = {name: value for name, value in options.items() if value != ""}
    return shown if entity.enabled else shown | {"enabled_by_default": False}


def _specific(entity: Entity, topics: Topics) -> dict[str, Any]:
    """The topics, and the options that only some platforms have."""
    topic = topics.below(entity.topic)
    match entity.platform:
        case "switch" | "number":
            options: dict[str, Any] = {
                "state_topic": topics.setting(entity.setting),
                "command_topic": topics.command("set", entity.setting),
            }
            if entity.platform == "number":
                smallest, largest = limits_of(entity.setting)
                options |= {"min": smallest, "max": largest, "step": entity.step}
            return options
        case "button":
            return {"command_topic": topic, "payload_press": EMPTY_REQUEST}
        case "image":
            return {"image_topic": topic, "content_type": "image/png"}
        case "event":
            return {"state_topic": topic, "event_types": list(entity.choices)}
        case _:
            return {"state_topic": topic} | ({"options": list(entity.choices)} if entity.choices else {})


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
