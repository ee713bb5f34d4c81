"""SIGHUP: a new configuration is taken if it can be run; otherwise the old one goes on."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto
from tests.support.sensor import Sensor, ear, sensor

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


class Systemd:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(30)

    def told(self, wanted: str) -> list[str]:
        """The states of the next message that has `wanted` in it."""
        while True:
            states = self._socket.recv(4096).decode().splitlines()
            self.heard += states
            if any(state.startswith(wanted) for state in states):
                return states

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    there = Systemd(tmp_path / "notify")
    yield there
    there.close()


def reload(daemon: Sensor) -> None:
    daemon.process.send_signal(signal.SIGHUP)


def test_a_good_configuration_is_taken_by_the_same_process(mosquitto: Start, systemd: Systemd, tmp_path: Path) -> None:
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera.source = "synthetic:walk"\n')
    with ear(port) as heard, sensor(tmp_path, port, {}, {"NOTIFY_SOCKET": str(systemd.path)}, config=config) as daemon:
        systemd.told("READY=1")
        heard.topic("keypoints")
        config.write_text('camera = {source = "synthetic:wave", width = 320, height = 240}\n')
        before_us = time.monotonic_ns() // 1000
        reload(daemon)
        (since,) = (state for state in systemd.told("RELOADING=1") if state.startswith("MONOTONIC_USEC="))
        assert before_us <= int(since.partition("=")[2]) <= time.monotonic_ns() // 1000
        systemd.told("READY=1")
        heard.topic("status", b"offline")
        heard.topic("status", b"online")
        heard.listen(lambda message: b'"width":320' in message.payload and message.topic.endswith("/keypoints"))
        assert heard.all("info")[-1]["camera"]["source"] == "synthetic:wave"
        assert "STOPPING=1" not in systemd.heard, "systemd would kill what does not end after that"
        assert daemon.stop()[0] == 0
    assert "the new configuration is taken" in daemon.log


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("camera.fps = -1\n", "camera.fps"),
        ('camera.source = "synthetic:nobody"\n', "camera.source"),
        ('model.name = "/nowhere.tflite"\n', "model.name"),
        ("model.input_size = [350, 481]\n", "model.input_size"),
        ("[camera\n", "is not TOML"),
    ],
)
def test_a_bad_one_is_refused_in_one_line(
    mosquitto: Start, systemd: Systemd, tmp_path: Path, content: str, key: str
) -> None:
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera.source = "synthetic:walk"\n')
    with ear(port) as heard, sensor(tmp_path, port, {}, {"NOTIFY_SOCKET": str(systemd.path)}, config=config) as daemon:
        systemd.told("READY=1")
        config.write_text(content)
        reload(daemon)
        systemd.told("RELOADING=1")
        ready = systemd.told("READY=1")
        assert key in next(state for state in ready if state.startswith("STATUS="))
        assert "refused" in next(iter(systemd.told("STATUS="))), "it stays in the status"
        before = len(heard.all("keypoints"))
        while len(heard.all("keypoints")) < before + 5:
            heard.topic("keypoints")
        assert (b"offline" in [m.payload for m in heard.heard]) is False
        assert daemon.stop()[0] == 0
    (line,) = (line for line in daemon.log.splitlines() if "refused" in line)
    assert key in line


def test_a_reload_while_a_file_waits_for_the_broker(mosquitto: Start, systemd: Systemd, tmp_path: Path) -> None:
    """The usual remedy of a broker that cannot be reached is a new address."""
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera = {source = "synthetic:walk", fps = 0}\nmqtt = {host = "127.0.0.1", port = 1}\n')
    environ = {"NOTIFY_SOCKET": str(systemd.path), "EDGE_POSE_CAMERA__FPS": "0"}
    with ear(port) as heard, sensor(tmp_path, 1, {}, environ, config=config) as daemon:
        systemd.told("READY=1")
        reload(daemon)
        systemd.told("RELOADING=1")
        systemd.told("READY=1")
        assert daemon.stop()[0] == 0
        assert heard.all("keypoints") == []
