"""The table of entities. A new entity is a row here, and a row in docs/home-assistant.md."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.config import Config, Zone
from edge.homeassistant import templates
from edge.homeassistant.templates import event, flag, number, rounded

Platform: TypeAlias = Literal["binary_sensor", "sensor", "event", "switch", "number", "button", "image"]


def _always(_config: Config) -> bool:
    return True


def _presence(config: Config) -> bool:
    return config.presence.enabled


def _posture(config: Config) -> bool:
    return config.posture.enabled


def _fall(config: Config) -> bool:
    return config.fall.enabled


def _gestures(config: Config) -> bool:
    return config.gestures.enabled


def _zones(config: Config) -> bool:
    return bool(located_zones(config))


def _lines(config: Config) -> bool:
    return bool(config.lines)


def _leaves(config: Config) -> bool:
    return config.presence.enabled or _zones(config)


def _pictures(config: Config) -> bool:
    return config.web.enabled and config.privacy.allow_pictures


def _falls_back(config: Config) -> bool:
    return config.inference.device == "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity. Home Assistant knows it by `<device ID>_<key>`, so a key must never change."""

    key: str
    platform: Platform
    name: str  # Home Assistant writes the name of the device in front of it
    when: Callable[[Config], bool] = _always  # whether a device with this configuration has the entity
    topic: str = ""  # of the value, below the device's topic; for a button, of its command
    template: str = ""  # takes the value from the payload
    device_class: str = ""
    category: Literal["", "config", "diagnostic"] = ""
    enabled: bool = True  # whether Home Assistant shows it before the user enables it
    unit: str = ""
    state_class: Literal["", "measurement", "total_increasing"] = ""
    choices: tuple[str, ...] = ()  # of an enum sensor, or the types of an event
    setting: str = ""  # of a switch or number: its name in edge/config/settings.py
    step: float = 1


ENTITIES: tuple[Entity, ...] = (
    Entity(key="occupancy", platform="binary_sensor", name="Occupancy", when=_presence, topic="state",
           template=flag("present"), device_class="occupancy"),
    Entity(key="people", platform="sensor", name="People", topic="state", template=number("people"),
           state_class="measurement"),
    Entity(key="posture", platform="sensor", name="Posture", when=_posture, topic="state", template=templates.POSTURE,
           device_class="enum", choices=("standing", "sitting", "lying", "several", "nobody")),
    Entity(key="lying", platform="binary_sensor", name="Lying", when=_posture, topic="state", template=flag("lying")),
    Entity(key="fall", platform="binary_sensor", name="Fall", when=_fall, topic="state", template=flag("fall"),
           device_class="safety"),
    Entity(key="still_down", platform="binary_sensor", name="Still down", when=_fall, topic="state",
           template=flag("still_down"), device_class="safety"),
    Entity(key="motion", platform="binary_sensor", name="Motion", when=_presence, topic="state",
           template=flag("moving"), device_class="motion"),
    Entity(key="fall_event", platform="event", name="Fall", when=_fall, topic="event/fall",
           template=event(("id", "person", "time", "started", "duration_s", "confidence", "reasons")),
           choices=("suspected", "dismissed", "confirmed", "still_down", "cleared")),
    Entity(key="gesture_event", platform="event", name="Gesture", when=_gestures, topic="event/gesture",
           template=event(("id", "person", "time", "started", "duration_s", "reasons")),
           choices=("left_hand_raised", "right_hand_raised", "both_hands_raised", "waving", "ended")),
    Entity(key="zone_event", platform="event", name="Zone", when=_zones, topic="event/zone",
           template=event(("id", "zone", "person", "time", "started", "duration_s", "reasons")),
           choices=("entered", "left", "loitering")),
    Entity(key="line_event", platform="event", name="Line", when=_lines, topic="event/line",
           template=event(("id", "zone", "person", "time", "reasons")), choices=("crossed_in", "crossed_out")),
    Entity(key="detection", platform="switch", name="Detection", category="config", setting="enabled"),
    Entity(key="fall_detection", platform="switch", name="Fall detection", when=_fall, category="config",
           setting="fall"),
    Entity(key="gesture_detection", platform="switch", name="Gesture detection", when=_gestures, category="config",
           setting="gestures"),
    Entity(key="posture_detection", platform="switch", name="Posture detection", when=_posture, category="config",
           setting="posture"),
    Entity(key="min_confidence", platform="number", name="Minimum confidence", category="config",
           setting="min_confidence", step=0.01),
    Entity(key="max_rate_hz", platform="number", name="Message rate", category="config",
           setting="max_rate_hz", step=0.1, unit="Hz"),
    Entity(key="presence_leave_s", platform="number", name="Leave delay", when=_leaves, category="config",
           setting="presence_leave_s", device_class="duration", unit="s"),
    Entity(key="fall_confirm_s", platform="number", name="Fall confirmation", when=_fall, category="config",
           setting="fall_confirm_s", step=0.1, device_class="duration", unit="s"),
    Entity(key="camera_problem", platform="binary_sensor", name="Camera problem", topic="health",
           template=templates.CAMERA_PROBLEM, device_class="problem", category="diagnostic"),
    Entity(key="pictures", platform="binary_sensor", name="Pictures watched", when=_pictures, topic="health",
           template=flag("pictures"), category="diagnostic"),
    Entity(key="accelerator_fallback", platform="binary_sensor", name="Accelerator fall-back", when=_falls_back,
           topic="health", template=templates.ACCELERATOR_FALLBACK, device_class="problem", category="diagnostic"),
    Entity(key="fps", platform="sensor", name="Frame rate", topic="health", template=templates.FRAME_RATE,
           category="diagnostic", unit="fps", state_class="measurement"),
    Entity(key="inference_ms", platform="sensor", name="Inference time", topic="health",
           template=templates.INFERENCE_TIME, category="diagnostic", enabled=False, unit="ms",
           state_class="measurement"),
    Entity(key="temperature", platform="sensor", name="Temperature", topic="health",
           template=rounded("soc_temperature_c"), device_class="temperature", category="diagnostic", unit="°C",
           state_class="measurement"),
    Entity(key="frames_dropped", platform="sensor", name="Dropped frames", topic="health",
           template=number("frames.dropped"), category="diagnostic", enabled=False, state_class="total_increasing"),
    Entity(key="uptime", platform="sensor", name="Uptime", topic="health", template=templates.UPTIME,
           device_class="duration", category="diagnostic", enabled=False, unit="h"),
    Entity(key="restart", platform="button", name="Restart", topic="request/restart", device_class="restart",
           category="config"),
    Entity(key="clear_fall", platform="button", name="Clear fall", when=_fall, topic="request/clear_fall",
           category="config"),
    Entity(key="skeleton", platform="image", name="Skeleton", topic="snapshot", category="diagnostic", enabled=False),
)  # fmt: skip


def entities_of(config: Config) -> Iterator[Entity]:
    """The entities of a device with this configuration.

    A rule that is off in the file has none; a rule that MQTT has switched off keeps its entities, which are unknown.
    """
    yield from (entity for entity in ENTITIES if entity.when(config))
    for zone in located_zones(config):
        yield from _of_zone(zone)


def located_zones(config: Config) -> list[Zone]:
    """The zones in which people are located."""
    return [zone for zone in config.zones if zone.kind != "exclude"]


def _of_zone(zone: Zone) -> tuple[Entity, ...]:
    name = zone.name.replace("_", " ").strip().capitalize() or zone.name
    occupied, people = templates.zone_occupied(zone.name), templates.zone_people(zone.name)
    return (
        Entity(key=f"zone_{zone.name}_occupancy", platform="binary_sensor", name=f"{name} occupancy", topic="state",
               template=occupied, device_class="occupancy"),
        Entity(key=f"zone_{zone.name}_people", platform="sensor", name=f"{name} people", topic="state",
               template=people, enabled=False, state_class="measurement"),
    )  # fmt: skip
