"""The Edge TPU and its failures, observed over MQTT. The library is a stand-in that fails on purpose."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.types import Message
from tests.support.brokers import Mosquitto
from tests.support.delegate import StandIn
from tests.support.scenes import scene
from tests.support.sensor import STOP_LIMIT_S, Ear, Sensor, ear, run_edge, sensor
from tests.support.waiting import LONG_S, until

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


def backend(heard: Ear, name: str, code: str = "", words: str = "") -> dict[str, str]:
    """Wait for an `info` whose backend has this name and code, and whose reason contains `words`."""

    def matches(message: Message) -> bool:
        if not message.topic.endswith("/info"):
            return False
        found = json.loads(message.payload)["backend"]
        return found["name"] == name and code in ("", found["code"]) and words in found["reason"]

    return dict(json.loads(heard.listen(matches).payload)["backend"])


def keypoints(heard: Ear, count: int) -> None:
    for _ in range(count):
        heard.topic("keypoints")


def assert_no_frame_is_missing_or_wrong(heard: Ear) -> None:
    painter = scene("walk")
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
    assert ids <= {None, 1}, "tracking continues"


def test_auto_uses_the_edge_tpu_and_publishes_that(mosquitto: Start, tmp_path: Path, home: dict[str, str]) -> None:
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        heard.topic("info")
        first = heard.all("info")[0]
        keypoints(heard, 20)
        heard.topic("health")
        assert daemon.stop()[0] == 0
    assert (first["backend"]["name"], first["backend"]["code"]) == ("edgetpu", "ready")
    assert first["backend"]["reason"].startswith("inference.device = auto; the Edge TPU works; since ")
    assert first["model"]["name"] == "tpu"
    assert "standin.so" in first["runtime"]["name"]
    health = heard.all("health")[-1]
    assert (health["backend_code"], health["backend_reason"]) == ("ready", first["backend"]["reason"])
    assert_no_frame_is_missing_or_wrong(heard)
    kept = {path.name for path in (tmp_path / "state").iterdir()}
    assert kept <= {"test.open_events.json", "test.home_assistant.json"}, "nothing about the Edge TPU is kept on disk"


LOADING = [
    ("load fail", "refused", "opened no device (stand-in: no device)"),
    ("load crash", "crashed", "crashed during loading (SIGSEGV)"),
    ("load exit", "exited", "(exit code 3)"),
    ("prepare fail", "incompatible", "requires runtime version (14)"),
    ("prepare crash", "crashed", "crashed during loading (SIGSEGV)"),
    ("1 fail", "failed", "inference failed (stand-in: transfer 1 failed)"),
    ("1 crash", "crashed", "crashed during loading (SIGSEGV)"),
]


@pytest.mark.parametrize(("plan", "code", "reason"), LOADING, ids=[plan for plan, *_ in LOADING])
def test_auto_starts_on_the_cpu_with_a_reason_and_switches_to_the_edge_tpu_later(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, plan: str, code: str, reason: str
) -> None:
    standin.will(plan)
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        found = backend(heard, "cpu", code, reason)
        assert found["reason"].startswith("inference.device = auto; on the CPU: ")
        heard.topic("keypoints")
        health = json.loads(heard.topic("health").payload)
        assert (health["backend_code"], health["backend_reason"]) == (code, found["reason"])
        standin.will()
        backend(heard, "edgetpu", "ready")
        heard.topic("keypoints")
        assert reason in daemon.log
        assert "the Edge TPU is used from now on" in daemon.log
        assert daemon.stop()[0] == 0
    assert_no_frame_is_missing_or_wrong(heard)


INFERENCE = [
    ("20 fail", "failed", "stand-in: transfer 20 failed"),
    ("20 crash", "crashed", "crashed during an inference (SIGSEGV)"),
    ("20 exit", "exited", "ended its process during an inference (exit code 3)"),
    ("20 leave", "exited", "ended its process during an inference (exit code 0)"),
    ("20 hang", "hung", "did not answer for 3 s during an inference"),
]


@pytest.mark.parametrize(("plan", "code", "reason"), INFERENCE, ids=[plan for plan, *_ in INFERENCE])
def test_a_failure_during_an_inference_costs_no_frame(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, plan: str, code: str, reason: str
) -> None:
    """The CPU processes the same frame, `info` and `health` give the reason, and the Edge TPU is used again later."""
    standin.will(plan)
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        backend(heard, "edgetpu", "ready")
        lost = backend(heard, "cpu", code)
        assert reason in lost["reason"]
        standin.will()
        again = backend(heard, "edgetpu", "ready", "it failed once before")
        assert reason in again["reason"]
        keypoints(heard, 25)
        code_of_stop, took_s = daemon.stop()
        assert code_of_stop == 0
        assert took_s < STOP_LIMIT_S
        assert {health["camera"] for health in heard.all("health")} == {"ok"}
        statuses = [message.payload for message in heard.heard if message.topic.endswith("/status")]
        assert statuses == [b"online"]
    assert_no_frame_is_missing_or_wrong(heard)


@pytest.mark.parametrize("stage", ["load", "prepare"])
def test_a_hanging_restart_costs_no_frame_and_does_not_delay_a_stop(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, stage: str
) -> None:
    """The stand-in can even block every thread of its process."""
    standin.will("30 fail")
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        backend(heard, "edgetpu")
        standin.will(f"{stage} hang")
        backend(heard, "cpu", "failed")
        until(lambda: standin.hangs)
        keypoints(heard, 30)
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < STOP_LIMIT_S
    assert_no_frame_is_missing_or_wrong(heard)


def test_repeated_crashes_are_counted_and_no_frame_is_lost(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("9 crash")
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        backend(heard, "edgetpu", "ready", "it failed 3 times before")
        backend(heard, "cpu", "crashed")
        assert daemon.stop()[0] == 0
    assert_no_frame_is_missing_or_wrong(heard)


def test_output_of_the_library_does_no_harm(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("load flood", "5 flood", "6 babble")
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        backend(heard, "edgetpu", "ready")
        keypoints(heard, 10)
        assert daemon.stop()[0] == 0
        assert "a line of a flood" not in daemon.log
    assert {info["backend"]["code"] for info in heard.all("info")} == {"ready"}
    assert_no_frame_is_missing_or_wrong(heard)


def test_auto_without_a_model_for_the_edge_tpu_names_the_command(
    mosquitto: Start, tmp_path: Path, home: dict[str, str]
) -> None:
    with running(tmp_path, mosquitto().port, home | {"XDG_DATA_HOME": str(tmp_path / "none")}) as (_, heard):
        assert "models fetch posenet-edgetpu-353-481" in backend(heard, "cpu", "no_model")["reason"]


def test_auto_without_a_coral_causes_no_warning(mosquitto: Start, tmp_path: Path, home: dict[str, str]) -> None:
    home["EDGE_POSE_INFERENCE__LIBRARY"] = "libedgetpu.so.1"
    with running(tmp_path, mosquitto().port, home) as (daemon, heard):
        assert "no Edge TPU is visible on USB or as /dev/apex_0" in backend(heard, "cpu", "absent")["reason"]
        daemon.wait_for_log("runs on the CPU")
        assert "WARNING" not in daemon.log


@pytest.mark.parametrize(("plan", "reason"), [(plan, reason) for plan, _, reason in LOADING])
def test_a_named_edge_tpu_does_not_fall_back(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn, *, plan: str, reason: str
) -> None:
    standin.will(plan)
    with running(tmp_path, mosquitto().port, home, inference__device="edgetpu:usb:1") as (daemon, _):
        assert daemon.process.wait(LONG_S) == 1
    (error,) = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert reason in error
    assert "Traceback" not in daemon.log
    assert all(line.endswith(" device=usb:1") for line in standin.diary if " load" in line)


def test_a_named_edge_tpu_is_reopened_once_and_then_the_service_ends(
    mosquitto: Start, tmp_path: Path, home: dict[str, str], standin: StandIn
) -> None:
    standin.will("12 crash")
    settings = {"inference__device": "edgetpu", "inference__retry_s": 60}
    with running(tmp_path, mosquitto().port, home, **settings) as (daemon, heard):
        assert backend(heard, "edgetpu", "configured")["reason"] == "inference.device = edgetpu"
        backend(heard, "edgetpu", "ready", "it was opened again after")
        assert daemon.process.wait(LONG_S) == 1
        heard.topic("status", b"offline")
    (error,) = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert "crashed during an inference (SIGSEGV)" in error
    last = heard.all("info")[-1]
    assert (last["backend"]["name"], last["backend"]["code"]) == ("edgetpu", "crashed")
    assert error.removeprefix("edge-pose: ") in last["problem"]
    assert_no_frame_is_missing_or_wrong(heard)


@pytest.mark.parametrize("device", ["auto", "edgetpu"])
def test_a_hang_at_the_start_does_not_delay_a_stop(
    tmp_path: Path, home: dict[str, str], standin: StandIn, *, device: str
) -> None:
    standin.will("load hang")
    with sensor(tmp_path, 1, {"camera.source": "synthetic:walk", "inference.device": device}, home) as daemon:
        until(lambda: standin.hangs)
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < STOP_LIMIT_S


def test_a_named_edge_tpu_without_a_model_is_a_configuration_error(tmp_path: Path, home: dict[str, str]) -> None:
    settings = {"EDGE_POSE_MQTT__HOST": "127.0.0.1", "EDGE_POSE_INFERENCE__DEVICE": "edgetpu"}
    ended = run_edge(
        "run", "--config", "/dev/null", environ=home | settings | {"XDG_DATA_HOME": str(tmp_path / "none")}
    )
    assert ended.returncode == 78
    assert "models fetch posenet-edgetpu-353-481" in ended.stderr


def test_check_also_opens_the_edge_tpu(tmp_path: Path, home: dict[str, str], standin: StandIn) -> None:
    config = tmp_path / "edge-pose.toml"
    config.write_text('[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')

    def model(device: str, *options: str) -> dict[str, Any]:
        environ = home | {"EDGE_POSE_INFERENCE__DEVICE": device}
        found = json.loads(run_edge("check", "--config", str(config), "--json", *options, environ=environ).stdout)
        (one,) = (one for one in found if one["check"] == "model")
        return dict(one)

    assert "The Edge TPU works too" in model("auto")["detail"]
    assert "standin.so" in model("edgetpu")["detail"]
    standin.will("load crash")
    auto, edgetpu = model("auto"), model("edgetpu")
    assert (auto["ok"], edgetpu["ok"]) == (True, False)
    assert "Not on the Edge TPU: " in auto["detail"]
    for one in (auto, edgetpu):
        assert "crashed during loading (SIGSEGV)" in one["detail"]
    for device in ("auto", "edgetpu"):  # before a reload, the running service is using the Edge TPU
        assert model(device, "--offline")["ok"]
