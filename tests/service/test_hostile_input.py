"""Payloads are untrusted: 20,000 generated ones do no harm, and those among them that are valid are carried out."""

import gc
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage

from edge.config import Config
from edge.config.settings import SETTINGS, value_of
from edge.mqtt.inbox import Inbox
from edge.mqtt.topics import Topics
from edge.service.control import LOG_S, Control
from edge.service.health import rss_mb
from edge.service.settings import Overrides, Settings
from edge.types import Message
from tests.support import hostile
from tests.support.contract import content
from tests.support.hostile import UNDECIDED, Sent, messages, transaction_of

TOPICS = Topics("edge-pose", "hall")
COUNT, STEP_S, SEED = 20_000, 0.11, 1
FILE = Config()


class Attacked:
    """A Control that gets messages one by one, and what it should have done by then."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.inbox = Inbox(TOPICS.commands)
        self.settings = Settings(FILE, Overrides(None))
        self.expected = {name: value_of(FILE, name) for name in SETTINGS}
        self.sent: list[Message] = []
        publisher: Any = SimpleNamespace(publish=self.sent.append, resubscribe=lambda: None)
        self.control = Control(
            self.inbox, publisher, TOPICS, settings=self.settings,
            requests=dict.fromkeys(hostile.REQUESTS, lambda: None) | {"reset_settings": self.settings.reset},
            monotonic=lambda: self.now_s,
        )  # fmt: skip

    def get(self, sent: Sent) -> list[Message]:
        """Deliver a message; the answers."""
        self.now_s += STEP_S
        message = MQTTMessage(topic=f"{TOPICS.root}/{sent.topic}".encode())
        message.payload, message.retain = sent.payload, sent.retain
        self.sent.clear()
        self.inbox.put(message)
        self.control.tick()
        return list(self.sent)

    def expect(self, sent: Sent, answers: list[Message]) -> None:
        """Check the answers to a message, and the settings after it."""
        name = sent.topic.partition("/")[2]
        value, transaction = hostile.value_of(sent), transaction_of(sent)
        replies = [content(answer) for answer in answers]
        assert len(replies) <= 1
        if value is not None:
            self.expected[name] = value
            assert replies == []
        elif isinstance(transaction, list):
            assert replies == [{"v": 1, "transaction": transaction[0], "status": "ok", "data": None}]
            assert answers[0].topic == TOPICS.response(name)
        elif transaction is not UNDECIDED:
            assert [reply["status"] for reply in replies] in ([], ["error"])
            assert all(len(answer.payload) < 1000 for answer in answers)
        if name == "reset_settings" and replies and replies[0]["status"] == "ok":
            kept = {"enabled": False} if self.expected["enabled"] is False else {}
            self.expected = {name: value_of(FILE, name) for name in SETTINGS} | kept
        assert {name: value_of(self.settings.config, name) for name in SETTINGS} == self.expected


def test_of_20_000_hostile_messages_only_the_valid_ones_have_an_effect(caplog: pytest.LogCaptureFixture) -> None:
    attacked = Attacked()
    valid = 0
    memory_mb = 0.0
    with caplog.at_level(logging.INFO):
        for number, sent in enumerate(messages(COUNT, SEED)):
            attacked.expect(sent, attacked.get(sent))
            valid += hostile.value_of(sent) is not None or isinstance(transaction_of(sent), list)
            if number == COUNT // 10:
                gc.collect()
                memory_mb = rss_mb() or 0
    gc.collect()
    assert valid > COUNT / 10
    assert (rss_mb() or 0) - memory_mb < 20
    assert attacked.inbox.dropped == 0
    assert len(caplog.records) <= COUNT * STEP_S / LOG_S + 1
    assert max(len(record.getMessage()) for record in caplog.records) < 400
    assert all(record.getMessage().isprintable() for record in caplog.records)
