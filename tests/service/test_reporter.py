"""What the daemon says of its camera, with a broker and a systemd that only listen."""

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.config import Camera, Config
from edge.inference.accelerator import Loaded
from edge.inference.fallback import Failover
from edge.models.catalogue import ModelFile
from edge.mqtt.messages import Topics
from edge.pipeline.pipeline import Network, Result
from edge.service.info import Profile
from edge.service.reporter import Daemon, Sensor
from edge.types import CameraMode, Message
from tests.support.fakes import ListSource, PaintedRuntime, blank_frame

STALL_S = 5.0
GRANTED = CameraMode("imx708", "BGR888", 470, 352, 15.0, "continuous")


class Listener:
    """Broker and systemd at once: keeps what it is told."""

    watchdog_interval_s = 1.0
    dropped = 0

    def __init__(self) -> None:
        self.connection = SimpleNamespace(connected=True, connects=1, failure=None, was_tried=lambda: True)
        self.messages: list[Message] = []
        self.states: list[str] = []

    def publish(self, message: Message) -> None:
        self.messages.append(message)

    publish_retained = publish

    def has_room(self) -> bool:
        return True

    def send(self, *states: str) -> None:
        self.states += states

    def all(self, topic: str) -> list[Any]:
        return [json.loads(message.payload) for message in self.messages if message.topic.endswith(f"/{topic}")]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def source() -> ListSource:
    return ListSource([])


@pytest.fixture
def daemon(listener: Listener, source: ListSource) -> Daemon:
    model = ModelFile("posenet", Path("posenet.tflite"), "0" * 64, b"", verified=True)
    config = Config(camera=Camera(source="picamera2", stall_s=STALL_S))
    network = Network(PaintedRuntime({}, (353, 481)), lambda _: pytest.fail("nothing is decoded here"))
    topics, failover = Topics("edge-pose", "test"), Failover(Loaded(model, network), "test")
    profile = Profile(config, topics, failover, source)
    sensor: Any = (config, failover, source, listener, topics, profile)
    systemd: Any = listener
    return Daemon(Sensor(*sensor), systemd, interrupted=lambda: False)


def result(sequence: int, *, age_s: float | None = None) -> Result:
    now_s = time.monotonic()
    frame = replace(blank_frame(sequence), monotonic_s=now_s - (age_s or 0), dated=age_s is not None)
    return Result(frame, [], now_s, 0.01)


def test_a_stall_and_its_end_are_said_at_once_and_once(daemon: Daemon, listener: Listener, source: ListSource) -> None:
    source.waiting = True
    daemon.frame_done(result(0))
    daemon.tick(time.monotonic())
    for after_s in (STALL_S - 1, STALL_S + 1, STALL_S + 2):
        daemon.tick(time.monotonic() + after_s)
    source.reopened = 1
    daemon.frame_done(result(1))
    for _ in range(2):
        daemon.tick(time.monotonic())
    told = [(health["camera"], health["camera_reopened"]) for health in listener.all("health")]
    assert told == [("ok", 0), ("stalled", 0), ("ok", 1)]
    assert [message["seq"] for message in listener.all("keypoints")] == [0, 1]
    assert any("the camera is silent" in state for state in listener.states)


def test_a_stall_is_said_when_the_broker_is_back(daemon: Daemon, listener: Listener, source: ListSource) -> None:
    source.waiting = True
    daemon.frame_done(result(0))
    daemon.tick(time.monotonic())
    listener.connection.connected = False
    daemon.tick(time.monotonic() + STALL_S + 1)
    assert len(listener.all("health")) == 1
    listener.connection.connected = True
    daemon.tick(time.monotonic() + STALL_S + 2)
    assert len(listener.all("health")) == 2


def test_a_network_that_hangs_is_no_fault_of_the_camera(daemon: Daemon, listener: Listener, source: ListSource) -> None:
    daemon.frame_done(result(0))
    for waiting in (False, True):
        source.waiting = waiting
        daemon.report(time.monotonic() + STALL_S + 1)
    assert [health["camera"] for health in listener.all("health")] == ["ok", "stalled"]


def test_what_was_granted_is_in_info_as_soon_as_it_is_known(
    daemon: Daemon, listener: Listener, source: ListSource
) -> None:
    source.mode = GRANTED
    daemon.frame_done(result(0))
    daemon.frame_done(result(1))
    source.mode = replace(GRANTED, fps=10.0)
    daemon.frame_done(result(2))
    told = [info["camera"]["granted"] for info in listener.all("info")]
    first = {
        "model": "imx708",
        "format": "BGR888",
        "pixels": {"width": 470, "height": 352},
        "fps": 15.0,
        "autofocus": "continuous",
    }
    assert told == [first, {**first, "fps": 10.0}]


def test_the_age_of_a_frame_is_said_where_the_sensor_tells_it(daemon: Daemon, listener: Listener) -> None:
    daemon.frame_done(result(0, age_s=0.25))
    daemon.report(time.monotonic())
    daemon.frame_done(result(1))
    daemon.report(time.monotonic())
    assert [health["frame_age_ms"] for health in listener.all("health")] == [250.0, None]


def test_of_a_camera_that_is_silent_nothing_is_said_again(
    daemon: Daemon, listener: Listener, source: ListSource
) -> None:
    daemon.frame_done(result(0, age_s=0.25))
    daemon.report(time.monotonic())
    source.waiting = True
    daemon.report(time.monotonic() + STALL_S + 1)
    before, after = listener.all("health")
    assert before["latency_ms"]["inference"]
    assert before["latency_ms"]["total"]
    assert after["latency_ms"] == {"inference": None, "total": None}
    assert after["frame_age_ms"] is None


def test_waiting_for_a_camera_is_no_hang(daemon: Daemon, listener: Listener, source: ListSource) -> None:
    daemon.frame_done(result(0))
    before = listener.states.count("WATCHDOG=1")
    daemon.tick(time.monotonic() + 10)
    assert listener.states.count("WATCHDOG=1") == before
    source.waiting = True
    daemon.tick(time.monotonic() + 20)
    assert listener.states.count("WATCHDOG=1") == before + 1
