"""An empty room and a dark one, as subscribers see them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.brokers import Mosquitto
from tests.support.scenes import picture_of, scene
from tests.support.sensor import Ear, ear, sensor
from tests.support.videos import encode

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


def wait_for(heard: Ear, topic: str, field: str, value: object) -> None:
    heard.listen(lambda message: message.topic.endswith(f"/{topic}") and json.loads(message.payload)[field] == value)


def test_an_idle_sensor_publishes_few_keypoints_and_knows_that_the_room_is_empty(
    mosquitto: Start, tmp_path: Path
) -> None:
    port = mosquitto().port
    settings = {"camera.source": "synthetic:empty", "idle.after_s": 1, "idle.check_s": 0.6}
    with ear(port) as heard, sensor(tmp_path, port, settings) as daemon:
        wait_for(heard, "health", "idle", value=True)
        heard.topics("keypoints", 25)  # it learns what does not change for the first second or two
        gaps = np.diff([message["seq"] for message in heard.all("keypoints")[-5:]])
        assert gaps.min() >= 8, "15 frames per second, and one message in 0.6 s"
        (state,) = {message["present"] for message in heard.all("state") if message["seq"] is not None}
        assert state is False
        daemon.assert_stops()
        heard.topic("status", b"offline")
    health = heard.all("health")[-1]
    assert health["camera"] == "ok"
    assert health["frames"]["idle"] > 20


def test_a_covered_camera_is_blind_until_light_comes_and_then_the_person_arrives_again(
    mosquitto: Start, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    lit = [picture_of(scene("wave"), n) for n in range(0, 120, 3)]
    dark = [rng.normal(6, 4, lit[0].shape).clip(0, 255).astype(np.uint8) for _ in range(5)] * 20
    video = tmp_path / "room.mp4"
    encode(video, lit + dark + lit, codec="mpeg4", rate=5)  # dark for 20 s
    port = mosquitto().port
    # Played twelve times as fast: rules and gate go by the time of the file.
    settings = {"camera.source": f"video:{video}", "camera.fps": 60, "presence.leave_s": 5}
    with ear(port) as heard, sensor(tmp_path, port, settings):
        wait_for(heard, "state", "present", value=True)
        wait_for(heard, "state", "present", value=None)
        wait_for(heard, "health", "camera", "blind")
        wait_for(heard, "state", "present", value=True)
        heard.topic("status", b"offline")
    assert "ok" in [health["camera"] for health in heard.all("health")][-2:]
    events = [(event["event_type"], event["reasons"][0]) for event in heard.all("event/presence")]
    assert [type_ for type_, _ in events] == ["arrived", "left"] * 2
    assert [reason for type_, reason in events if type_ == "left"] == ["nothing can be seen", "stopped"]
    seen = {message["seq"] for message in heard.all("keypoints")}
    dark_ones = range(len(lit), len(lit) + len(dark))
    assert len(seen.intersection(dark_ones)) < 20, "no keypoints from the dark"
    assert len(seen) > 2 * len(lit) - 5
