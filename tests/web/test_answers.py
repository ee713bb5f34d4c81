"""Every address of the page, as a well-behaved client uses it."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.web.opened import Page, opened
from tests.web.sensors import HEALTH, FakeSensor


def test_a_setting_is_changed(page: Page) -> None:
    answer = page.ask("POST", "/settings/fall", {"value": "OFF"})
    assert (answer.status, answer.json) == (200, {"ok": True})
    assert not page.sensor.config.fall.enabled


def test_healthz_is_ok_while_frames_go_through(page: Page) -> None:
    answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text) == (200, "ok\n")
    page.sensor.connected = False
    answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text) == (503, "the broker is not connected\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"camera": "off"}, "the camera is switched off"),
        ({"camera": "stalled"}, "the camera delivers no frames"),
        ({"camera": "blind"}, "nothing can be seen in the frames"),
        ({"camera": "starting"}, "the camera has not delivered a frame yet"),
        ({"last_frame_age_s": 11.0}, "no frame for 10 s"),
        ({"last_frame_age_s": None}, "no frame for 10 s"),
    ],
    ids=["off", "stalled", "blind", "starting", "late", "none"],
)
def test_healthz_says_why_no_frames_go_through(change: dict[str, Any], problem: str) -> None:
    sensor = FakeSensor()
    sensor.reading = replace(HEALTH, **change)
    with opened(sensor=sensor) as page:
        answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text) == (503, f"{problem}\n")
