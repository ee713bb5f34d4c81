"""Requests over MQTT: the whole daemon with a real broker."""

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.mqtt.topics import Topics
from tests.docs.pages import Page
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import Ear, Sensor, ear, sensor
from tests.support.systemd import Systemd

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

TOPICS = Topics("edge-pose", "test")
WALK = {"camera.source": "synthetic:walk", "mqtt.heartbeat_s": 1}


@contextmanager
def running(
    tmp_path: Path, port: int, settings: dict[str, object], environ: dict[str, str] | None = None
) -> Iterator[tuple[Sensor, Ear]]:
    with ear(port) as heard, sensor(tmp_path, port, settings, environ) as daemon:
        heard.topic("status", b"online")
        yield daemon, heard
        if daemon.process.poll() is None:
            daemon.assert_stops()


def ask(heard: Ear, request: str) -> dict[str, Any]:
    """The answer to a request."""
    transaction = f"{request} {len(heard.heard)}"
    heard.say(TOPICS.command("request", request), json.dumps({"transaction": transaction}))
    answer = json.loads(heard.topic(f"response/{request}").payload)
    assert answer["transaction"] == transaction
    return answer  # type: ignore[no-any-return]


def wait_for_a_person(heard: Ear) -> None:
    heard.listen(lambda one: one.topic == TOPICS.state and json.loads(one.payload)["people"] == 1)


def test_people_are_answered_while_the_camera_is_on(mosquitto: Start, tmp_path: Path) -> None:
    with running(tmp_path, mosquitto().port, WALK) as (_, heard):
        wait_for_a_person(heard)
        answer = ask(heard, "people")
        (someone,) = answer["data"]["persons"]
        state = json.loads(heard.topic("state").payload)
        assert (answer["status"], someone["id"]) == ("ok", state["persons"][0]["id"])
        assert someone["since"] == state["persons"][0]["since"]
        heard.say(TOPICS.command("set", "enabled"), "OFF")
        heard.topic("setting/enabled", b"OFF")
        refused = ask(heard, "people")
        assert (refused["status"], refused["data"]) == ("error", None)


def test_a_fall_is_cleared_on_request_and_the_state_follows(mosquitto: Start, tmp_path: Path) -> None:
    config = {"camera.source": "synthetic:fall", "camera.fps": 15, "fall.confirm_s": 0.5, "mqtt.heartbeat_s": 1}
    with running(tmp_path, mosquitto().port, config) as (_, heard):
        heard.listen(lambda one: one.topic == TOPICS.state and json.loads(one.payload)["fall"] is True)
        assert ask(heard, "clear_fall")["data"] == {"falls": 1}
        (cleared,) = [event for event in heard.all("event/fall") if event["event_type"] == "cleared"]
        assert cleared["reasons"] == ["cleared by request"]
        heard.listen(lambda one: one.topic == TOPICS.state and json.loads(one.payload)["fall"] is False)
        assert ask(heard, "clear_fall")["data"] == {"falls": 0}
        heard.say(TOPICS.command("set", "fall"), "OFF")
        heard.topic("setting/fall", b"OFF")
        assert ask(heard, "clear_fall")["status"] == "error"


def test_a_snapshot_shows_the_keypoints_of_its_frame(mosquitto: Start, tmp_path: Path) -> None:
    config = {**WALK, "camera.source": "synthetic:three", "camera.width": 320, "camera.height": 240}
    with running(tmp_path, mosquitto().port, config) as (_, heard):
        heard.listen(lambda one: one.topic == TOPICS.state and json.loads(one.payload)["people"] == 3)
        answer = ask(heard, "snapshot")["data"]
        (message,) = (one for one in heard.heard if one.topic == TOPICS.snapshot)
        heard.topic("keypoints")  # that of the frame has come by now
        (frame,) = (one for one in heard.all("keypoints") if one["seq"] == answer["seq"])
        assert (answer["width"], answer["height"], answer["bytes"]) == (640, 480, len(message.payload))
        assert answer["people"] == len(frame["poses"]) == 3
        with Pillow.open(io.BytesIO(message.payload)) as picture:
            drawn = np.asarray(picture)
        assert drawn.shape == (480, 640, 3)
        for pose in frame["poses"]:
            for point in pose["keypoints"]:
                x, y = round(2 * point["x"] + 0.5), round(2 * point["y"] + 0.5)
                assert drawn[min(y, 479), min(x, 639)].any(), point
        drawn_share = drawn.any(axis=-1).mean()
        assert 0.01 < drawn_share < 0.2, "the rest is black: no pixel comes from the camera"


def test_snapshots_come_by_themselves_while_people_move_and_when_the_camera_is_switched_off(
    mosquitto: Start, tmp_path: Path
) -> None:
    with running(tmp_path, mosquitto().port, {**WALK, "mqtt.snapshot_s": 0.2}) as (_, heard):
        wait_for_a_person(heard)
        heard.topics("snapshot", 3)
        heard.say(TOPICS.command("set", "enabled"), "OFF")
        heard.topic("setting/enabled", b"OFF")
        heard.topics("health", 3)
        before = sum(one.topic == TOPICS.snapshot for one in heard.heard)
        heard.topics("health", 2)
        assert sum(one.topic == TOPICS.snapshot for one in heard.heard) == before
        answer = ask(heard, "snapshot")["data"]
        assert (answer["camera"], answer["people"], answer["seq"]) == ("off", None, None)


def test_a_restart_without_systemd_is_answered_and_runs_the_program_again(mosquitto: Start, tmp_path: Path) -> None:
    with running(tmp_path, mosquitto().port, WALK) as (daemon, heard):
        heard.topic("keypoints")
        assert ask(heard, "restart")["status"] == "ok"
        heard.topic("status", b"offline")
        heard.topic("status", b"online")
        assert ask(heard, "ping")["status"] == "ok"
        heard.topic("keypoints")
        daemon.wait_for_log("connected to", 2)
        assert daemon.process.poll() is None


def test_a_restart_under_systemd_is_answered_and_ends_the_process(
    mosquitto: Start, systemd: Systemd, tmp_path: Path
) -> None:
    with running(tmp_path, mosquitto().port, WALK, systemd.environ) as (daemon, heard):
        systemd.wait_for("READY=1")
        assert ask(heard, "restart")["status"] == "ok"
        systemd.wait_for("STOPPING=1")
        assert daemon.process.wait(60) == 0
        assert "Traceback" not in daemon.log
        heard.topic("status", b"offline")


def test_each_request_of_a_burst_is_answered_once_even_if_a_restart_is_among_them(
    mosquitto: Start, tmp_path: Path
) -> None:
    with running(tmp_path, mosquitto().port, WALK) as (_, heard):
        wait_for_a_person(heard)
        burst = ["snapshot", "snapshot", "people", "clear_fall", "snapshot", "ping", "snapshot", "restart"]
        for number, request in enumerate(burst):
            heard.say(TOPICS.command("request", request), json.dumps({"transaction": number}))
        heard.topic("status", b"offline")
        heard.topic("status", b"online")
        answers = [json.loads(one.payload) for one in heard.heard if "/response/" in one.topic]
        assert sorted(one["transaction"] for one in answers) == list(range(len(burst)))
        others = [one["status"] for one in answers if burst[one["transaction"]] != "snapshot"]
        assert set(others) == {"ok"}


def test_the_commands_of_the_page_work_when_they_are_pasted(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    commands = [line for line in Page("docs/mqtt.md").commands if "/hall/request/" in line and "mosquitto" in line]
    with running(tmp_path, port, {**WALK, "device.id": "hall"}) as (daemon, heard):
        heard.listen(lambda one: one.topic.endswith("/state") and json.loads(one.payload)["people"] == 1)
        answers = {}
        for command in commands:
            here = command.replace("-h 192.168.1.10", f"-h {LOOPBACK} -p {port}")
            assert here != command
            done = subprocess.run(["sh", "-c", here], cwd=tmp_path, check=True, capture_output=True, timeout=60)
            if done.stdout:
                answer = json.loads(done.stdout)
                assert answer["status"] == "ok", command
                answers[command.partition("/request/")[2].split()[0]] = answer
        assert set(answers) == {"ping", "people", "clear_fall"}
        assert answers["ping"]["transaction"] == 7
        assert len(answers["people"]["data"]["persons"]) == 1
        with Pillow.open(tmp_path / "hall.png") as picture:
            assert picture.size == (640, 480)
        daemon.wait_for_log("restarting by request")
        daemon.wait_for_log("connected to", 2)
