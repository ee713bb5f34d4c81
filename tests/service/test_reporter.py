"""The reporter publishes messages no more often than configured."""

import json
from dataclasses import replace
from typing import Any

import pytest

from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update
from edge.rules.rules import Outcome
from edge.rules.values import Event
from edge.service.reporter import Reporter
from edge.types import Message
from tests.support.contract import check
from tests.support.fakes import blank_frame
from tests.support.pipelines import empty_update


class Recorder:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.kept: list[Message] = []

    def publish(self, message: Message, *, tapped: bool = True) -> bool:  # noqa: ARG002 - as of the real one
        check(message)
        self.messages.append(message)
        return True

    def publish_kept(self, message: Message) -> None:
        check(message)
        self.kept.append(message)


def update(sequence: int) -> Update:
    return empty_update(blank_frame(sequence), 0.0, 0.01)


@pytest.mark.parametrize(("rate_hz", "least", "most"), [(0, 300, 300), (10, 9, 10), (40, 39, 40), (1, 1, 1)])
def test_the_rate_of_messages_is_bounded(
    monkeypatch: pytest.MonkeyPatch, rate_hz: float, least: int, most: int
) -> None:
    """300 frames within one second."""
    recorder: Any = Recorder()
    reporter = Reporter(recorder, Topics("edge-pose", "test"), max_rate_hz=rate_hz, wait_for_room=None)
    for number in range(300):
        monkeypatch.setattr("edge.service.reporter.time.monotonic", lambda now_s=100 + number / 300: now_s)
        reporter.publish(update(number))
    assert least <= len(recorder.messages) <= most


def test_there_is_no_burst_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder: Any = Recorder()
    reporter = Reporter(recorder, Topics("edge-pose", "test"), max_rate_hz=2, wait_for_room=None)
    published = []
    for now_s in (100.0, 100.1, 100.5, 107.3, 107.4, 107.5, 107.8, 107.9):
        monkeypatch.setattr("edge.service.reporter.time.monotonic", lambda now_s=now_s: now_s)
        before = len(recorder.messages)
        reporter.publish(update(0))
        if len(recorder.messages) > before:
            published.append(now_s)
    assert published == [100.0, 100.5, 107.3, 107.8]


def test_events_are_kept_and_logged_whatever_the_rate_of_keypoints(caplog: pytest.LogCaptureFixture) -> None:
    recorder: Any = Recorder()
    reporter = Reporter(recorder, Topics("edge-pose", "test"), max_rate_hz=0.01, wait_for_room=None)
    with caplog.at_level("INFO", "edge.service.reporter"):
        for number in range(3):
            event = Event("fall", "suspected", f"id{number}", number, 1.0, 1.0, 0.0, person=4, reasons=("fast",))
            reporter.publish(replace(update(number), outcome=Outcome((event,), None)))
    assert [message.topic for message in recorder.messages] == ["edge-pose/test/keypoints"]
    assert [(message.topic, json.loads(message.payload)["id"]) for message in recorder.kept] == [
        ("edge-pose/test/event/fall", f"id{number}") for number in range(3)
    ]
    assert [record.getMessage() for record in caplog.records] == ["fall suspected, person 4: fast"] * 3


def test_a_file_waits_for_the_broker_before_each_message() -> None:
    recorder: Any = Recorder()
    waits: list[int] = []
    reporter = Reporter(
        recorder, Topics("edge-pose", "test"), max_rate_hz=0, wait_for_room=lambda: waits.append(len(recorder.messages))
    )
    for number in range(3):
        reporter.publish(update(number))
    assert waits == [0, 1, 2]
