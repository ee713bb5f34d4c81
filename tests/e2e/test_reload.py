"""SIGHUP: the service applies the new configuration if it is valid, and otherwise keeps the old one."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto
from tests.support.sensor import Sensor, ear, sensor
from tests.support.systemd import Systemd

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


def reload(daemon: Sensor) -> None:
    daemon.process.send_signal(signal.SIGHUP)


def test_the_same_process_applies_a_valid_configuration(mosquitto: Start, systemd: Systemd, tmp_path: Path) -> None:
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera.source = "synthetic:walk"\n')
    with ear(port) as heard, sensor(tmp_path, port, {}, systemd.environ, config=config) as daemon:
        systemd.wait_for("READY=1")
        heard.topic("keypoints")
        config.write_text('camera = {source = "synthetic:wave", width = 320, height = 240}\n')
        before_us = time.monotonic_ns() // 1000
        reload(daemon)
        (since,) = (state for state in systemd.wait_for("RELOADING=1") if state.startswith("MONOTONIC_USEC="))
        assert before_us <= int(since.partition("=")[2]) <= time.monotonic_ns() // 1000
        systemd.wait_for("READY=1")
        heard.topic("status", b"offline")
        heard.topic("status", b"online")
        heard.listen(lambda message: b'"width":320' in message.payload and message.topic.endswith("/keypoints"))
        assert heard.all("info")[-1]["camera"]["source"] == "synthetic:wave"
        assert "STOPPING=1" not in systemd.states, "systemd would wait for the end, and then kill the process"
        daemon.assert_stops()
    assert "the new configuration is accepted" in daemon.log


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("camera.fps = -1\n", "camera.fps"),
        ('camera.source = "synthetic:unknown"\n', "camera.source"),
        ('model.name = "/nowhere.tflite"\n', "model.name"),
        ("model.input_size = [350, 481]\n", "model.input_size"),
        ("[camera\n", "not valid TOML"),
    ],
)
def test_an_invalid_configuration_is_refused_in_one_line(
    mosquitto: Start, systemd: Systemd, tmp_path: Path, content: str, key: str
) -> None:
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera.source = "synthetic:walk"\n')
    with ear(port) as heard, sensor(tmp_path, port, {}, systemd.environ, config=config) as daemon:
        systemd.wait_for("READY=1")
        config.write_text(content)
        reload(daemon)
        systemd.wait_for("RELOADING=1")
        ready = systemd.wait_for("READY=1")
        assert key in next(state for state in ready if state.startswith("STATUS="))
        assert "refused" in next(iter(systemd.wait_for("STATUS="))), "later status lines must contain the refusal"
        heard.topics("keypoints", 5)
        assert b"offline" not in [message.payload for message in heard.heard]
        daemon.assert_stops()
    (line,) = (line for line in daemon.log.splitlines() if "refused" in line)
    assert key in line


def test_a_reload_while_a_file_waits_for_the_broker(mosquitto: Start, systemd: Systemd, tmp_path: Path) -> None:
    """The usual fix for an unreachable broker is a new address and a reload."""
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera = {source = "synthetic:walk", fps = 0}\nmqtt = {host = "127.0.0.1", port = 1}\n')
    environ = systemd.environ | {"EDGE_POSE_CAMERA__FPS": "0"}
    with ear(port) as heard, sensor(tmp_path, 1, {}, environ, config=config) as daemon:
        systemd.wait_for("READY=1")
        reload(daemon)
        systemd.wait_for("RELOADING=1")
        systemd.wait_for("READY=1")
        daemon.assert_stops()
        assert heard.all("keypoints") == []
