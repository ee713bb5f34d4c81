"""The sensor in a real Home Assistant: its entities, what they show, and what they do."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from itertools import permutations

import pytest

from edge.config import Mqtt
from tests.homeassistant.device import Device
from tests.homeassistant.home_assistant import HomeAssistant
from tests.support.brokers import Mosquitto, publish
from tests.support.sensor import retained

ZONES = """
[[zones]]
name = "sofa"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]

[[lines]]
name = "door"
from = [0.5, 0]
to = [0.5, 1]
"""
# platform and name: device class, category, whether it is enabled
ENTITIES = {
    ("binary_sensor", "Occupancy"): ("occupancy", None, True),
    ("binary_sensor", "Sofa occupancy"): ("occupancy", None, True),
    ("sensor", "People"): (None, None, True),
    ("sensor", "Sofa people"): (None, None, False),
    ("sensor", "Posture"): ("enum", None, True),
    ("binary_sensor", "Lying"): (None, None, True),
    ("binary_sensor", "Fall"): ("safety", None, True),
    ("binary_sensor", "Still down"): ("safety", None, True),
    ("binary_sensor", "Motion"): ("motion", None, True),
    ("event", "Fall"): (None, None, True),
    ("event", "Gesture"): (None, None, True),
    ("event", "Zone"): (None, None, True),
    ("event", "Line"): (None, None, True),
    ("switch", "Detection"): (None, "config", True),
    ("switch", "Fall detection"): (None, "config", True),
    ("switch", "Gesture detection"): (None, "config", True),
    ("switch", "Posture detection"): (None, "config", True),
    ("number", "Minimum confidence"): (None, "config", True),
    ("number", "Message rate"): (None, "config", True),
    ("number", "Leave delay"): ("duration", "config", True),
    ("number", "Fall confirmation"): ("duration", "config", True),
    ("binary_sensor", "Camera problem"): ("problem", "diagnostic", True),
    ("binary_sensor", "Accelerator fall-back"): ("problem", "diagnostic", True),
    ("sensor", "Frame rate"): (None, "diagnostic", True),
    ("sensor", "Inference time"): (None, "diagnostic", False),
    ("sensor", "Temperature"): ("temperature", "diagnostic", True),
    ("sensor", "Dropped frames"): (None, "diagnostic", False),
    ("sensor", "Uptime"): ("duration", "diagnostic", False),
    ("button", "Restart"): ("restart", "config", True),
    ("button", "Clear fall"): (None, "config", True),
    ("image", "Skeleton"): (None, "diagnostic", False),
}
MEASURED_S = 20.0


def test_all_entities_appear(device: Device, home_assistant: HomeAssistant) -> None:
    device.config = ZONES
    device.start("walk")
    device.wait_for("binary_sensor.sofa_occupancy", "on")
    entities = home_assistant.entities(device.id)
    assert {
        (entity_id.partition(".")[0], one.name): (one.device_class, one.category, one.disabled_by is None)
        for entity_id, one in entities.items()
    } == ENTITIES
    names = {f"{platform}.{device.id}_{name}" for platform, name in ENTITIES}
    assert set(entities) == {name.lower().replace(" ", "_").replace("-", "_") for name in names}


def test_the_entities_follow_a_person_who_walks(device: Device) -> None:
    device.config = ZONES
    device.start("walk")
    device.wait_for("binary_sensor.occupancy", "on")
    device.wait_for("sensor.people", "1")
    device.wait_for("sensor.posture", "standing")
    device.wait_for("binary_sensor.motion", "on")
    device.wait_for_event("event.zone", "entered")
    device.wait_for_event("event.line", "crossed_in")
    device.wait_for_event("event.line", "crossed_out")
    assert device.state("binary_sensor.camera_problem") == "off"


def test_the_entities_follow_a_person_who_sits(device: Device) -> None:
    device.start("sit")
    device.wait_for("sensor.posture", "standing")
    device.wait_for("sensor.posture", "sitting")
    device.wait_for("sensor.posture", "standing")
    assert "on" not in [state["state"] for state in device.history("binary_sensor.fall")]


def test_the_entities_follow_a_person_who_falls_and_gets_up(device: Device) -> None:
    device.start("fall", {"fall.clear_s": 1})
    confirmed = device.wait_for_event("event.fall", "confirmed")
    assert confirmed["reasons"]
    device.wait_for("binary_sensor.fall", "on")
    device.wait_for("binary_sensor.lying", "on")
    device.wait_for("sensor.posture", "lying")
    cleared = device.wait_for_event("event.fall", "cleared")
    assert cleared["id"] == confirmed["id"]
    device.wait_for("binary_sensor.fall", "off")
    device.wait_for("sensor.posture", "standing")


def test_an_empty_room_is_empty(device: Device) -> None:
    device.start("empty")
    device.wait_for("sensor.posture", "nobody")
    device.wait_for("binary_sensor.occupancy", "off")
    device.wait_for("sensor.people", "0")


def test_a_killed_sensor_is_unavailable_within_three_seconds(device: Device, home_assistant: HomeAssistant) -> None:
    daemon = device.start("walk")
    device.wait_for("binary_sensor.occupancy", "on")
    daemon.stop(signal.SIGKILL)
    device.wait_for("binary_sensor.occupancy", "unavailable", timeout_s=3)
    states = {one.state for one in home_assistant.entities(device.id).values()}
    assert states == {"unavailable", None}  # None of a disabled entity
    device.start("walk")
    device.wait_for("binary_sensor.occupancy", "on")


def test_three_people_cause_less_than_one_change_a_second(device: Device, home_assistant: HomeAssistant) -> None:
    device.start("three", {"mqtt.heartbeat_s": Mqtt().heartbeat_s})
    device.wait_for("sensor.people", "3")
    device.wait_for("sensor.posture", "several")
    device.wait_for("switch.posture_detection", "on")
    device.wait_for("number.fall_confirmation", "2", "2.0")
    device.wait_for("binary_sensor.camera_problem", "off")
    started_s = time.monotonic()
    start = len(home_assistant.events)
    home_assistant.wait_for(lambda: time.monotonic() - started_s > MEASURED_S, 2 * MEASURED_S)
    changes = [event for event in home_assistant.events[start:] if event["event_type"] == "state_changed"]
    assert len(changes) < MEASURED_S, Counter(change["data"]["entity_id"] for change in changes)


def test_the_sensor_announces_itself_when_home_assistant_starts(
    device: Device, home_assistant: HomeAssistant, broker: Mosquitto
) -> None:
    device.start("walk")
    device.wait_for("binary_sensor.occupancy", "on")
    home_assistant.stop()
    publish(broker.port, f"homeassistant/device/{device.id}/config", "", "-r")  # as after a restart of the broker
    home_assistant.start()
    device.wait_for("binary_sensor.occupancy", "on")


def test_switches_and_numbers_act_and_are_reported_back(device: Device) -> None:
    device.start("walk")
    device.wait_for("binary_sensor.occupancy", "on")
    device.wait_for("switch.detection", "on")
    device.call("switch.turn_off", "switch.detection")
    device.wait_for("switch.detection", "off")
    device.wait_for("binary_sensor.occupancy", "unknown")
    device.wait_for("sensor.people", "unknown")
    device.call("switch.turn_on", "switch.detection")
    device.wait_for("switch.detection", "on")
    device.wait_for("binary_sensor.occupancy", "on")
    for switch, entity in (("posture_detection", "sensor.posture"), ("fall_detection", "binary_sensor.fall")):
        device.call("switch.turn_off", f"switch.{switch}")
        device.wait_for(f"switch.{switch}", "off")
        device.wait_for(entity, "unknown")
    device.call("number.set_value", "number.leave_delay", value=25)
    device.wait_for("number.leave_delay", "25", "25.0")


def test_a_removed_sensor_leaves_nothing(device: Device, home_assistant: HomeAssistant, broker: Mosquitto) -> None:
    daemon = device.start("walk")
    device.wait_for("binary_sensor.occupancy", "on")
    daemon.stop()
    device.remove()
    assert home_assistant.entities(device.id) == {}
    assert not [entity_id for entity_id in home_assistant.states if device.id in entity_id]
    assert not [topic for topic in retained(broker.port) if device.id in topic]


@pytest.mark.parametrize("order", [*permutations(["broker", "home_assistant", "sensor"])], ids="-".join)
def test_a_fall_stays_on_in_whatever_order_all_start_again(
    device: Device, home_assistant: HomeAssistant, broker: Mosquitto, accepted: list[str], order: tuple[str, ...]
) -> None:
    accepted.append("MQTT server")  # while there is no broker
    daemon = device.start("fall", {"fall.clear_s": 3600})
    device.wait_for("binary_sensor.fall", "on")
    daemon.stop()
    home_assistant.stop()
    broker.stop()
    starts: dict[str, Callable[[], object]] = {
        "broker": broker.start,
        "home_assistant": home_assistant.start,
        "sensor": lambda: device.start("lie"),
    }
    for name in order:
        starts[name]()
    device.wait_for("binary_sensor.fall", "on")
    device.wait_for("binary_sensor.occupancy", "on")
    device.wait_for("switch.detection", "on")
