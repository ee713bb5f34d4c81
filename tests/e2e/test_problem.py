"""The `problem` in `info` of a service that fails, and of a service that works again."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.models import catalogue
from tests.support.brokers import LOOPBACK, Mosquitto, free_port
from tests.support.delegate import StandIn
from tests.support.sensor import STOP_LIMIT_S, ear, sensor
from tests.support.waiting import LONG_S

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]
STUBBORN = "tests.e2e.stubborn"
WALK: dict[str, object] = {"camera.source": "synthetic:walk", "inference.device": "cpu"}
EDGE_TPU = WALK | {"inference.device": "edgetpu"}
STAYS_OFF = "; the sensor stays off until you fix it and restart the service"
COMES_BACK = "; the sensor has stopped, and systemd restarts it after a few seconds"


def retained(port: int) -> dict[str, Any]:
    """The retained `info`. Asserts that `status` is offline."""
    with ear(port) as late:
        assert late.topic("status").payload == b"offline"
        if not late.all("info"):
            late.topic("info")
        return dict(late.all("info")[-1])


def failed(
    folder: Path, port: int, settings: dict[str, object], environ: dict[str, str] | None = None, *, code: int
) -> tuple[dict[str, Any], list[bytes]]:
    """Run the service until it fails; returns the retained `info`, and each `status` in order."""
    with ear(port) as heard, sensor(folder, port, settings, environ, module=STUBBORN) as daemon:
        assert daemon.process.wait(LONG_S) == code
        heard.topic("status", b"offline")
        statuses = [message.payload for message in heard.heard if message.topic.endswith("/status")]
    info = retained(port)
    (line,) = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert info["problem"] == line.removeprefix("edge-pose: ") + (STAYS_OFF if code == 78 else COMES_BACK)
    assert "Traceback" not in daemon.log
    return info, statuses


def damaged(folder: Path) -> Path:
    path = folder / "damaged.tflite"
    path.write_bytes(catalogue.read("posenet").content[:1000])
    return path


NOTHING_LOADED: dict[str, object] = {"model": None, "runtime": None, "backend": None, "camera": None}


@pytest.mark.parametrize(
    ("plan", "words"),
    [("load fail", "opened no device"), ("load crash", "crashed during loading"), ("1 fail", "inference failed")],
)
def test_an_edge_tpu_that_does_not_work(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, plan: str, words: str
) -> None:
    standin.will(plan)
    info, statuses = failed(tmp_path, mosquitto().port, EDGE_TPU, home, code=1)
    assert words in info["problem"]
    assert {key: info[key] for key in NOTHING_LOADED} == NOTHING_LOADED
    assert info["device"]["id"] == "test"
    assert statuses == [b"offline"], "it was never online"


def test_an_edge_tpu_without_its_library_or_model(mosquitto: Start, tmp_path: Path, home: dict[str, str]) -> None:
    port = mosquitto().port
    wrong = home | {"EDGE_POSE_INFERENCE__LIBRARY": "libnothing.so.1"}
    info, _ = failed(tmp_path, port, EDGE_TPU, wrong, code=1)
    assert "libnothing.so.1 cannot be loaded" in info["problem"]
    wrong = home | {"XDG_DATA_HOME": str(tmp_path / "none")}
    info, _ = failed(tmp_path, port, EDGE_TPU, wrong, code=78)
    assert "models fetch posenet-edgetpu-353-481" in info["problem"]


@pytest.mark.parametrize("name", ["posenot", "damaged"])
def test_a_missing_or_damaged_model(mosquitto: Start, tmp_path: Path, name: str) -> None:
    named = str(damaged(tmp_path)) if name == "damaged" else name
    info, statuses = failed(tmp_path, mosquitto().port, WALK | {"model.name": named}, code=78)
    assert info["problem"].startswith("model.name: ")
    assert named in info["problem"]
    assert {key: info[key] for key in NOTHING_LOADED} == NOTHING_LOADED
    assert statuses == [b"offline"]


def test_a_source_that_does_not_exist(mosquitto: Start, tmp_path: Path) -> None:
    """`info` still describes everything that was loaded before the failure."""
    info, statuses = failed(tmp_path, mosquitto().port, WALK | {"camera.source": "images:/does/not/exist"}, code=78)
    assert info["problem"].startswith("camera.source: /does/not/exist")
    assert (info["model"]["name"], info["backend"]["name"], info["camera"]) == ("posenet", "cpu", None)
    assert statuses == [b"offline"]


def test_a_camera_that_cannot_be_opened(mosquitto: Start, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="THE VIDEO EXTRA IS NOT INSTALLED")
    info, _ = failed(tmp_path, mosquitto().port, WALK | {"camera.source": "/dev/video63"}, code=1)
    assert "/dev/video63" in info["problem"]
    assert (info["camera"]["source"], info["camera"]["frame"]) == ("/dev/video63", None)


def test_a_camera_that_stops_delivering_pictures(mosquitto: Start, tmp_path: Path) -> None:
    source = WALK | {"camera.source": "stubborn:silent", "camera.stall_s": 1}
    info, statuses = failed(tmp_path, mosquitto().port, source, code=1)
    assert info["problem"].startswith("camera.source: stubborn:silent gave no picture for 1 s; ")
    assert info["camera"]["frame"] == {"width": 640, "height": 480}
    assert statuses == [b"online", b"offline"]


def test_an_unexpected_error(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with sensor(tmp_path, port, WALK | {"camera.source": "stubborn:bug"}, module=STUBBORN) as daemon:
        assert daemon.process.wait(LONG_S) == 1
    assert "Traceback" in daemon.log
    assert retained(port)["problem"].startswith("unexpected error (LookupError: a bug in a library); ")


def test_an_edge_tpu_that_fails_during_an_inference(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("20 fail")
    info, statuses = failed(tmp_path, mosquitto().port, EDGE_TPU | {"camera.fps": 0}, home, code=1)
    assert "inference failed (stand-in: transfer 20 failed)" in info["problem"]
    assert info["backend"]["name"] == "edgetpu"
    assert statuses == [b"online", b"offline"]


def test_the_problem_stays_the_same_until_the_sensor_works(mosquitto: Start, tmp_path: Path) -> None:
    """A camera is opened late, for the first frame. Until then, `info` must keep the problem of the last run."""
    port = mosquitto().port
    with ear(port) as heard:
        for _ in range(3):
            with sensor(tmp_path, port, WALK | {"camera.source": "video:/does/not/exist.mp4"}) as daemon:
                assert daemon.process.wait(LONG_S) == 78
            heard.topic("info")
        for _ in range(2):
            with sensor(tmp_path, port, WALK | {"camera.source": "/dev/video63"}) as daemon:
                assert daemon.process.wait(LONG_S) == 1
            heard.topic("info")
        with sensor(tmp_path, port, WALK) as daemon:
            heard.topic("keypoints")
            assert daemon.stop()[0] == 0
            heard.topic("status", b"offline")
    problems = [info["problem"] for info in heard.all("info")]
    assert len(problems) == 6
    assert len({*problems[:3]}) == len({*problems[3:5]}) == 1
    assert problems[5] is None
    assert retained(port)["problem"] is None, "a stopped sensor has no problem"


def test_a_failure_after_a_reload_is_published(mosquitto: Start, tmp_path: Path) -> None:
    """The check before the reload does not open the camera, so it accepts this configuration."""
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text('camera.source = "synthetic:walk"\n')
    with ear(port) as heard, sensor(tmp_path, port, {"inference.device": "cpu"}, config=config) as daemon:
        heard.topic("keypoints")
        config.write_text('camera.source = "/dev/video63"\n')
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.process.wait(LONG_S) == 1
    assert "/dev/video63" in retained(port)["problem"]


@contextmanager
def silent_broker() -> Iterator[tuple[socket.socket, int]]:
    """A server that accepts connections and never answers; yields it and its port."""
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(LONG_S)
        yield server, server.getsockname()[1]


WRONG_MODEL = WALK | {"model.name": "posenot"}


def assert_ends_with_one_line(folder: Path, port: int, settings: Mapping[str, object]) -> None:
    with sensor(folder, port, settings) as daemon:
        assert daemon.process.wait(LONG_S) == 78
    assert daemon.log.count("edge-pose: ") == 1
    assert "Traceback" not in daemon.log


def test_without_a_broker_the_error_is_one_line(tmp_path: Path) -> None:
    assert_ends_with_one_line(tmp_path, free_port(), WRONG_MODEL)


def test_with_a_silent_broker_the_error_is_one_line(tmp_path: Path) -> None:
    with silent_broker() as (_, port):
        assert_ends_with_one_line(tmp_path, port, WRONG_MODEL)


def test_with_a_wrong_password_the_error_is_one_line(mosquitto: Start, tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    secret.write_text("wr0ng\n")
    port = mosquitto("allow_anonymous false", f"password_file {passwords}").port
    login = {"mqtt.username": "edge", "mqtt.password_file": secret}
    assert_ends_with_one_line(tmp_path, port, WRONG_MODEL | login)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_for_the_broker(tmp_path: Path, number: int) -> None:
    with silent_broker() as (server, port), sensor(tmp_path, port, WRONG_MODEL) as daemon:
        peer, _ = server.accept()
        with peer:
            peer.recv(1)  # from now on, the service waits for an answer
            code, took_s = daemon.stop(number)
    assert code == 78
    assert took_s < STOP_LIMIT_S


def test_a_working_sensor_replaces_the_problem_of_a_failed_one_with_the_same_id(
    mosquitto: Start, tmp_path: Path
) -> None:
    """This happens when a user starts the sensor by hand while the service is running."""
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, WALK) as daemon:
        heard.topic("keypoints")
        assert_ends_with_one_line(tmp_path, port, WRONG_MODEL)
        heard.listen(lambda message: b'"problem":"model.name: ' in message.payload)
        heard.topic("status", b"online")
        info = json.loads(heard.topic("info").payload)
        assert info["problem"] is None
        assert daemon.process.poll() is None
