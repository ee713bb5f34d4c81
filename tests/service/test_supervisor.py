"""What the supervisor publishes and reports, and when, to a fake broker and a fake systemd."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from edge.config import Camera, Config
from edge.errors import ReasonCode
from edge.inference.fallback import OneNetwork
from edge.inference.network import Selected
from edge.inference.network import State as BackendState
from edge.mqtt.topics import Topics
from edge.pipeline.seams import Sink
from edge.recording.record import Recorder
from edge.rules.rules import Rules
from edge.service.event_store import EventStore
from edge.service.info import Facts
from edge.service.open_events import OpenEvents
from edge.service.reporter import Reporter
from edge.service.states import StateReporter
from edge.service.supervisor import Supervisor
from edge.types import CameraMode, Message, Person
from tests.support.contract import check
from tests.support.fakes import ListSource, PaintedRuntime, blank_frame
from tests.support.people import observation
from tests.support.pipelines import empty_update, network_of

STALL_S, HEARTBEAT_S = 5.0, 1000.0
WALL_S = 1_795_370_400.0
MODE = CameraMode("imx708", "BGR888", 470, 352, 15.0, "continuous")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Listener:
    """A fake publisher and a fake systemd in one: keeps what it gets."""

    watchdog_interval_s = 1.0
    dropped = 0
    tap: Callable[[Message], None] | None = None

    def __init__(self) -> None:
        self.connection = SimpleNamespace(connected=True, connects=1, problem="", failure=None, was_tried=lambda: True)
        self.messages: list[Message] = []
        self.states: list[str] = []

    def publish(self, message: Message, *, tapped: bool = True) -> bool:  # noqa: ARG002 - as of the real one
        check(message)
        self.messages.append(message)
        return True

    publish_retained = publish_kept = publish

    def send_kept(self) -> None:
        """Do nothing: nothing is kept."""

    def has_room(self) -> bool:
        return True

    def send(self, *states: str) -> None:
        self.states += states

    def all(self, topic: str) -> list[Any]:
        return [json.loads(message.payload) for message in self.messages if message.topic.endswith(f"/{topic}")]


class FakeGate:
    """A gate that is set by hand."""

    def __init__(self) -> None:
        self.idle = self.blind = False
        self.passed_over: deque[float] = deque()


class Running:
    """A supervisor and everything around it."""

    def __init__(
        self, rules: Rules | None = None, *, recorder: Recorder | None = None, store: EventStore | None = None
    ) -> None:
        self.gate = FakeGate()
        self.rules = rules or Rules()
        gate: Any = self.gate
        self.clock, self.listener, self.source = Clock(), Listener(), ListSource([])
        network = network_of(PaintedRuntime({}, (353, 481)), lambda _: pytest.fail("nothing is decoded here"))
        self.selector = OneNetwork(network, "cpu")
        config = Config(camera=Camera(source="picamera2", stall_s=STALL_S))
        fake: Any = self.listener
        self.reporter = Reporter(fake, Topics("edge-pose", "test"), max_rate_hz=0, wait_for_room=None)
        self.open_events = OpenEvents(self.rules, self.reporter, recorder=recorder, store=store)
        self.supervisor = Supervisor(
            facts=Facts(config, self.selector, self.source), source=self.source, selector=self.selector,
            publisher=fake, reporter=self.reporter, notifier=fake, gate=gate, open_events=self.open_events,
            states=StateReporter(fake, Topics("edge-pose", "test"), HEARTBEAT_S, self.clock), monotonic=self.clock,
        )  # fmt: skip
        self.sinks: list[Sink] = [self.supervisor, self.reporter, self.open_events, *([recorder] if recorder else [])]

    def frame(self, sequence: int, *people: Person, age_s: float | None = None) -> None:
        """A frame passes rules and sinks, and the clock ticks."""
        now_s = self.clock.now_s
        frame = replace(blank_frame(sequence), monotonic_s=now_s - (age_s or 0), dated=age_s is not None)
        at_s, wall_s = round(frame.monotonic_s, 3), round(WALL_S + now_s, 3)  # as the pipeline does
        seen = observation(sequence, *people, at_s=at_s, wall_s=wall_s)
        update = replace(empty_update(frame, now_s, 0.01), seen=seen, outcome=self.rules.update(seen))
        for sink in self.sinks:
            sink.publish(update)
        self.supervisor.tick()

    def pass_over(self, seconds: float) -> None:
        """Frames come that no network sees, every 0.25 s."""
        for _ in range(round(seconds / 0.25)):
            self.clock.now_s += 0.25
            self.gate.passed_over.append(self.clock.now_s)
            self.supervisor.tick()

    def wait(self, seconds: float) -> None:
        """Let time pass, with a tick every 0.25 s."""
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            self.clock.now_s += 0.25
            self.supervisor.tick()


@pytest.fixture
def running() -> Running:
    return Running()


def test_a_stall_and_its_end_are_reported_at_once_and_once(running: Running) -> None:
    running.source.waiting = True
    running.frame(0)
    running.wait(STALL_S + 3)
    running.source.reopened = 1
    running.frame(1)
    running.wait(1)
    reported = [(health["camera"], health["camera_reopened"]) for health in running.listener.all("health")]
    assert reported == [("ok", 0), ("stalled", 0), ("ok", 1)]
    assert [message["seq"] for message in running.listener.all("keypoints")] == [0, 1]
    assert any("the camera is silent" in state for state in running.listener.states)


def test_the_state_is_null_at_the_start_while_the_camera_is_stalled_and_at_the_end(running: Running) -> None:
    running.wait(1)
    running.source.waiting = True
    running.frame(0)
    running.wait(STALL_S + 3)
    running.frame(1)
    running.wait(1)
    running.supervisor.end("stopped")
    states = [(state["seq"], state["people"]) for state in running.listener.all("state")]
    assert states == [(None, None), (0, 0), (None, None), (1, 0), (None, None)]


def test_a_suspension_of_the_daemon_does_not_count_as_a_stall(running: Running) -> None:
    running.source.waiting = True
    running.frame(0)
    running.clock.now_s += 10 * STALL_S
    running.wait(STALL_S / 2)
    assert [health["camera"] for health in running.listener.all("health")] == ["ok"]
    running.wait(STALL_S)
    assert running.listener.all("health")[-1]["camera"] == "stalled"


def test_a_stall_is_reported_when_the_broker_is_back(running: Running) -> None:
    running.source.waiting = True
    running.frame(0)
    running.listener.connection.connected = False
    running.wait(STALL_S + 1)
    assert len(running.listener.all("health")) == 1
    running.listener.connection.connected = True
    running.wait(0.25)
    assert [health["camera"] for health in running.listener.all("health")] == ["ok", "stalled"]


def test_a_slow_network_does_not_count_as_a_stall_of_the_camera(running: Running) -> None:
    running.frame(0)
    running.wait(STALL_S + 1)
    running.supervisor.publish_health()
    running.source.waiting = True
    running.wait(0.25)
    assert [health["camera"] for health in running.listener.all("health")] == ["ok", "ok", "stalled"]


def test_a_new_camera_mode_is_in_info_at_once(running: Running) -> None:
    running.source.mode = MODE
    running.frame(0)
    running.frame(1)
    running.source.mode = replace(MODE, fps=10.0)
    running.frame(2)
    first = {
        "model": "imx708",
        "format": "BGR888",
        "pixels": {"width": 470, "height": 352},
        "fps": 15.0,
        "autofocus": "continuous",
    }
    assert [info["camera"]["granted"] for info in running.listener.all("info")] == [first, {**first, "fps": 10.0}]


def test_the_size_of_the_frames_is_in_info_also_if_the_camera_was_off_at_the_start(running: Running) -> None:
    running.source.off = True
    running.wait(0.5)
    running.source.off = False
    running.frame(0)
    running.frame(1)
    assert [info["camera"]["frame"] is None for info in running.listener.all("info")] == [True, False]


def test_a_change_of_the_backend_is_in_info_and_health_at_once(running: Running) -> None:
    running.frame(0)
    failed = BackendState("cpu", ReasonCode.CRASHED, "it crashed", 0)
    running.selector.selected = Selected(running.selector.selected.network, failed)
    running.wait(0.25)
    assert running.listener.all("info")[-1]["backend"]["code"] == "crashed"
    health = running.listener.all("health")[-1]
    assert (health["backend_code"], health["backend_reason"]) == ("crashed", failed.text)
    messages = len(running.listener.messages)
    running.wait(1)
    assert len(running.listener.messages) == messages


def test_the_age_of_a_frame_is_null_without_the_time_of_the_sensor(running: Running) -> None:
    running.frame(0, age_s=0.25)
    running.supervisor.publish_health()
    running.frame(1)
    running.supervisor.publish_health()
    assert [health["frame_age_ms"] for health in running.listener.all("health")][-2:] == [250.0, None]


def test_a_silent_camera_has_no_latencies(running: Running) -> None:
    running.frame(0, age_s=0.25)
    running.source.waiting = True
    running.wait(STALL_S + 1)
    before, after = running.listener.all("health")
    assert before["latency_ms"]["inference"]
    assert before["latency_ms"]["total"]
    assert after["latency_ms"] == {"inference": None, "total": None}
    assert after["frame_age_ms"] is None


def test_waiting_for_camera_or_edge_tpu_feeds_the_watchdog_and_a_hang_does_not(running: Running) -> None:
    running.frame(0)
    before = running.listener.states.count("WATCHDOG=1")
    running.wait(10)
    assert running.listener.states.count("WATCHDOG=1") == before
    running.source.waiting = True
    running.wait(0.25)
    assert running.listener.states.count("WATCHDOG=1") == before + 1
    running.source.waiting = False
    running.selector.recovering = True
    running.wait(10)
    assert running.listener.states.count("WATCHDOG=1") > before + 5


def test_heartbeats_come_at_their_interval(running: Running) -> None:
    running.frame(0)
    assert len(running.listener.all("health")) == 1
    running.wait(HEARTBEAT_S)
    assert 15 <= len(running.listener.all("health")) <= 18, "every 60 s"


def test_health_is_published_again_at_every_connect(running: Running) -> None:
    running.frame(0)
    running.wait(1)
    before = len(running.listener.all("health"))
    running.listener.connection.connects += 1
    running.wait(1)
    assert len(running.listener.all("health")) == before + 1


def test_ready_goes_to_systemd_after_the_first_frame(running: Running) -> None:
    running.supervisor.tick()
    assert "READY=1" not in running.listener.states
    running.frame(0)
    running.frame(1)
    assert running.listener.states.count("READY=1") == 1


def test_a_file_that_waits_for_the_broker_is_ready_and_feeds_the_watchdog(running: Running) -> None:
    running.frame(0)
    rooms = iter([False] * 30 + [True])

    def has_room() -> bool:
        running.clock.now_s += 0.5
        return next(rooms)

    running.listener.has_room = has_room  # type: ignore[method-assign]
    before = running.listener.states.count("WATCHDOG=1")
    running.supervisor.wait_for_room(lambda: False)
    assert running.listener.states.count("READY=1") == 1
    assert running.listener.states.count("WATCHDOG=1") >= before + 10


def test_a_signal_ends_the_wait_for_the_broker(running: Running) -> None:
    running.listener.has_room = lambda: False  # type: ignore[method-assign]
    running.supervisor.wait_for_room(lambda: True)
