"""The table of entities: which of them a configuration has, and what their values are."""

import json
from typing import Any

import msgspec
import pytest

from edge.config import Config
from edge.config.settings import SETTINGS
from edge.errors import ReasonCode
from edge.homeassistant.components import component
from edge.homeassistant.entities import ENTITIES, Entity, entities_of
from edge.mqtt.events import unknown_state
from edge.mqtt.topics import PAYLOADS, Topics
from tests.docs.pages import Page
from tests.homeassistant.configs import BED, DOOR, MIRROR, config_with

TOPICS = Topics("edge-pose", "hall")
EVERYTHING = config_with(zones=[BED], lines=[DOOR])
# Home Assistant renders templates with Jinja, too. The tree of the tests with a real one has none outside of it.
jinja2 = pytest.importorskip("jinja2", reason="JINJA2 IS NOT INSTALLED: run: make .venv/ready")
JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined)
EXAMPLES = {block.mark.removeprefix("message: "): block.text for block in Page("docs/mqtt.md").blocks}


def keys(config: Config) -> set[str]:
    return {entity.key for entity in entities_of(config)}


def entity(key: str) -> Entity:
    return next(entity for entity in entities_of(EVERYTHING) if entity.key == key)


def value(key: str, payload: str, shown: str = "unknown") -> str:
    """What Home Assistant takes from a payload, if the entity has shown the state `shown` so far."""
    rendered: str = JINJA.from_string(entity(key).template).render(
        value_json=json.loads(payload), this={"state": shown}
    )
    return rendered


def state(**fields: Any) -> str:
    """The `state` message of an empty room, with some other fields."""
    nothing = {"present": False, "people": 0, "standing": 0, "sitting": 0, "lying": 0, "fall": False,
               "still_down": False, "moving": False, "zones": {"bed": {"occupied": False, "people": 0, "dwell_s": 0}},
               "persons": []}  # fmt: skip
    return json.dumps(nothing | fields)


def health(**fields: Any) -> str:
    """The `health` message in the documentation, with some other fields."""
    return json.dumps(json.loads(EXAMPLES["health"]) | fields)


@pytest.mark.parametrize(
    ("table", "gone"),
    [
        ("presence", {"occupancy", "motion", "presence_leave_s"}),
        ("posture", {"posture", "lying", "posture_detection"}),
        ("fall", {"fall", "still_down", "fall_event", "fall_detection", "fall_confirm_s", "clear_fall"}),
        ("gestures", {"gesture_event", "gesture_detection"}),
    ],
)
def test_a_rule_that_is_off_has_no_entities(table: str, gone: set[str]) -> None:
    assert keys(config_with()) - keys(config_with(**{table: {"enabled": False}})) == gone


def test_zones_and_lines_have_entities_if_there_are_any() -> None:
    assert keys(config_with(zones=[BED])) - keys(config_with()) == {
        "zone_event", "zone_bed_occupancy", "zone_bed_people",
    }  # fmt: skip
    assert keys(config_with(lines=[DOOR])) - keys(config_with()) == {"line_event"}


def test_a_zone_in_which_nothing_counts_has_no_entities() -> None:
    assert keys(config_with(zones=[MIRROR])) == keys(config_with())


def test_with_a_zone_the_leave_delay_is_shown_even_without_presence() -> None:
    assert "presence_leave_s" in keys(config_with(presence={"enabled": False}, zones=[BED]))


def test_without_a_fall_back_there_is_no_entity_for_it() -> None:
    assert keys(config_with()) - keys(config_with(inference={"device": "cpu"})) == {"accelerator_fallback"}


def test_entities_of_a_zone_are_named_after_it() -> None:
    zones = [BED, BED | {"name": "reading_corner"}]
    named = {entity.key: entity.name for entity in entities_of(config_with(zones=zones))}
    assert named["zone_bed_occupancy"] == "Bed occupancy"
    assert named["zone_bed_people"] == "Bed people"
    assert named["zone_reading_corner_people"] == "Reading corner people"


def test_every_key_is_used_once() -> None:
    # These names would collide if keys of zones were put together carelessly.
    zones = [BED | {"name": name} for name in ("event", "a", "a_people", "occupancy")]
    all_keys = [entity.key for entity in entities_of(config_with(zones=zones, lines=[DOOR]))]
    assert len(all_keys) == len(set(all_keys))


def test_the_entities_are_off_by_default_that_few_people_need() -> None:
    assert {entity.key for entity in entities_of(EVERYTHING) if not entity.enabled} == {
        "zone_bed_people", "inference_ms", "frames_dropped", "uptime", "skeleton",
    }  # fmt: skip


@pytest.mark.parametrize("one", ENTITIES, ids=lambda one: one.key)
def test_every_entity_has_the_topics_of_its_platform(one: Entity) -> None:
    names = {
        *PAYLOADS, "event/fall", "event/gesture", "event/zone", "event/line", "snapshot", "request/restart",
        "request/clear_fall",
    }  # fmt: skip
    assert one.topic in names or (one.setting and not one.topic)
    described = component(one, TOPICS, "hall")
    assert all(topic.startswith("edge-pose/hall/") for name, topic in described.items() if name.endswith("_topic"))


def test_entity_ids_are_made_of_the_device_id_and_the_name() -> None:
    described = component(entity("zone_bed_occupancy"), TOPICS, "front-door")
    assert described["default_entity_id"] == "binary_sensor.front_door_bed_occupancy"
    ids = {component(one, TOPICS, "hall")["default_entity_id"] for one in entities_of(EVERYTHING)}
    assert len(ids) == len(list(entities_of(EVERYTHING)))
    assert {"binary_sensor.hall_fall", "event.hall_fall", "binary_sensor.hall_accelerator_fall_back"} < ids


def test_a_setting_is_reported_and_changed_on_its_topics() -> None:
    described = component(entity("fall_confirm_s"), TOPICS, "hall")
    assert described["state_topic"] == "edge-pose/hall/setting/fall_confirm_s"
    assert described["command_topic"] == "edge-pose/hall/set/fall_confirm_s"


@pytest.mark.parametrize("one", [one for one in ENTITIES if one.platform == "number"], ids=lambda one: one.key)
def test_numbers_have_the_limits_of_the_configuration(one: Entity) -> None:
    table, name = SETTINGS[one.setting].split(".")
    described = component(one, TOPICS, "hall")
    for limit, step in (("min", -1), ("max", 1)):
        msgspec.convert({table: {name: described[limit]}}, Config)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({table: {name: described[limit] + step}}, Config)


def test_a_button_sends_an_empty_request() -> None:
    described = component(entity("clear_fall"), TOPICS, "hall")
    assert described["command_topic"] == "edge-pose/hall/request/clear_fall"
    assert json.loads(described["payload_press"]) == {}


def test_the_skeleton_is_a_picture_in_binary_form() -> None:
    described = component(entity("skeleton"), TOPICS, "hall")
    assert described["image_topic"] == TOPICS.snapshot
    assert described["content_type"] == "image/png"
    assert "encoding" not in described


@pytest.mark.parametrize("one", [one for one in ENTITIES if one.platform == "event"], ids=lambda one: one.key)
def test_every_phase_of_a_rule_is_a_type_of_its_event_entity(one: Entity) -> None:
    heading = {"fall_event": "Falls", "gesture_event": "Gestures", "zone_event": "Zones", "line_event": "Lines"}
    table = Page("docs/rules.md").section(heading[one.key]).partition("| phase | meaning |")[2]
    phases = [line.split("`")[1] for line in table.split("\n\n")[0].splitlines() if line.startswith("| `")]
    assert sorted(phases) == sorted(one.choices)


def test_an_event_entity_gets_the_type_and_the_useful_fields() -> None:
    got = json.loads(value("fall_event", EXAMPLES["event"]))
    sent = json.loads(EXAMPLES["event"])
    assert got == {name: sent[name] for name in sent if name not in {"v", "rule", "seq", "zone"}}
    assert got["event_type"] in entity("fall_event").choices


def test_while_the_state_is_unknown_every_entity_is_unknown() -> None:
    unknown = msgspec.json.encode(unknown_state(0)).decode()
    shown = {one.key: value(one.key, unknown) for one in entities_of(EVERYTHING) if one.topic == "state"}
    assert set(shown.values()) == {"None"}
    assert len(shown) == 9


@pytest.mark.parametrize(
    ("key", "field"),
    [("occupancy", "present"), ("fall", "fall"), ("still_down", "still_down"), ("motion", "moving")],
)
def test_flags_are_on_off_or_unknown(key: str, field: str) -> None:
    assert [value(key, state(**{field: one})) for one in (True, False, None)] == ["ON", "OFF", "None"]


def test_lying_is_on_while_a_person_lies() -> None:
    assert value("lying", state(people=2, standing=1, lying=1)) == "ON"
    assert value("lying", state(people=1, standing=1)) == "OFF"


def test_people_are_counted() -> None:
    assert value("people", state(people=3)) == "3"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "nobody"),
        ({"present": True, "people": 1, "standing": 1}, "standing"),
        ({"present": True, "people": 1, "sitting": 1}, "sitting"),
        ({"present": True, "people": 1, "lying": 1}, "lying"),
        ({"present": True, "people": 2, "standing": 2}, "several"),
        ({"present": True, "people": 1}, "None"),  # a posture that is unknown
        ({"present": True}, "None"),  # not detected for a moment
        ({"present": None}, "nobody"),  # the rule that knows who is present is off
        ({"present": True, "people": 1, "standing": None, "sitting": None, "lying": None}, "None"),
    ],
)
def test_the_posture_is_that_of_the_only_person(fields: dict[str, Any], shown: str) -> None:
    assert value("posture", state(**fields)) == shown
    assert shown in {*entity("posture").choices, "None"}


def test_zones_have_their_own_values() -> None:
    occupied = state(zones={"bed": {"occupied": True, "people": 2, "dwell_s": 3.5}})
    assert (value("zone_bed_occupancy", occupied), value("zone_bed_people", occupied)) == ("ON", "2")
    assert (value("zone_bed_occupancy", state()), value("zone_bed_people", state())) == ("OFF", "0")
    assert value("zone_bed_occupancy", state(zones={})) == "None"


def test_a_camera_that_shows_nothing_is_a_problem_but_not_one_that_is_off() -> None:
    shown = {camera: value("camera_problem", health(camera=camera)) for camera in ("ok", "off", "stalled", "blind")}
    assert shown == {"ok": "OFF", "off": "OFF", "stalled": "ON", "blind": "ON"}
    assert value("camera_problem", health(camera="starting")) == "None"


def test_every_failure_of_the_accelerator_is_a_fall_back() -> None:
    shown = {code: value("accelerator_fallback", health(backend_code=code)) for code in ReasonCode}
    fine = {ReasonCode.CONFIGURED, ReasonCode.READY, ReasonCode.ABSENT}
    assert shown == {code: "OFF" if code in fine else "ON" for code in ReasonCode} | {ReasonCode.STARTING: "None"}


def test_an_accelerator_that_is_gone_after_it_failed_is_still_a_fall_back() -> None:
    assert value("accelerator_fallback", health(backend_code="absent"), shown="on") == "ON"


def test_measurements_are_rounded_so_that_they_rarely_change() -> None:
    assert value("fps", health(fps=14.93)) == value("fps", health(fps=15.08)) == "15"
    assert value("fps", health(fps=0.52)) == "0.5"
    assert value("temperature", health(soc_temperature_c=54.2)) == "54"
    assert value("inference_ms", health()) == "10"
    assert value("uptime", health(uptime_s=86400.5)) == "24.0"
    assert value("frames_dropped", health()) == "12"


def test_measurements_that_are_missing_are_unknown() -> None:
    assert value("temperature", health(soc_temperature_c=None)) == "None"
    assert value("inference_ms", health(latency_ms={"inference": None, "total": None})) == "None"
