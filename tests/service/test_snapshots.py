"""Snapshots are drawn one at a time, on request and when they are due."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from edge.config import Config
from edge.drawing import snapshot
from edge.drawing.snapshot import Snapshot
from edge.errors import RequestError
from edge.mqtt.topics import Topics
from edge.service.snapshots import Snapshots, View
from edge.types import Message
from tests.support.contract import PNG, check
from tests.support.models import fast_config
from tests.support.people import observation, person
from tests.support.waiting import LONG_S, until

UNKNOWN = View("off", (640, 480), None)
EMPTY = View("ok", (640, 480), observation(1))
SOMEONE = View("ok", (640, 480), observation(2, person(1)))


class Studio:
    """Snapshots with a fake broker, a clock that is set by hand, and a drawing that waits while `paused`."""

    def __init__(self, period_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.sent: list[Message] = []
        self.online, self.off = True, False
        self.connection = SimpleNamespace(lock=threading.RLock())
        self.go_on = threading.Event()
        self.go_on.set()
        self.notes: list[str] = []
        config: Config = fast_config(mqtt={"snapshot_s": period_s})
        fake: Any = self
        topics = Topics("edge-pose", "test")
        self.snapshots = Snapshots(fake, topics, config, is_off=lambda: self.off, monotonic=lambda: self.now_s)

    def has_room(self) -> bool:
        return self.online

    def publish(self, message: Message, *, tapped: bool = True) -> bool:  # noqa: ARG002 - as of the real one
        check(message)
        if self.online:
            self.sent.append(message)
        return self.online

    def draw(self, frame: Any, people: Any, zones: Any, lines: Any, note: str) -> Snapshot:
        assert self.go_on.wait(LONG_S)
        assert (frame, zones, lines) == ((640, 480), (), ())
        self.notes.append(note)
        return Snapshot(PNG + b"x" * len(people), 640, 480)

    def tick(self, view: View, *, after_s: float = 0.0) -> int:
        """How many snapshots this view leads to."""
        before = len(self.sent)
        self.now_s += after_s
        self.snapshots.tick(view)
        until(lambda: not any(thread.name == "snapshot" for thread in threading.enumerate()))
        return len(self.sent) - before


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    studio = Studio(period_s=10)
    monkeypatch.setattr(snapshot, "draw_snapshot", studio.draw)
    yield studio
    studio.go_on.set()


def test_a_requested_snapshot_is_published_and_described(studio: Studio) -> None:
    answer = studio.snapshots.request(SOMEONE).result(LONG_S)
    (message,) = studio.sent
    assert (message.topic, message.payload, message.retain) == ("edge-pose/test/snapshot", PNG + b"x", False)
    assert (answer.seq, answer.camera, answer.people) == (2, "ok", 1)
    assert (answer.width, answer.height, answer.bytes) == (640, 480, len(PNG) + 1)


def test_while_the_state_is_unknown_the_snapshot_shows_why_and_no_people(studio: Studio) -> None:
    answer = studio.snapshots.request(UNKNOWN).result(LONG_S)
    assert (answer.seq, answer.camera, answer.people) == (None, "off", None)
    studio.snapshots.request(SOMEONE).result(LONG_S)
    assert studio.notes == ["camera off", ""]


def test_a_second_request_is_refused_while_one_is_drawn(studio: Studio) -> None:
    studio.go_on.clear()
    first = studio.snapshots.request(EMPTY)
    with pytest.raises(RequestError):
        studio.snapshots.request(EMPTY)
    studio.go_on.set()
    first.result(LONG_S)
    studio.snapshots.request(EMPTY).result(LONG_S)
    assert len(studio.sent) == 2


def test_a_request_gets_the_snapshot_that_is_being_drawn_because_it_was_due(studio: Studio) -> None:
    studio.go_on.clear()
    studio.snapshots.tick(SOMEONE)
    answer = studio.snapshots.request(SOMEONE)
    with pytest.raises(RequestError):
        studio.snapshots.request(SOMEONE)
    studio.go_on.set()
    assert answer.result(LONG_S).people == 1
    assert len(studio.sent) == 1


def test_people_are_not_published_after_the_camera_was_switched_off(studio: Studio) -> None:
    studio.go_on.clear()
    answer = studio.snapshots.request(SOMEONE)
    studio.off = True
    studio.go_on.set()
    with pytest.raises(RequestError):
        answer.result(LONG_S)
    assert studio.sent == []
    studio.snapshots.request(UNKNOWN).result(LONG_S)
    assert len(studio.sent) == 1


def test_without_a_broker_the_request_fails(studio: Studio) -> None:
    studio.online = False
    with pytest.raises(RequestError):
        studio.snapshots.request(EMPTY).result(LONG_S)


def test_an_unexpected_error_is_logged_once_and_answered(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        with pytest.raises(RequestError):
            studio.snapshots.request(replace(EMPTY, frame=(1, 1))).result(LONG_S)  # `Studio.draw` fails
    assert len(caplog.records) == 1


def test_a_snapshot_is_due_when_the_view_has_changed_and_the_time_has_passed(studio: Studio) -> None:
    assert studio.tick(View("starting", (640, 480), None)) == 0
    assert studio.tick(EMPTY) == 1
    assert studio.tick(SOMEONE, after_s=9) == 0
    assert studio.tick(SOMEONE, after_s=1) == 1
    assert studio.tick(SOMEONE, after_s=20) == 0
    moved = View("ok", (640, 480), observation(3, person(1, at=(5, 0))))
    assert studio.tick(moved) == 1
    assert studio.tick(UNKNOWN, after_s=10) == 1
    assert studio.tick(UNKNOWN, after_s=10) == 0
    assert studio.tick(EMPTY) == 1
    assert studio.tick(replace(EMPTY, seen=observation(9)), after_s=1000) == 0


def test_without_a_period_snapshots_come_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(period_s=0)
    monkeypatch.setattr(snapshot, "draw_snapshot", studio.draw)
    assert studio.tick(SOMEONE, after_s=1e6) == 0


def test_nothing_is_drawn_while_the_broker_is_away(studio: Studio) -> None:
    studio.online = False
    assert studio.tick(SOMEONE) == 0
    assert studio.notes == []
    studio.online = True
    assert studio.tick(SOMEONE) == 1
