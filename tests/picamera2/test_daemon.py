"""The daemon, with the real picamera2 before it and a real broker behind it."""

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
def test_the_painted_person_is_where_the_painter_put_it(mosquitto: Start, tmp_path: Path, rotation: int) -> None:
    port = mosquitto().port
    settings = SETTINGS | {"camera.rotation": rotation, "mqtt.heartbeat_s": 1}
    with ear(port) as heard, sensor(tmp_path, port, settings, module=VIRTUAL) as daemon:
        for _ in range(80):
            heard.topic("keypoints")
        heard.topic("health")
        code, took_s = daemon.stop()
        heard.topic("status", b"offline")
    assert (code, daemon.log.count("Traceback")) == (0, 0), daemon.log
    assert took_s < 2
    (person,) = scene().truth(NUMBER)
    truth = np.array(FRAME) - 1 - person.xy if rotation else person.xy
    errors = []
    for message in heard.all("keypoints")[60:]:  # who stands on the head is found after 2 s
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


def test_a_stall_is_said_and_mended(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, SETTINGS, module=VIRTUAL) as daemon:
        until_health(heard, "ok", 0)
        for time_ in (1, 2, 3):
            daemon.process.send_signal(signal.SIGUSR1)
            until_health(heard, "stalled", time_ - 1)
            before = [message["seq"] for message in heard.all("keypoints")]
            time.sleep(1)  # and now nothing at all is said of what was seen before
            daemon.process.send_signal(signal.SIGUSR2)
            until_health(heard, "ok", time_)
            assert len(set(before)) == len(before)
        assert daemon.stop()[0] == 0
        heard.topic("status", b"offline")
    sequences = [message["seq"] for message in heard.all("keypoints")]
    assert sequences == sorted(set(sequences))
    assert heard.all("info")[-1]["camera"]["granted"]["format"] == "NV12"


@pytest.mark.parametrize("later_s", [0, 0.7, 2.2])  # silent, or paused, or being opened
def test_it_ends_at_once_while_the_camera_is_away(mosquitto: Start, tmp_path: Path, later_s: float) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, SETTINGS, module=VIRTUAL) as daemon:
        until_health(heard, "ok", 0)
        daemon.process.send_signal(signal.SIGUSR1)
        until_health(heard, "stalled", 0)
        time.sleep(later_s)
        code, took_s = daemon.stop()
        heard.topic("status", b"offline")
    assert (code, daemon.log.count("Traceback")) == (0, 0), daemon.log
    assert took_s < 2


def until_health(heard: Ear, camera: str, reopened: int) -> None:
    heard.topic("health")
    health = heard.all("health")[-1]
    assert (health["camera"], health["camera_reopened"]) == (camera, reopened)


def test_check_tells_what_it_found() -> None:
    found = subprocess.run(
        [sys.executable, "-m", VIRTUAL, "check", "--config", os.devnull],
        env=os.environ | {"EDGE_POSE_CAMERA__SOURCE": "picamera2:5", "EDGE_POSE_MQTT__HOST": "127.0.0.1"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "there are only 2 cameras" in " ".join(found.stdout.split())
    assert found.returncode == 1
