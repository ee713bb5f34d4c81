"""The driver of Home Assistant, with a device that the tests announce themselves."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homeassistant.home_assistant import HomeAssistant
from tests.homeassistant.log import Record, parse_log
from tests.support.brokers import Mosquitto, mosquitto_sub, publish
from tests.support.waiting import until

ORIGIN = {"name": "tests"}
AVAILABILITY = [{"topic": "demo/status"}]
COMPONENTS: dict[str, dict[str, object]] = {
    "occupied": {
        "platform": "binary_sensor", "unique_id": "demo_occupied", "name": "Occupied", "device_class": "occupancy",
        "state_topic": "demo/state", "value_template": "{{ {true: 'ON', false: 'OFF'}.get(value_json.occupied) }}",
    },
    "light": {
        "platform": "switch", "unique_id": "demo_light", "name": "Light", "entity_category": "config",
        "state_topic": "demo/light", "command_topic": "demo/set/light",
    },
    "button": {
        "platform": "event", "unique_id": "demo_button", "name": "Button", "state_topic": "demo/event",
        "event_types": ["pressed", "released"],
    },
    "hidden": {
        "platform": "sensor", "unique_id": "demo_hidden", "name": "Hidden", "entity_category": "diagnostic",
        "enabled_by_default": False, "state_topic": "demo/state", "value_template": "{{ value_json.hidden }}",
    },
}  # fmt: skip
AUTOMATION = """
- id: lamp
  alias: Lamp
  triggers: [{trigger: state, entity_id: binary_sensor.demo_occupied, to: "on"}]
  actions:
    - {action: light.turn_on, target: {entity_id: light.lamp}}
    - {action: notify.mobile_app_phone, data: {message: "Occupied"}}
"""
BLUEPRINT = """
blueprint:
  name: Lamp
  domain: automation
  input:
    button: {selector: {entity: {}}}
triggers: [{trigger: state, entity_id: !input button}]
actions: [{action: light.toggle, target: {entity_id: light.lamp}}]
"""


class Demo:
    """A device with four entities, on the topics `demo/...`."""

    def __init__(self, port: int) -> None:
        self.port = port

    def announce(self, **more: object) -> None:
        """Publish the device message, with more components than COMPONENTS if some are given."""
        message = {
            "device": {"identifiers": ["demo"], "name": "Demo"},
            "origin": ORIGIN,
            "availability": AVAILABILITY,
            "components": COMPONENTS | more,
        }
        publish(self.port, "homeassistant/device/demo/config", json.dumps(message), "-r")

    def remove(self) -> None:
        publish(self.port, "homeassistant/device/demo/config", "", "-r")

    def send(self, topic: str, payload: object, *options: str) -> None:
        publish(self.port, f"demo/{topic}", payload if isinstance(payload, str) else json.dumps(payload), *options)


@pytest.fixture
def demo(broker: Mosquitto, home_assistant: HomeAssistant, accepted: list[str]) -> Iterator[Demo]:
    """The device, announced, online, and with retained states."""
    demo = Demo(broker.port)
    demo.announce()
    demo.send("status", "online", "-r")
    demo.send("state", {"occupied": False}, "-r")
    demo.send("light", "OFF", "-r")
    home_assistant.wait_for_state("binary_sensor.demo_occupied", "off")
    home_assistant.wait_for_state("switch.demo_light", "off")
    home_assistant.wait_for(lambda: home_assistant.state("event.demo_button") not in {None, "unavailable"})
    yield demo
    accepted.append("No device components to cleanup")  # version 2026.2 logs it when a device is removed
    demo.remove()
    home_assistant.wait_for_state("binary_sensor.demo_occupied", None)


@pytest.mark.usefixtures("demo")
def test_entities_appear_with_what_the_registry_knows(home_assistant: HomeAssistant) -> None:
    entities = home_assistant.entities("demo")
    registered = {key: (one.name, one.category, one.device_class, one.disabled_by) for key, one in entities.items()}
    assert registered == {
        "binary_sensor.demo_occupied": ("Occupied", None, "occupancy", None),
        "switch.demo_light": ("Light", "config", None, None),
        "event.demo_button": ("Button", None, None, None),
        "sensor.demo_hidden": ("Hidden", "diagnostic", None, "integration"),
    }
    assert {one.unique_id for one in entities.values()} == {component["unique_id"] for component in COMPONENTS.values()}
    assert entities["sensor.demo_hidden"].state is None
    assert entities["event.demo_button"].attributes["event_types"] == ["pressed", "released"]


def test_states_follow_the_payloads(home_assistant: HomeAssistant, demo: Demo) -> None:
    for value, state in ((True, "on"), (None, "unknown"), (False, "off")):
        demo.send("state", {"occupied": value}, "-r")
        home_assistant.wait_for_state("binary_sensor.demo_occupied", state)


def test_an_action_publishes_a_command(home_assistant: HomeAssistant, demo: Demo, tmp_path: Path) -> None:
    with mosquitto_sub(demo.port, "demo/set/light", tmp_path / "commands") as commands:
        home_assistant.call("switch.turn_on", "switch.demo_light")
        until(commands)
        assert commands() == ["ON"]
    assert home_assistant.state("switch.demo_light") == "off"  # until the device reports it
    demo.send("light", "ON", "-r")
    home_assistant.wait_for_state("switch.demo_light", "on")


def test_an_event_fires_the_event_entity(home_assistant: HomeAssistant, demo: Demo) -> None:
    before = len(home_assistant.history("event.demo_button"))
    for kind in ("pressed", "released"):
        demo.send("event", {"event_type": kind})
    home_assistant.wait_for(lambda: len(home_assistant.history("event.demo_button")) == before + 2)
    after = home_assistant.history("event.demo_button")[before:]
    assert [state["attributes"]["event_type"] for state in after] == ["pressed", "released"]


def test_an_offline_device_is_unavailable(home_assistant: HomeAssistant, demo: Demo) -> None:
    demo.send("status", "offline", "-r")
    for entity_id in ("binary_sensor.demo_occupied", "switch.demo_light", "event.demo_button"):
        home_assistant.wait_for_state(entity_id, "unavailable")
    demo.send("status", "online", "-r")
    home_assistant.wait_for_state("binary_sensor.demo_occupied", "off")


def test_an_empty_device_message_removes_the_device(home_assistant: HomeAssistant, demo: Demo) -> None:
    demo.remove()
    home_assistant.wait_for_state("binary_sensor.demo_occupied", None)
    home_assistant.wait_for(lambda: home_assistant.device("demo") is None)
    assert home_assistant.entities("demo") == {}


def test_a_wrong_component_is_in_the_log(home_assistant: HomeAssistant, demo: Demo, accepted: list[str]) -> None:
    start = home_assistant.folder.log.stat().st_size
    demo.announce(wrong={"platform": "binary_sensor", "unique_id": "demo_wrong", "name": "Wrong"})
    until(lambda: home_assistant.log(start))
    accepted.append("state_topic")
    assert [record.logger for record in home_assistant.log(start)] == ["homeassistant.components.mqtt.entity"]
    assert len(home_assistant.entities("demo")) == len(COMPONENTS)


def test_automations_and_blueprints_run(home_assistant: HomeAssistant, demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "lamp.yaml").write_text(BLUEPRINT, encoding="utf-8")
    home_assistant.add_blueprint(tmp_path / "lamp.yaml")
    home_assistant.load_automations(
        AUTOMATION
        + """
- id: toggle
  alias: Toggle
  use_blueprint: {path: edge-pose/lamp.yaml, input: {button: event.demo_button}}
"""
    )
    home_assistant.wait_for_state("automation.lamp", "on")
    home_assistant.wait_for_state("automation.toggle", "on")
    demo.send("state", {"occupied": True}, "-r")
    home_assistant.wait_for_state("light.lamp", "on")
    home_assistant.wait_for(lambda: home_assistant.calls("notify.mobile_app_phone") == [{"message": "Occupied"}])
    demo.send("event", {"event_type": "pressed"})
    home_assistant.wait_for_state("light.lamp", "off")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_retained_messages_survive_a_restart(home_assistant: HomeAssistant, demo: Demo, number: int) -> None:
    demo.send("state", {"occupied": True}, "-r")
    home_assistant.wait_for_state("binary_sensor.demo_occupied", "on")
    home_assistant.stop(number)
    home_assistant.start()
    home_assistant.wait_for_state("binary_sensor.demo_occupied", "on")
    assert len(home_assistant.entities("demo")) == len(COMPONENTS)


def test_the_log_is_parsed_with_tracebacks_and_other_output() -> None:
    text = """Segmentation fault
2026-11-01 12:00:00.000+00:00 INFO (MainThread) [homeassistant.core] Started
2026-11-01 12:00:00.001+00:00 ERROR (SyncWorker_1) [homeassistant.components.mqtt] No such topic
Traceback (most recent call last):
KeyError
2026-11-01 12:00:00.002 WARNING (MainThread) [homeassistant.bootstrap] Skipping pip installation of required modules.
"""
    assert parse_log(text) == [
        Record("ERROR", "", "Segmentation fault\n"),
        Record(
            "ERROR", "homeassistant.components.mqtt", "No such topic\nTraceback (most recent call last):\nKeyError\n"
        ),
    ]
