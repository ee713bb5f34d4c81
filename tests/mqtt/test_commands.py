"""Commands and their answers on the wire."""

import msgspec
import pytest

from edge.mqtt.commands import Command, done, refused
from edge.mqtt.topics import Topics

TOPICS = Topics("edge-pose", "hall")


def test_a_command_is_known_by_its_topic() -> None:
    assert TOPICS.command_on("edge-pose/hall/set/fall", b"OFF") == Command("set", "fall", b"OFF")
    assert TOPICS.command_on("edge-pose/hall/request/ping", b"") == Command("request", "ping", b"")


@pytest.mark.parametrize(
    "topic", ["edge-pose/hall/setting/fall", "edge-pose/attic/set/fall", "edge-pose/hall/set/a/b", "set/fall", ""]
)
def test_no_other_topic_is_a_command(topic: str) -> None:
    assert TOPICS.command_on(topic, b"") is None


def test_an_answer_has_an_error_only_if_something_is_wrong() -> None:
    answers = [done("7", {"people": 2}), refused(7, "unknown")]
    assert [msgspec.json.decode(TOPICS.response_message("ping", answer).payload) for answer in answers] == [
        {"v": 1, "transaction": "7", "status": "ok", "data": {"people": 2}},
        {"v": 1, "transaction": 7, "status": "error", "error": "unknown", "data": None},
    ]
