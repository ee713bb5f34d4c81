"""Settings over MQTT: the whole daemon with a real broker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.topics import Topics
from tests.support.brokers import Mosquitto
from tests.support.sensor import Ear, Sensor, ear, retained, sensor

TOPICS = Topics("edge-pose", "test")
WALK = {"camera.source": "synthetic:walk", "mqtt.heartbeat_s": 1}


class Home:
    """A broker, a running sensor, and a client that hears and says everything."""

    def __init__(self, sensor: Sensor, ear: Ear, port: int) -> None:
        self.sensor = sensor
        self.ear = ear
        self.port = port

    def set(self, name: str, value: str) -> None:
        self.ear.say(TOPICS.command("set", name), value)

    def setting(self, name: str, value: str) -> None:
        """Wait until a setting has this value."""
        self.ear.topic(f"setting/{name}", value.encode())

    def camera(self, condition: str) -> None:
        """Wait until `health` says this of the camera."""
        self.ear.listen(lambda one: one.topic == TOPICS.health and json.loads(one.payload)["camera"] == condition)

    def refusal(self) -> dict[str, Any]:
        return json.loads(self.ear.topic("response/set").payload)  # type: ignore[no-any-return]


@pytest.fixture
def home(tmp_path: Path, mosquitto: Callable[..., Mosquitto]) -> Iterator[Home]:
    broker = mosquitto()
    with ear(broker.port) as listening, sensor(tmp_path, broker.port, WALK) as running:
        listening.topic("keypoints")
        yield Home(running, listening, broker.port)
        if running.process.poll() is None:
            running.assert_stops()


def test_the_switch_closes_the_camera_and_opens_it_again(home: Home) -> None:
    home.set("enabled", "OFF")
    home.camera("off")
    heard = len(home.ear.heard)
    for _ in range(3):
        home.camera("off")
    silent = {message.topic.split("/")[2] for message in home.ear.heard[heard:]}
    assert silent <= {"health", "state", "setting", "info"}
    assert home.ear.all("state")[-1]["people"] is None
    home.set("enabled", "ON")
    home.ear.topic("keypoints")
    home.camera("ok")
    home.ear.listen(lambda one: one.topic == TOPICS.state and json.loads(one.payload)["people"] == 1)


def test_a_camera_that_is_off_stays_off_after_a_restart_and_the_service_is_ready(home: Home, tmp_path: Path) -> None:
    home.set("enabled", "OFF")
    home.setting("enabled", "OFF")
    home.sensor.assert_stops()
    with sensor(tmp_path, home.port, WALK) as again:
        again.wait_for_log("connected to")
        assert retained(home.port)[TOPICS.setting("enabled")] == b"OFF"
        home.camera("off")
        home.set("enabled", "ON")
        home.ear.topic("keypoints")
        again.assert_stops()
    assert retained(home.port)[TOPICS.setting("enabled")] == b"ON"


def test_a_valid_value_is_used_and_an_invalid_one_is_refused(home: Home) -> None:
    home.set("min_confidence", "1")
    home.ear.listen(lambda one: one.topic == TOPICS.keypoints and not json.loads(one.payload)["poses"])
    assert json.loads(retained(home.port)[TOPICS.info])["overrides"] == {"min_confidence": 1.0}
    for value in ("1.5", "nan", "", "ON", "[0.5]", "0x1"):
        home.set("min_confidence", value)
        assert home.refusal()["data"] == {"setting": "min_confidence"}
    assert retained(home.port)[TOPICS.setting("min_confidence")] == b"1"
    home.ear.say(TOPICS.command("request", "reset_settings"), '{"transaction": "a"}')
    assert json.loads(home.ear.topic("response/reset_settings").payload)["transaction"] == "a"
    home.ear.listen(lambda one: one.topic == TOPICS.keypoints and bool(json.loads(one.payload)["poses"]))


def test_retained_commands_are_ignored(home: Home, tmp_path: Path) -> None:
    home.ear.say(TOPICS.command("set", "fall_confirm_s"), "7", retain=True)
    home.set("presence_leave_s", "3")
    home.setting("presence_leave_s", "3")
    home.sensor.assert_stops()
    with sensor(tmp_path, home.port, WALK) as again:
        home.ear.topics("keypoints", 10)
        again.assert_stops()
    assert retained(home.port)[TOPICS.setting("fall_confirm_s")] == b"2"


def test_a_flood_is_answered_once_a_second_and_frames_keep_coming(home: Home) -> None:
    for number in range(2000):
        home.ear.say(TOPICS.command("request", f"nothing{number}"), b"x" * 100)
    home.ear.topics("keypoints", 45)
    refusals = home.ear.all("response/request")
    assert 1 <= len(refusals) <= 6
    assert home.sensor.log.count("is refused") == 1
