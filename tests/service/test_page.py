"""What the page shows of a running sensor, and does to it."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from edge.config import Config, Web
from edge.config.settings import SETTINGS, is_switch
from edge.errors import ConfigError, EdgeError, RequestError
from edge.mqtt.topics import Topics
from edge.service.control import BURST
from edge.service.opening import page_url
from edge.service.page import SHOWS, Page, PageSensor
from edge.service.places import SavedPlaces
from edge.service.settings import Overrides, Settings
from edge.web.seams import Pictures, Places

ZONE = {"name": "bed", "points": [[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]}
DRAWN = msgspec.convert({"zones": [ZONE]}, Config)
TOPICS = Topics("edge-pose", "test")


class House:
    """The page's sensor with real settings; `tick` is the main thread between two frames."""

    def __init__(self, folder: Path, config: Config | None = None) -> None:
        publisher: Any = SimpleNamespace(connection=SimpleNamespace(connected=True), tap=None)
        self.publisher = publisher
        self.settings = Settings(Config(), Overrides(folder / "settings"), SavedPlaces(folder / "places"))
        self.page = Page(config or Config(), self.publisher, TOPICS)
        self.sensor = PageSensor(
            self.page.calls,
            self.settings,
            {"clear_fall": lambda: 7, "reset_settings": self.settings.reset},
            self.publisher,
            self.health,
            self.page.shutter,
        )

    def health(self) -> Any:
        return "health"

    def tick(self) -> None:
        self.page.calls.tick()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda sensor: sensor.set("fall", "OFF"), None),
        (lambda sensor: sensor.use_places(DRAWN.zones, ()), None),
        (lambda sensor: sensor.reset_places(), None),
        (lambda sensor: sensor.request("clear_fall"), 7),
        (lambda sensor: sensor.request("reset_settings"), None),
        (lambda sensor: sensor.health(), "health"),
    ],
    ids=["set", "places", "reset places", "clear fall", "reset", "health"],
)
def test_everything_is_done_between_two_frames(
    house: House, change: Callable[[PageSensor], "Future[Any]"], result: object
) -> None:
    done = change(house.sensor)
    assert not done.done()
    assert (house.settings.config, house.settings.places_changed) == (Config(), False)
    house.tick()
    assert done.result(0) == result


def test_a_change_is_in_force_when_its_future_is_done(house: House) -> None:
    house.sensor.set("fall", "OFF")
    house.sensor.use_places(DRAWN.zones, ())
    house.tick()
    assert house.settings.config.zones == DRAWN.zones
    assert house.settings.config.fall.enabled is False


def test_refusals_come_with_their_key(house: House) -> None:
    setting, places = house.sensor.set("fall", "maybe"), house.sensor.use_places(DRAWN.zones * 2, ())
    house.tick()
    for refused, key in ((setting, "fall"), (places, "zones[2].name")):
        with pytest.raises(ConfigError) as exc:
            refused.result(0)
        assert exc.value.key == key


def test_limits_are_those_of_all_settings_that_are_numbers(house: House) -> None:
    limits = house.sensor.limits()
    assert list(limits["fall_confirm_s"]) == [0.5, 10]
    assert set(limits) == {name for name in SETTINGS if not is_switch(name)}


def test_without_the_key_there_is_no_shutter(house: House) -> None:
    assert house.page.shutter is None
    assert house.page.feed.latest("pictures") == Pictures(allowed=False)
    for attempt in (house.sensor.open_pictures, lambda: house.sensor.picture("", -1)):
        with pytest.raises(RequestError) as exc:
            attempt()
        assert exc.value.key == "privacy.allow_pictures"
    house.sensor.close_pictures("token")


def test_pictures_are_switched_on_only_so_often(tmp_path: Path) -> None:
    house = House(tmp_path, msgspec.convert({"privacy": {"allow_pictures": True}}, Config))
    for _ in range(SHOWS):
        house.sensor.close_pictures(house.sensor.open_pictures())
    with pytest.raises(RequestError) as exc:
        house.sensor.open_pictures()
    assert exc.value.key == "pictures"


def test_with_the_key_the_page_says_when_pictures_are_watched(tmp_path: Path) -> None:
    house = House(tmp_path, msgspec.convert({"privacy": {"allow_pictures": True}}, Config))
    assert house.page.feed.latest("pictures") == Pictures(allowed=True)
    assert house.page.shutter
    token = house.sensor.open_pictures()
    house.page.shutter.show(watched=True)
    assert house.page.feed.latest("pictures") == Pictures(allowed=True, watched=True)
    assert house.sensor.picture(token, -1) is None
    house.sensor.close_pictures(token)
    with pytest.raises(EdgeError):
        house.sensor.picture(token, -1)


def test_what_is_published_is_shown_and_counted(house: House) -> None:
    house.publisher.tap(TOPICS.setting_message("fall", "ON"))
    house.publisher.tap(TOPICS.snapshot_message(b"png"))
    assert house.page.feed.latest("settings") == {"fall": "ON"}
    house.page.show_places(DRAWN, changed=True)
    assert house.page.feed.latest("places") == Places(DRAWN.zones, (), changed=True)


def test_a_stopping_sensor_refuses_what_waits_and_ends_pictures(tmp_path: Path) -> None:
    house = House(tmp_path, msgspec.convert({"privacy": {"allow_pictures": True}}, Config))
    waiting, token = house.sensor.reset_places(), house.sensor.open_pictures()
    house.page.stop()
    with pytest.raises(RequestError):
        waiting.result(0)
    with pytest.raises(RequestError):
        house.sensor.picture(token, -1)
    assert house.page.shutter
    assert not house.page.shutter.watched


def test_floods_of_changes_are_refused(house: House) -> None:
    answers = [house.sensor.set("fall", "OFF") for _ in range(BURST + 1)]
    house.tick()
    assert [answer.exception(0) for answer in answers[:-1]] == [None] * BURST
    with pytest.raises(RequestError):
        answers[-1].result(0)


@pytest.mark.parametrize(
    ("keys", "url"),
    [
        ({}, ""),
        ({"enabled": True}, ""),
        ({"enabled": True, "host": "192.168.1.20"}, "https://192.168.1.20:8077/"),
        ({"enabled": True, "host": "0.0.0.0", "names": ["pose.example.org"]}, "https://pose.example.org:8077/"),  # noqa: S104
        ({"host": "192.168.1.20"}, ""),
    ],
    ids=["off", "loopback", "address", "name", "disabled"],
)
def test_home_assistant_gets_the_address_that_other_machines_can_open(keys: dict[str, Any], url: str) -> None:
    assert page_url(msgspec.convert(keys, Web)) == url
