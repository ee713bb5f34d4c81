"""The Edge TPU and its failures, as somebody sees them who has nothing but MQTT; with a stand-in for libedgetpu."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.scenes.scenes import open_scene
from edge.types import Message
from tests.support.brokers import Mosquitto
from tests.support.delegate import StandIn
from tests.support.sensor import Ear, Sensor, ear, run_edge, sensor

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


@contextmanager
def running(folder: Path, port: int, home: dict[str, str], **settings: object) -> Iterator[tuple[Sensor, Ear]]:
    wanted = {
        "camera.source": "synthetic:walk", "camera.fps": 0, "inference.retry_s": 1, "mqtt.heartbeat_s": 1,
        **{key.replace("__", "."): value for key, value in settings.items()},
    }  # fmt: skip
    with ear(port) as heard, sensor(folder, port, wanted, home) as daemon:
        yield daemon, heard


def backend(heard: Ear, name: str, words: str = "") -> str:
    """Wait for an `info` with that backend, and with these words in its reason; returns the reason."""

    def told(message: Message) -> bool:
        if not message.topic.endswith("/info"):
            return False
        said = json.loads(message.payload)["backend"]
        return said["name"] == name and words in said["reason"]

    reason: str = json.loads(heard.listen(told).payload)["backend"]["reason"]
    return reason


def assert_no_frame_is_missing_or_wrong(heard: Ear) -> None:
    painter = open_scene("walk", width=640, height=480)
    messages = heard.all("keypoints")
    assert [message["seq"] for message in messages] == list(range(len(messages)))
    errors, ids = [], set()
    for message in messages:
        (person,) = painter.truth(message["seq"])
        for pose in message["poses"]:
            ids.add(pose["id"])
            seen = [k for k in pose["keypoints"] if person.visible[k["index"]]]
            errors += [np.hypot(*(person.xy[k["index"]] - (k["x"], k["y"]))) for k in seen]
    assert np.mean(errors) < 15
    assert ids <= {None, 1}, "tracking goes on"


def test_auto_uses_the_edge_tpu_and_says_so(mosquitto: Start, tmp_path: Path, home: dict[str, str]) -> None:
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        heard.topic("info")
        first = heard.all("info")[0]
        for _ in range(20):
            heard.topic("keypoints")
        heard.topic("health")
        assert daemon.stop()[0] == 0
    assert first["backend"] == {"name": "edgetpu", "reason": "inference.device = auto; it is there and works"}
    assert first["model"]["name"] == "tpu"
    assert "standin.so" in first["runtime"]["name"]
    assert heard.all("health")[-1]["backend_reason"] == first["backend"]["reason"]
    assert_no_frame_is_missing_or_wrong(heard)
    (record,) = (tmp_path / "state/edge-pose").iterdir()
    assert json.loads(record.read_bytes())["in_use"] is False


FAILURES = [
    ("load fail", "opened no Edge TPU (stand-in: no device)"),
    ("load crash", "crashed when it was tried (SIGSEGV)"),
    ("load exit", "crashed when it was tried (exit code 3)"),
    ("prepare fail", "requires runtime version (14)"),
    ("prepare crash", "crashed when it was tried (SIGSEGV)"),
    ("1 fail", "failed while it computed (stand-in: transfer 1 failed)"),
    ("1 crash", "crashed when it was tried (SIGSEGV)"),
]


@pytest.mark.parametrize(("plan", "reason"), FAILURES, ids=[plan for plan, _ in FAILURES])
def test_auto_starts_on_the_cpu_with_the_reason_and_comes_back(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, plan: str, reason: str
) -> None:
    standin.will(plan)
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        said = backend(heard, "cpu")
        assert reason in said
        assert said.startswith("inference.device = auto; ")
        assert said.endswith("; it is tried again every 1 s")
        heard.topic("keypoints")
        assert json.loads(heard.topic("health").payload)["backend_reason"] == said
        standin.will()
        backend(heard, "edgetpu")
        heard.topic("keypoints")
        assert reason in daemon.log
        assert "the Edge TPU is used from now on" in daemon.log
        assert daemon.stop()[0] == 0
    assert_no_frame_is_missing_or_wrong(heard)


def test_a_failure_in_the_middle_costs_no_frame(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    """First it is opened again, the next time the CPU takes over, and then the Edge TPU is found once more."""
    standin.will("20 fail")
    with running(tmp_path, mosquitto().port, home, inference__retry_s=6) as (daemon, heard):
        assert backend(heard, "edgetpu").endswith("it is there and works")
        again = backend(heard, "edgetpu", "opened again at 20")
        assert "transfer 20 failed" in again
        lost = backend(heard, "cpu")
        assert "on the CPU since 20" in lost
        assert "transfer 20 failed); check its cable and power supply; it is tried again every 6 s" in lost
        standin.will("load fail")
        health = json.loads(heard.topic("health").payload)
        assert (health["backend"], health["backend_reason"]) == ("cpu", lost)
        still = backend(heard, "cpu", "; now: ")
        assert "transfer 20 failed" in still
        assert "no device" in still
        standin.will()
        backend(heard, "edgetpu")
        for _ in range(20):
            heard.topic("keypoints")
        assert daemon.stop()[0] == 0
    assert_no_frame_is_missing_or_wrong(heard)


def test_unplugged_for_good(mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn) -> None:
    """It fails, and cannot be opened again."""
    standin.will("30 fail")
    with running(tmp_path, mosquitto().port, home) as (_, heard):
        backend(heard, "edgetpu")
        standin.will("load fail")
        lost = backend(heard, "cpu")
        assert "transfer 30 failed" in lost
        assert "could not be opened again: " in lost
        for _ in range(10):
            heard.topic("keypoints")
    assert_no_frame_is_missing_or_wrong(heard)


def test_a_reopening_that_hangs_costs_no_frame(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("30 fail")
    with running(tmp_path, mosquitto().port, home, inference__retry_s=60) as (daemon, heard):
        backend(heard, "edgetpu")
        standin.will("load hang")
        lost = backend(heard, "cpu")
        assert "transfer 30 failed); check its cable and power supply; it is still being opened again, since 20" in lost
        for _ in range(10):
            heard.topic("keypoints")
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 2
    assert_no_frame_is_missing_or_wrong(heard)


def test_what_stops_every_thread_ends_the_daemon_and_counts_as_a_crash(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("30 fail")
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        backend(heard, "edgetpu")
        standin.will("prepare hang")
        assert daemon.process.wait(40) == 1
        heard.topic("status", b"offline")
    standin.will()
    with running(tmp_path, mosquitto().port, home) as (_, heard):
        assert "this program died once while the Edge TPU was in use" in backend(heard, "edgetpu")


def test_three_crashes_and_it_is_left_alone(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("9 crash")
    for crashes in range(3):
        with running(tmp_path, mosquitto().port, home) as (daemon, heard):
            said = backend(heard, "edgetpu")
            assert ("died" in said) == (crashes > 0)
            assert daemon.process.wait(30) == -signal.SIGSEGV
            heard.topic("status", b"offline")
    diary = standin.diary
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        said = backend(heard, "cpu")
        assert "left alone until 20" in said
        assert "died 3 times within 10 minutes" in said
        assert "reboot, or delete " in said
        time.sleep(2.5)
        assert daemon.stop()[0] == 0
    assert standin.diary == diary
    assert said in daemon.log
    (record,) = (tmp_path / "state/edge-pose").iterdir()
    assert str(record) in said
    record.unlink()
    standin.will()
    with running(tmp_path, mosquitto().port, home) as (_, heard):
        assert backend(heard, "edgetpu").endswith("it is there and works")


def test_a_hang_ends_the_daemon_and_counts_as_a_crash(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("9 hang")
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        assert "; it has not answered since 20" in backend(heard, "edgetpu", "not answered")
        said = backend(heard, "edgetpu", "the daemon ended at 20")
        assert "the Edge TPU has not answered for 15 s" in said
        assert daemon.process.wait(20) == 1
        heard.topic("status", b"offline")
        assert {health["camera"] for health in heard.all("health")} == {"ok"}
        assert heard.all("health")[-1]["backend_reason"] == said
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        said = backend(heard, "edgetpu")
        assert "this program died once while the Edge TPU was in use, last at 20" in said
        heard.topic("keypoints")
        time.sleep(1)
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 2, "a hang does not keep it from stopping"


@pytest.mark.parametrize("device", ["auto", "edgetpu"])
def test_a_hang_at_the_start_does_not_keep_it_from_stopping(
    tmp_path: Path, home: dict[str, str], standin: StandIn, *, device: str
) -> None:
    standin.will("load hang")
    with sensor(tmp_path, 1, {"camera.source": "synthetic:walk", "inference.device": device}, home) as daemon:
        while not standin.diary:
            time.sleep(0.05)
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 2


@pytest.mark.parametrize("action", ["hang", "crash"])
def test_what_the_library_does_at_the_end_is_nobody_s_concern(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, action: str
) -> None:
    standin.will("30 fail")
    with running(tmp_path, mosquitto().port, home, inference__retry_s=60) as (daemon, heard):
        backend(heard, "edgetpu")
        standin.will(f"destroy {action}")
        backend(heard, "edgetpu", "opened again")
        heard.topic("keypoints")
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 2
        heard.topic("status", b"offline")


def test_a_record_of_crashes_that_cannot_be_used_stops_nothing(
    mosquitto: Start, tmp_path: Path, home: dict[str, str]
) -> None:
    folder = tmp_path / "state/edge-pose"
    folder.mkdir(parents=True)
    (folder / "edge-tpu-test.json").write_bytes(b"\xff{")
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        backend(heard, "edgetpu")
        assert "cannot be used" in daemon.log
    (tmp_path / "file").touch()
    with running(tmp_path, mosquitto().port, home | {"STATE_DIRECTORY": str(tmp_path / "file/folder")}) as (
        daemon,
        heard,
    ):
        backend(heard, "edgetpu")
        assert "cannot be written" in daemon.log


def test_auto_without_a_model_for_it_or_without_a_coral(mosquitto: Start, tmp_path: Path, home: dict[str, str]) -> None:
    with running(tmp_path, mosquitto().port, home | {"XDG_DATA_HOME": str(tmp_path / "none")}) as (_, heard):
        assert "models fetch posenet-edgetpu-353-481" in backend(heard, "cpu")
    home["EDGE_POSE_INFERENCE__LIBRARY"] = "libedgetpu.so.1"
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        said = backend(heard, "cpu")
        assert re.search(r"; on the CPU since 20.* UTC, because no Coral Edge TPU is to be seen .*; it is tried ", said)
        assert said in daemon.log
        assert "WARNING" not in daemon.log, "as most machines have none"


@pytest.mark.parametrize(("plan", "reason"), FAILURES, ids=[plan for plan, _ in FAILURES])
def test_edgetpu_does_not_fall_back(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, plan: str, reason: str
) -> None:
    standin.will(plan)
    with running(tmp_path, mosquitto().port, home, inference__device="edgetpu:usb:1") as (daemon, _):
        assert daemon.process.wait(30) == 1
    (said,) = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert reason in said
    assert "Traceback" not in daemon.log
    assert all(line.endswith(" device=usb:1") for line in standin.diary if " load" in line)


def test_edgetpu_is_opened_again_once_and_then_it_ends(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("12 fail")
    with running(tmp_path, mosquitto().port, home, inference__device="edgetpu", inference__retry_s=60) as (
        daemon,
        heard,
    ):
        assert backend(heard, "edgetpu") == "inference.device = edgetpu"
        backend(heard, "edgetpu", "opened again")
        assert daemon.process.wait(30) == 1
        heard.topic("status", b"offline")
    (said,) = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert "transfer 12 failed" in said
    last = heard.all("info")[-1]["backend"]
    assert last["name"] == "edgetpu"
    assert "; the daemon ended at 20" in last["reason"]
    assert last["reason"].endswith(f" UTC, because {said.removeprefix('edge-pose: ')}")
    opened = [line.split()[1] for line in standin.diary if line.startswith(f"{daemon.process.pid} ")]
    assert opened[:3] == ["load", "destroy", "load"], "it lets go of the device before it asks for it again"
    assert_no_frame_is_missing_or_wrong(heard)


def test_edgetpu_without_a_model_is_the_configuration_s_fault(tmp_path: Path, home: dict[str, str]) -> None:
    settings = {"EDGE_POSE_MQTT__HOST": "127.0.0.1", "EDGE_POSE_INFERENCE__DEVICE": "edgetpu"}
    ended = run_edge(
        "run", "--config", "/dev/null", environ=home | settings | {"XDG_DATA_HOME": str(tmp_path / "none")}
    )
    assert ended.returncode == 78
    assert "models fetch posenet-edgetpu-353-481" in ended.stderr


def test_check_tries_it_too(tmp_path: Path, home: dict[str, str], standin: StandIn) -> None:
    config = tmp_path / "edge-pose.toml"
    config.write_text('[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')

    def model(device: str, *options: str) -> dict[str, Any]:
        environ = home | {"EDGE_POSE_INFERENCE__DEVICE": device}
        found = json.loads(run_edge("check", "--config", str(config), "--json", *options, environ=environ).stdout)
        (one,) = (one for one in found if one["check"] == "model")
        return dict(one)

    assert model("auto")["detail"].endswith("The Edge TPU works too, and takes over")
    assert "standin.so" in model("edgetpu")["detail"]
    standin.will("load crash")
    auto, edgetpu = model("auto"), model("edgetpu")
    assert (auto["ok"], edgetpu["ok"]) == (True, False)
    assert "On the CPU, because " in auto["detail"]
    for one in (auto, edgetpu):
        assert "crashed when it was tried (SIGSEGV)" in one["detail"]
    for device in ("auto", "edgetpu"):  # which a daemon may be using, when it is asked to reload
        assert model(device, "--offline")["ok"]
