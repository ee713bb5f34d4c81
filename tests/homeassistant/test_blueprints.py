"""The blueprints in docs/blueprints, in a real Home Assistant."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.homeassistant.hall import PICTURE, Hall, entry, notifications, picture_in, wait_for_notification
from tests.homeassistant.home_assistant import HomeAssistant
from tests.support import ROOT
from tests.support.brokers import Mosquitto, publish

BLUEPRINTS = ROOT / "docs/blueprints"
PHONE = "homeassistant/device/phone/config"
TAG = "binary_sensor_hall_fall"


@pytest.fixture
def phone(home_assistant: HomeAssistant, broker: Mosquitto, hall: Hall) -> Iterator[str]:
    """The ID of a device with the name of the telephone that gets notifications."""
    del hall  # the telephone must be there for as long as the sensor
    button = {"platform": "button", "unique_id": "phone", "command_topic": "phone"}
    device = {"identifiers": ["phone"], "name": "Phone"}
    message = {"device": device, "origin": {"name": "tests"}, "components": {"button": button}}
    publish(broker.port, PHONE, json.dumps(message), "-r")
    home_assistant.wait_for(lambda: home_assistant.device("phone"))
    found = home_assistant.device("phone")
    assert found is not None
    yield found["id"]
    publish(broker.port, PHONE, "", "-r")
    home_assistant.wait_for(lambda: home_assistant.device("phone") is None)


def load(home_assistant: HomeAssistant, file: str, **inputs: Any) -> None:
    """Import a blueprint, and make an automation of it. JSON is YAML as well."""
    home_assistant.add_blueprint(BLUEPRINTS / file)
    blueprint = {"path": f"edge-pose/{file}", "input": inputs}
    home_assistant.load_automations(entry(json.dumps({"alias": "Tested", "use_blueprint": blueprint})))
    home_assistant.wait_for_state("automation.tested", "on")


def light(action: str) -> dict[str, Any]:
    return {"action": f"light.{action}", "target": {"entity_id": "light.lamp"}}


def test_every_blueprint_is_tested() -> None:
    assert {path.name for path in BLUEPRINTS.iterdir()} == {"fall_alert.yaml", "presence_light.yaml"}


def test_a_fall_alert_needs_only_the_sensor(home_assistant: HomeAssistant, hall: Hall) -> None:
    load(home_assistant, "fall_alert.yaml", fall="binary_sensor.hall_fall")
    hall.state(1, fall=True)
    hall.draw()
    text = wait_for_notification(home_assistant, TAG)
    assert notifications(home_assistant)[TAG]["title"] == "Hall: a person fell"
    assert text.startswith("On the floor since ")
    assert picture_in(home_assistant, text) == PICTURE
    hall.unknown()
    home_assistant.wait_for_state("binary_sensor.hall_fall", "unknown")
    assert TAG in notifications(home_assistant)
    hall.state(1)
    home_assistant.wait_for(lambda: TAG not in notifications(home_assistant))


def test_a_fall_alert_without_drawings_is_sent_at_once(home_assistant: HomeAssistant, hall: Hall) -> None:
    hall.start(skeleton=False)
    load(home_assistant, "fall_alert.yaml", fall="binary_sensor.hall_fall")
    hall.state(1, fall=True)
    assert "Skeletons" not in wait_for_notification(home_assistant, TAG)
    assert hall.requests == []


def test_a_fall_alert_notifies_phones_and_performs_actions(
    home_assistant: HomeAssistant, hall: Hall, phone: str
) -> None:
    load(
        home_assistant, "fall_alert.yaml", fall="binary_sensor.hall_fall", phones=[phone], fallen=[light("turn_on")],
        cleared=[light("turn_off")], repeat_minutes=0.02,
    )  # fmt: skip
    hall.state(1, fall=True)
    home_assistant.wait_for_state("light.lamp", "on")
    hall.draw()
    hall.draw()
    home_assistant.wait_for(lambda: len(home_assistant.calls("notify.mobile_app_phone")) == 2)
    for sent in home_assistant.calls("notify.mobile_app_phone"):
        assert sent["title"] == "Hall: a person fell"
        assert sent["message"].startswith("On the floor since ")
        assert (sent["data"]["tag"], sent["data"]["image"]) == (TAG, "/api/image_proxy/image.hall_skeleton")
    hall.state(1)
    home_assistant.wait_for_state("light.lamp", "off")
    last = home_assistant.calls("notify.mobile_app_phone")[-1]
    assert last == {"message": "clear_notification", "data": {"tag": TAG}}


def test_a_presence_light_follows_a_zone(home_assistant: HomeAssistant, hall: Hall) -> None:
    load(
        home_assistant, "presence_light.yaml", occupancy="binary_sensor.hall_sofa_occupancy",
        light={"entity_id": "light.lamp"}, stay_seconds=1, empty_seconds=1,
    )  # fmt: skip
    hall.state(1)
    home_assistant.wait_for_state("binary_sensor.hall_occupancy", "on")
    hall.state(1, **hall.in_zone("sofa"))
    home_assistant.wait_for_state("light.lamp", "on")
    hall.state(1)
    home_assistant.wait_for_state("light.lamp", "off")


def test_a_presence_light_keeps_to_its_conditions(home_assistant: HomeAssistant, hall: Hall) -> None:
    load(
        home_assistant, "presence_light.yaml", occupancy="binary_sensor.hall_occupancy",
        light={"entity_id": "light.lamp"}, stay_seconds=0, empty_seconds=0,
        conditions=[{"condition": "state", "entity_id": "binary_sensor.hall_motion", "state": "on"}],
    )  # fmt: skip
    hall.state(1)
    home_assistant.wait_for_state("binary_sensor.hall_occupancy", "on")
    hall.state(0)
    home_assistant.wait_for(lambda: home_assistant.calls("light.turn_off"))
    assert home_assistant.calls("light.turn_on") == []
    hall.state(0, moving=True)
    home_assistant.wait_for_state("binary_sensor.hall_motion", "on")
    hall.state(1, moving=True)
    home_assistant.wait_for_state("light.lamp", "on")
