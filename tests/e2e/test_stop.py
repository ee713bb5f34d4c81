"""The service stops cleanly within two seconds, even if camera, Edge TPU or broker hang."""

import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from edge.service.assembly import TICK_S
from edge.service.context import STOP_S
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.delegate import StandIn
from tests.support.processes import children, is_gone
from tests.support.sensor import Sensor, ear, sensor
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]
STUBBORN = "tests.e2e.stubborn"
# Without a second opinion every frame goes to the Edge TPU, which hangs at its ninth.
HANGS: dict[str, object] = {"camera.source": "stubborn:close", "camera.fps": 0, "people.second_opinion": "off"}
LIMIT_S = 2.0


def stop(daemon: Sensor, *numbers: int) -> None:
    """Stop the service; it must end in time and with exit code 0."""
    for number in numbers or (signal.SIGTERM,):
        code, took_s = daemon.stop(number)
    assert code == 0
    assert took_s < LIMIT_S
    assert "Traceback" not in daemon.log


def test_the_limits_add_up() -> None:
    """A tick passes until the signal is noticed. Then everything is closed within one limit; the rest is reserve."""
    assert TICK_S + STOP_S <= LIMIT_S - 0.5


@pytest.mark.parametrize("device", ["auto", "edgetpu"])
def test_offline_is_published_although_camera_and_edge_tpu_hang(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, device: str
) -> None:
    standin.will("9 hang")
    port = mosquitto().port
    with (
        ear(port) as heard,
        sensor(tmp_path, port, HANGS | {"inference.device": device}, home, module=STUBBORN) as daemon,
    ):
        heard.topic("keypoints")
        until(lambda: standin.hangs)
        stop(daemon)
        heard.topic("status", b"offline")
        assert heard.all("info")[-1]["problem"] is None


def test_the_service_stops_although_camera_edge_tpu_and_broker_hang(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("9 hang")
    server = mosquitto()
    with sensor(tmp_path, server.port, HANGS, home, module=STUBBORN) as daemon:
        with ear(server.port) as heard:
            heard.topic("keypoints")
        until(lambda: standin.hangs)
        with server.stalled():
            stop(daemon)
    with ear(server.port) as late:
        assert late.topic("status").retain
        until(lambda: late.heard[-1].payload == b"offline" or late.topic("status").payload == b"offline")


def test_the_service_stops_although_camera_and_edge_tpu_hang_and_the_broker_never_answers(
    tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("9 hang")
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        sensor(tmp_path, silent.getsockname()[1], HANGS, home, module=STUBBORN) as daemon,
    ):
        silent.settimeout(LONG_S)
        peer, _ = silent.accept()
        with peer:
            peer.recv(1)
            until(lambda: standin.hangs)
            stop(daemon)


@pytest.mark.parametrize("device", ["auto", "edgetpu"])
@pytest.mark.parametrize("stage", ["load", "prepare"])
def test_a_hang_while_the_edge_tpu_is_opened_does_not_delay_a_stop(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, device: str, stage: str
) -> None:
    """The worker process ends together with the service, even if that is killed."""
    standin.will(f"{stage} hang")
    port = mosquitto().port
    walk: dict[str, object] = {"camera.source": "synthetic:walk", "inference.device": device}
    for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        Path(f"{standin.plan}.diary").unlink(missing_ok=True)
        with sensor(tmp_path, port, walk, home) as daemon:
            until(lambda: standin.hangs)
            worker = standin.worker_pid
            ended, took_s = daemon.stop(number)
            assert ended == code
            assert took_s < LIMIT_S
            until(partial(is_gone, worker))


@pytest.mark.parametrize("device", ["auto", "edgetpu"])
def test_a_stop_of_the_whole_service_while_the_worker_starts_is_no_crash(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, device: str
) -> None:
    """systemd and a terminal signal the worker, too."""
    port = mosquitto().port
    walk: dict[str, object] = {"camera.source": "synthetic:walk", "inference.device": device}
    with sensor(tmp_path, port, walk, home) as daemon:
        until(lambda: children(daemon.process.pid))
        for child in children(daemon.process.pid):
            os.kill(child, signal.SIGTERM)
        stop(daemon)
        assert "SIGTERM" not in daemon.log
    assert not standin.hangs


def test_a_stop_while_a_reload_closes_everything_is_a_stop(mosquitto: Start, tmp_path: Path) -> None:
    """The broker is stalled, so that closing takes its whole time."""
    server = mosquitto()
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera.source = "synthetic:walk"\n')
    settings: dict[str, object] = {"inference.device": "cpu"}
    with sensor(tmp_path, server.port, settings, config=config) as daemon:
        with ear(server.port) as heard:
            heard.topic("keypoints")
        with server.stalled():
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: "the new configuration is accepted" in daemon.log)
            stop(daemon)
