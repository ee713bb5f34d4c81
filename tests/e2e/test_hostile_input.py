"""The whole service under attack over MQTT. `make fuzz` measures the same with more messages."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.mqtt.topics import Topics
from tests.fuzz.attack import CAMERA, attack
from tests.support.brokers import Mosquitto
from tests.support.sensor import ear, sensor

pytestmark = pytest.mark.broker
TOPICS = Topics("edge-pose", "test")


def test_hostile_messages_neither_change_nor_stop_a_sensor(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    port = mosquitto().port
    with sensor(tmp_path, port, CAMERA) as running:
        report = attack(port, count=1500, requests=5, calm_s=3)
        running.assert_stops()
    assert report.problems == []
    assert report.wrong == []
    assert report.strange == {}
    assert report.share > (0.5 if report.calm_hz > 14 else 0.1)  # other tests run at the same time
    assert report.grown_mb < 30
    assert len(running.log.splitlines()) < 30


def test_a_large_retained_command_is_ignored(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as listening:
        for topic in (TOPICS.command("set", "x"), TOPICS.command("set", "enabled")):
            listening.say(topic, b"O" * 10_000_000, retain=True)
            listening.topic(topic.rpartition("/")[2])
        with sensor(tmp_path, port, CAMERA) as running:
            listening.topics("keypoints", 15)
            listening.topic("health")
            before_mb = json.loads(listening.heard[-1].payload)["rss_mb"]
            listening.say(TOPICS.command("set", "x"), b"O" * 10_000_000)
            listening.topics("health", 3)
            assert json.loads(listening.heard[-1].payload)["rss_mb"] < before_mb + 5
            running.assert_stops()
    assert listening.all("response/set") == []
