"""The discovery message."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge import __version__
from edge.homeassistant.discovery import Hardware, discovery_message, hardware, suggested_area
from edge.homeassistant.entities import entities_of
from edge.types import Message
from tests.homeassistant.configs import BED, DOOR, config_with

PI = Hardware("Raspberry Pi 5 Model B Rev 1.0", "Coral Edge TPU", "0123456789ab")
# What Home Assistant 2025.1 accepts. With one other key, it ignores the whole message.
TOP_LEVEL = {"device", "origin", "components", "availability", "availability_mode", "qos", "state_topic",
             "command_topic", "encoding"}  # fmt: skip
DEVICE = {"identifiers", "connections", "manufacturer", "model", "model_id", "name", "hw_version", "serial_number",
          "sw_version", "via_device", "suggested_area", "configuration_url"}  # fmt: skip
ORIGIN = {"name", "sw_version", "support_url"}


def payload(message: Message) -> Any:
    return json.loads(message.payload)


def test_the_message_is_retained_where_home_assistant_looks_for_it() -> None:
    message = discovery_message(config_with(), PI)
    assert message.topic == "homeassistant/device/hall/config"
    assert (message.qos, message.retain, message.expiry_s) == (1, True, None)
    other = discovery_message(config_with(home_assistant={"prefix": "ha"}), PI)
    assert other.topic == "ha/device/hall/config"


def test_the_message_has_only_keys_that_home_assistant_accepts() -> None:
    announced = payload(discovery_message(config_with(), PI))
    assert set(announced) <= TOP_LEVEL
    assert set(announced["device"]) <= DEVICE
    assert set(announced["origin"]) <= ORIGIN


def test_the_device_is_described() -> None:
    config = config_with(device={"id": "hall", "name": "Hall pose sensor"})
    announced = payload(discovery_message(config, PI))
    assert announced["device"] == {
        "identifiers": ["hall"], "name": "Hall pose sensor", "manufacturer": "edge-pose",
        "model": "Raspberry Pi 5 Model B Rev 1.0", "serial_number": "0123456789ab", "sw_version": __version__,
        "hw_version": "Coral Edge TPU", "suggested_area": "Hall",
    }  # fmt: skip
    assert announced["availability"] == [{"topic": "edge-pose/hall/status"}]


def test_the_device_links_to_its_page() -> None:
    announced = payload(discovery_message(config_with(), replace(PI, page="https://192.168.1.20:8077/")))
    assert announced["device"]["configuration_url"] == "https://192.168.1.20:8077/"


def test_every_entity_has_a_platform_a_name_and_a_unique_id() -> None:
    config = config_with(zones=[BED], lines=[DOOR])
    components = payload(discovery_message(config, PI))["components"]
    assert list(components) == [entity.key for entity in entities_of(config)]
    for key, described in components.items():
        assert described["unique_id"] == f"hall_{key}"
        assert described["platform"]
        assert described["name"]
        assert "" not in described.values()


def test_entities_are_disabled_only_where_the_table_says_so() -> None:
    config = config_with()
    components = payload(discovery_message(config, PI))["components"]
    for entity in entities_of(config):
        assert components[entity.key].get("enabled_by_default", True) == entity.enabled


def test_removed_entities_come_first_and_have_only_a_platform() -> None:
    message = discovery_message(config_with(), PI, {"zone_bed_people": "sensor"})
    components = payload(message)["components"]
    assert next(iter(components.items())) == ("zone_bed_people", {"platform": "sensor"})
    assert list(components)[1:] == list(payload(discovery_message(config_with(), PI))["components"])


def test_an_entity_whose_platform_changed_is_removed_before_it_is_announced_again() -> None:
    components = payload(discovery_message(config_with(), PI, {"people": "binary_sensor"}))["components"]
    assert components["people"] == {"platform": "binary_sensor"}


def test_the_machine_is_described_without_its_real_numbers(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    machine_id = "0123456789abcdef0123456789abcdef"
    (tmp_path / "etc/machine-id").write_text(machine_id + "\n")
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"Raspberry Pi 4 Model B Rev 1.5\0")
    machine = hardware("edgetpu", tmp_path)
    assert (machine.model, machine.processor) == ("Raspberry Pi 4 Model B Rev 1.5", "Coral Edge TPU")
    assert len(machine.serial_number) == 12
    assert machine.serial_number not in machine_id
    assert machine.serial_number not in hashlib.sha256(machine_id.encode()).hexdigest()
    assert hardware("cpu", tmp_path).serial_number == machine.serial_number


def test_a_machine_without_an_id_has_no_serial_number(tmp_path: Path) -> None:
    machine = hardware("cpu", tmp_path)
    assert machine.serial_number == ""
    assert machine.model
    assert "serial_number" not in payload(discovery_message(config_with(), machine))["device"]


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("Pose sensor", ""),
        ("Hall", "Hall"),
        ("Hall pose sensor", "Hall"),
        ("Living room camera", "Living room"),
        ("Camera obscura", "Camera obscura"),
    ],
)
def test_the_area_is_the_room_in_the_name(name: str, area: str) -> None:
    assert suggested_area(name) == area
