"""The daemon with the real picamera2 and a real broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.skeleton import PARTS
from edge.types import Message
from tests.picamera2.scene import FRAME, NUMBER, scene
from tests.support.brokers import Mosquitto
from tests.support.sensor import Ear, ear, sensor

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(
        os.environ.get("EDGE_POSE_PICAMERA2") != "virtual",
        reason="NOT THE REAL PICAMERA2: that needs root and debootstrap, and make test-picamera2",
    ),
]
VIRTUAL = "tests.picamera2.virtual"
SETTINGS = {"camera.source": "picamera2", "camera.width": FRAME[0], "camera.height": FRAME[1], "camera.stall_s": 1}
Start = Callable[..., Mosquitto]


@pytest.mark.parametrize("rotation", [0, 180])
def test_the_painted_person_is_found_where_it_was_painted(mosquitto: Start, tmp_path: Path, rotation: int) -> None:
    port = mosquitto().port
    settings = SETTINGS | {"camera.rotation": rotation, "mqtt.heartbeat_s": 1}
    if rotation:  # the person is upside down, and MultiPose then takes the head for the feet
        settings["people.second_opinion"] = "off"
    with ear(port) as heard, sensor(tmp_path, port, settings, module=VIRTUAL) as daemon:
        heard.topics("keypoints", 80)
        heard.topic("health")
        daemon.assert_stops()
        heard.topic("status", b"offline")
    (person,) = scene().truth(NUMBER)
    truth = np.array(FRAME) - 1 - person.xy if rotation else person.xy
    errors = []
    for message in heard.all("keypoints")[60:]:  # a person upside down is found after 2 s
        assert message["frame"] == {"width": FRAME[0], "height": FRAME[1]}
        (pose,) = message["poses"]
        for keypoint in pose["keypoints"]:
            assert keypoint["body_part"] == PARTS[keypoint["index"]]
            if person.visible[keypoint["index"]]:
                errors.append(np.hypot(*(truth[keypoint["index"]] - (keypoint["x"], keypoint["y"]))))
    assert len(errors) > 15 * 12
    assert np.mean(errors) < 30
    info = heard.all("info")[-1]["camera"]
    assert info["granted"] == {
        "model": "Virtual frames",
        "format": "NV12",
        "pixels": {"width": FRAME[0], "height": FRAME[1]},
        "fps": None,
        "autofocus": None,
    }
    health = heard.all("health")[-1]
    assert (health["camera"], health["camera_reopened"]) == ("ok", 0)
    assert 0 <= health["frame_age_ms"] < 1000


def test_a_stall_is_reported_and_ends(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    settings = SETTINGS | {"mqtt.heartbeat_s": 1}
    with ear(port) as heard, sensor(tmp_path, port, settings, module=VIRTUAL) as daemon:
        wait_for_health(heard, "ok", 0)
        for time_ in (1, 2, 3):
            daemon.process.send_signal(signal.SIGUSR1)
            wait_for_health(heard, "stalled", time_ - 1)
            wait_for_health(heard, "stalled", time_ - 1)  # a second later, no frame has been published again
            daemon.process.send_signal(signal.SIGUSR2)
            wait_for_health(heard, "ok", time_)
        daemon.assert_stops()
        heard.topic("status", b"offline")
    sequences = [message["seq"] for message in heard.all("keypoints")]
    assert sequences == sorted(set(sequences))
    assert heard.all("info")[-1]["camera"]["granted"]["format"] == "NV12"


@pytest.mark.parametrize("later_s", [0, 0.7, 2.2])  # silent, or paused, or being opened
def test_it_stops_in_time_while_the_camera_is_away(mosquitto: Start, tmp_path: Path, later_s: float) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, SETTINGS, module=VIRTUAL) as daemon:
        wait_for_health(heard, "ok", 0)
        daemon.process.send_signal(signal.SIGUSR1)
        wait_for_health(heard, "stalled", 0)
        time.sleep(later_s)  # what it does then is what the test is about
        daemon.assert_stops()
        heard.topic("status", b"offline")


def wait_for_health(heard: Ear, camera: str, reopened: int) -> None:
    def matches(message: Message) -> bool:
        if not message.topic.endswith("/health"):
            return False
        health = json.loads(message.payload)
        return (health["camera"], health["camera_reopened"]) == (camera, reopened)

    heard.listen(matches)


def test_check_counts_the_cameras() -> None:
    found = subprocess.run(
        [sys.executable, "-m", VIRTUAL, "check", "--config", os.devnull],
        env=os.environ | {"EDGE_POSE_CAMERA__SOURCE": "picamera2:5", "EDGE_POSE_MQTT__HOST": "127.0.0.1"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "there are only 2 cameras" in " ".join(found.stdout.split())
    assert found.returncode == 1
