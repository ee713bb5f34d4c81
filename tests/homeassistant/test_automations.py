"""The automations of docs/home-assistant.md, in a real Home Assistant."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.homeassistant.hall import PICTURE, Hall, automation, notifications, picture_in, wait_for_notification
from tests.homeassistant.home_assistant import HomeAssistant
from tests.support.brokers import Mosquitto
from tests.support.sensor import sensor

REAL = {"device.id": "hall", "device.name": "Hall", "camera.width": 320, "camera.height": 240}
AUTOMATION = "automation.sensor_in_the_hall"


def wait_for_no_notification(home_assistant: HomeAssistant) -> None:
    home_assistant.wait_for(lambda: not notifications(home_assistant))


def test_a_fall_is_shown_with_the_skeletons_until_it_is_cleared(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("fall"))
    hall.state(1, fall=True)
    hall.draw()
    text = wait_for_notification(home_assistant, "hall_fall")
    assert text.startswith("On the floor, since ")
    assert picture_in(home_assistant, text) == PICTURE
    hall.unknown()
    home_assistant.wait_for_state("binary_sensor.hall_fall", "unknown")
    hall.go_offline()
    assert "hall_fall" in notifications(home_assistant)
    hall.come_online()
    wait_for_no_notification(home_assistant)
    assert len(hall.requests) == 1


def test_the_notification_of_a_fall_is_renewed(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("fall", {"00:05:00": "00:00:01"}))
    hall.state(1, fall=True)
    hall.draw()
    wait_for_notification(home_assistant, "hall_fall")
    hall.state(1, fall=True, still_down=True)
    hall.draw()
    hall.draw()
    home_assistant.wait_for(
        lambda: notifications(home_assistant)["hall_fall"]["message"].startswith("Still on the floor, since ")
    )
    hall.state(1)
    wait_for_no_notification(home_assistant)


def test_a_fall_is_shown_without_a_drawing(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("fall", {"00:00:05": "00:00:01"}))
    hall.state(1, fall=True)
    wait_for_notification(home_assistant, "hall_fall")


@pytest.mark.parametrize("problem", ["stalled", "blind", "offline"])
def test_a_sensor_that_does_not_work_is_reported(home_assistant: HomeAssistant, hall: Hall, problem: str) -> None:
    home_assistant.load_automations(automation("sensor", {"00:02:00": "00:00:01"}))
    if problem == "offline":
        hall.go_offline()
    else:
        hall.camera(problem)
    text = wait_for_notification(home_assistant, "hall_sensor")
    assert text.strip() == (
        "It is offline." if problem == "offline" else "Its camera delivers no picture, or nothing is visible in it."
    )
    hall.come_online()
    wait_for_no_notification(home_assistant)


def test_a_short_problem_and_a_camera_that_is_off_are_not_reported(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("sensor"))
    hall.camera("blind")
    home_assistant.wait_for_state("binary_sensor.hall_camera_problem", "on")
    hall.camera("off")
    home_assistant.wait_for(lambda: home_assistant.calls("persistent_notification.dismiss"))
    assert notifications(home_assistant) == {}
    home_assistant.wait_for(lambda: home_assistant.states[AUTOMATION]["attributes"]["current"] == 0)


def test_a_light_is_on_while_a_person_is_there(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("light", {"00:00:02": "00:00:01", "00:03:00": "00:00:01"}))
    hall.state(1)
    home_assistant.wait_for_state("light.lamp", "on")
    hall.state(0)
    home_assistant.wait_for_state("light.lamp", "off")


def test_a_person_who_passes_by_switches_no_light_on(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("light", {"00:03:00": "00:00:01"}))
    home_assistant.call("light.turn_on", "light.lamp")
    hall.state(1)
    home_assistant.wait_for_state("binary_sensor.hall_occupancy", "on")
    hall.state(0)
    home_assistant.wait_for_state("light.lamp", "off")
    assert home_assistant.calls("light.turn_on")[1:] == []


def test_a_sensor_that_comes_back_switches_no_light_on(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("light", {"00:00:02": "00:00:00"}) + automation("wave"))
    hall.unknown()
    home_assistant.wait_for_state("binary_sensor.hall_occupancy", "unknown")
    hall.state(1)
    home_assistant.wait_for_state("binary_sensor.hall_occupancy", "on")
    hall.event("gesture", "waving")  # comes after the light would have been switched on
    home_assistant.wait_for_state("light.lamp", "on")
    assert home_assistant.calls("light.turn_on") == []


def night(*, now: bool) -> dict[str, str]:
    """A night that is now, or was an hour ago."""
    middle = datetime.now(UTC) - timedelta(hours=0 if now else 3)
    start, end = (f"{middle + timedelta(hours=hours):%H:%M:%S}" for hours in (-1, 1))
    return {"22:00:00": start, "06:00:00": end}


def test_getting_out_of_bed_at_night_switches_a_light_on_until_the_person_is_back(
    home_assistant: HomeAssistant, hall: Hall
) -> None:
    home_assistant.load_automations(automation("bed", night(now=True)))
    hall.state(1)
    home_assistant.wait_for_state("sensor.hall_people", "1")
    hall.event("zone", "left", zone="bed")
    home_assistant.wait_for_state("light.lamp", "on")
    hall.state(1, **hall.in_zone("bed"))
    home_assistant.wait_for_state("light.lamp", "off")


@pytest.mark.parametrize(
    ("people", "now", "event"),
    [(1, False, "left bed"), (0, True, "left bed"), (1, True, "entered bed"), (1, True, "left sofa")],
    ids=["by day", "not seen", "into bed", "another zone"],
)
def test_anything_else_switches_no_light_on(
    home_assistant: HomeAssistant, hall: Hall, people: int, now: bool, event: str
) -> None:
    home_assistant.load_automations(automation("bed", night(now=now)) + automation("wave"))
    hall.state(people)
    home_assistant.wait_for_state("sensor.hall_people", str(people))
    event_type, zone = event.split()
    hall.event("zone", event_type, zone=zone)
    hall.event("gesture", "waving")  # comes later
    home_assistant.wait_for_state("light.lamp", "on")
    assert home_assistant.calls("light.turn_on") == []


def test_waving_toggles_a_lamp(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(automation("wave"))
    for lamp in ("on", "off"):
        for event_type in ("right_hand_raised", "waving", "ended"):
            hall.event("gesture", event_type)
        home_assistant.wait_for_state("light.lamp", lamp)
        hall.go_offline()
        hall.come_online()
    assert len(home_assistant.calls("light.toggle")) == 2


def test_home_assistant_starts_again_while_the_sensor_is_offline(home_assistant: HomeAssistant, hall: Hall) -> None:
    home_assistant.load_automations(
        automation("fall") + automation("sensor", {"00:02:00": "00:00:01"}) + automation("wave")
    )
    hall.event("gesture", "waving")
    home_assistant.wait_for_state("light.lamp", "on")
    hall.state(1, fall=True)
    hall.draw()
    wait_for_notification(home_assistant, "hall_fall")
    hall.go_offline()
    home_assistant.stop()
    home_assistant.start()
    assert wait_for_notification(home_assistant, "hall_sensor").strip() == "It is offline."
    hall.come_online(1, fall=True)
    hall.draw()
    wait_for_notification(home_assistant, "hall_fall")
    assert home_assistant.history("event.hall_gesture")[-1]["attributes"]["event_type"] == "waving"
    hall.event("gesture", "ended")
    hall.event("gesture", "waving")
    home_assistant.wait_for_state("light.lamp", "off")
    assert len(home_assistant.calls("light.toggle")) == 1  # since the start


def test_a_fall_that_the_real_sensor_detects_is_shown(
    home_assistant: HomeAssistant, hall: Hall, broker: Mosquitto, tmp_path: Path
) -> None:
    home_assistant.load_automations(automation("fall"))
    hall.go_offline()
    with sensor(tmp_path, broker.port, REAL | {"camera.source": "synthetic:fall", "fall.clear_s": 1}):
        picture = picture_in(home_assistant, wait_for_notification(home_assistant, "hall_fall"))
        with Image.open(BytesIO(picture)) as drawn:
            assert (drawn.format, drawn.width) == ("PNG", 640)
        wait_for_no_notification(home_assistant)


def test_a_person_who_waves_at_the_real_sensor_toggles_a_lamp(
    home_assistant: HomeAssistant, hall: Hall, broker: Mosquitto, tmp_path: Path
) -> None:
    home_assistant.load_automations(automation("wave"))
    hall.go_offline()
    with sensor(tmp_path, broker.port, REAL | {"camera.source": "synthetic:wave"}):
        home_assistant.wait_for_state("light.lamp", "on")
