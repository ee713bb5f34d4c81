"""Commands are carried out once, answered once, and never do harm."""

import json
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage

from edge.config import Config
from edge.errors import CameraError
from edge.mqtt.inbox import MAX_BYTES, MAX_WAITING, Inbox
from edge.mqtt.topics import Topics
from edge.service.control import BURST, LOG_S, REFUSAL_S, Control
from edge.service.settings import Overrides, Settings
from edge.types import Message
from tests.support.contract import content

TOPICS = Topics("edge-pose", "hall")


def message(topic: str, payload: bytes, *, retain: bool = False) -> MQTTMessage:
    made = MQTTMessage(topic=topic.encode())
    made.payload, made.retain = payload, retain
    return made


class Desk:
    """A Control with settings and requests, a clock that is set by hand, and what it answers."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.inbox = Inbox(TOPICS.commands)
        self.settings = Settings(Config(), Overrides(None))
        self.sent: list[Message] = []
        self.heard: list[bytes] = []
        self.slow: Future[int] = Future()  # the answer to the request "snapshot"
        self.control = Control(
            self.inbox,
            SimpleNamespace(publish=self.sent.append, resubscribe=lambda: None),  # type: ignore[arg-type]
            TOPICS,
            settings=self.settings,
            requests={"ping": lambda: {"pong": True}, "reset_settings": self._fail, "snapshot": lambda: self.slow},
            listeners={"homeassistant/status": self.heard.append},
            monotonic=lambda: self.now_s,
        )

    def send(self, topic: str, payload: bytes = b"", *, wait_s: float = 1.0) -> list[dict[str, Any]]:
        """The answers to a message."""
        before = len(self.sent)
        self.now_s += wait_s
        self.inbox.put(message(f"edge-pose/hall/{topic}", payload))
        self.control.tick()
        return [content(one) for one in self.sent[before:]]

    def _fail(self) -> None:
        raise CameraError("camera", "is off", "switch it on")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("payload", "transaction"),
    [(b"", None), (b"{}", None), (b'{"transaction": "a", "more": [1]}', "a"), (b'{"transaction": 7}', 7)],
)
def test_a_request_gets_one_answer_with_its_transaction(desk: Desk, payload: bytes, transaction: object) -> None:
    answers = desk.send("request/ping", payload)
    assert answers == [{"v": 1, "transaction": transaction, "status": "ok", "data": {"pong": True}}]
    assert desk.sent[-1].topic == "edge-pose/hall/response/ping"


def test_a_request_that_fails_is_answered_with_the_reason(desk: Desk) -> None:
    (answer,) = desk.send("request/reset_settings", b'{"transaction": 7}')
    assert (answer["transaction"], answer["status"], answer["error"]) == (7, "error", "is off; switch it on")


def test_a_request_that_takes_time_is_answered_once_when_it_is_done(desk: Desk) -> None:
    assert not desk.send("request/snapshot", b'{"transaction": 7}')
    assert [answer["data"] for answer in desk.send("request/ping")] == [{"pong": True}]
    desk.slow.set_result(5)
    desk.control.tick()
    desk.control.tick()
    (answer,) = (json.loads(one.payload) for one in desk.sent if one.topic.endswith("/response/snapshot"))
    assert answer == {"v": 1, "transaction": 7, "status": "ok", "data": 5}


def test_a_request_that_fails_later_is_answered_with_the_reason(desk: Desk) -> None:
    desk.send("request/snapshot", b'{"transaction": 8}')
    desk.slow.set_exception(CameraError("camera", "is off", "switch it on"))
    desk.control.tick()
    answer = content(desk.sent[-1])
    assert (answer["transaction"], answer["status"], answer["error"]) == (8, "error", "is off; switch it on")


def test_a_request_that_is_not_finished_at_the_end_is_refused(desk: Desk) -> None:
    desk.send("request/snapshot", b'{"transaction": 9}')
    desk.control.end()
    desk.control.end()
    (answer,) = (content(one) for one in desk.sent)
    assert (answer["transaction"], answer["status"]) == (9, "error")


def test_a_setting_is_changed_without_an_answer_and_refused_with_one(desk: Desk) -> None:
    assert not desk.send("set/fall_confirm_s", b" 3 ")
    assert desk.settings.config.fall.confirm_s == 3
    (answer,) = desk.send("set/fall_confirm_s", b"300")
    assert (answer["status"], answer["data"]) == ("error", {"setting": "fall_confirm_s"})
    assert desk.sent[-1].topic == "edge-pose/hall/response/set"
    assert desk.settings.config.fall.confirm_s == 3


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("request/unknown", b""), ("set/unknown", b"1"), ("request/ping", b"{"), ("request/ping", b"[]"),
        ("request/ping", b'{"transaction": {}}'), ("request/ping", b"[" * 4000), ("request/ping", b"\xff\xfe"),
        ("request/ping", b"{" + b" " * MAX_BYTES + b"}"), ("set/fall", b"O" * (MAX_BYTES + 1)),
        ("request/\x07\u202e" + "x" * 60000, b""), ("request/ping", b'{"transaction": 1e999}'),
    ],
)  # fmt: skip
def test_invalid_commands_get_one_answer_per_second_and_one_line_per_minute(
    desk: Desk, topic: str, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (answer,) = desk.send(topic, payload)
    assert answer["status"] == "error"
    assert len(json.dumps(answer)) < 500
    assert not desk.send(topic, payload, wait_s=0.9 * REFUSAL_S)
    assert len(desk.send(topic, payload)) == 1
    assert len(caplog.records) == 1
    desk.send(topic, payload, wait_s=LOG_S)
    assert len(caplog.records) == 2


def test_of_too_many_commands_only_some_are_carried_out(desk: Desk) -> None:
    answers = [len(desk.send("request/ping", wait_s=0)) for _ in range(3 * BURST)]
    assert sum(answers) == BURST + 1
    assert desk.send("request/ping", wait_s=5)[0]["status"] == "ok"


def test_a_flood_between_two_ticks_is_dropped(desk: Desk) -> None:
    for _ in range(10 * MAX_WAITING):
        desk.inbox.put(message("edge-pose/hall/request/ping", b""))
    desk.control.tick()
    assert len(desk.sent) == BURST + 1
    assert desk.inbox.dropped == 9 * MAX_WAITING


def test_retained_commands_are_ignored(desk: Desk) -> None:
    desk.inbox.put(message("edge-pose/hall/set/fall_confirm_s", b"3", retain=True))
    desk.control.tick()
    assert desk.settings.config.fall.confirm_s == 2


def test_other_topics_reach_their_listener(desk: Desk) -> None:
    desk.inbox.put(message("homeassistant/status", b"online"))
    desk.inbox.put(message("somewhere/else", b"online"))
    desk.control.tick()
    assert (desk.heard, desk.sent) == ([b"online"], [])


def test_a_valid_command_is_carried_out_among_many_invalid_ones(desk: Desk) -> None:
    for number in range(500):
        desk.send(f"request/unknown{number}", wait_s=0)
        desk.send("set/fall_confirm_s", b"99", wait_s=0)
    desk.send("set/fall_confirm_s", b"3", wait_s=0)
    assert desk.settings.config.fall.confirm_s == 3
    assert desk.send("request/ping", wait_s=0)[0]["status"] == "ok"


def test_every_invalid_value_is_answered_unless_there_are_too_many(desk: Desk) -> None:
    answers = [len(desk.send("set/fall_confirm_s", b"99", wait_s=0)) for _ in range(3 * BURST)]
    assert answers[:BURST] == [1] * BURST
    assert sum(answers) <= BURST + 1
