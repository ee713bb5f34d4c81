"""Check messages against the wire contract, whether they come from a broker or from the code under test."""

import json
import re
from typing import Any

import jsonschema

from edge.mqtt.asyncapi import text_schemas
from edge.mqtt.commands import KINDS, REQUESTS
from edge.mqtt.topics import CHANNELS, Topics, schemas
from edge.rules.values import EVENT_TYPES
from edge.types import Message

PNG = b"\x89PNG\r\n\x1a\n"
VALIDATORS = {name: jsonschema.validators.validator_for(schema)(schema) for name, schema in schemas().items()}
TRIALS = tuple(Topics("", "").trial(kind).removeprefix("/") for kind in KINDS)  # of the doctor
TOPICS = {
    name: re.compile(r"(?:[^/]+/)+[^/]+/" + re.sub(r"\{\w+\}", "([^/]+)", channel.topic))
    # Those of two levels first: the base topic may have any number of levels, so `snapshot` matches `request/snapshot`.
    for name, channel in sorted(CHANNELS.items(), key=lambda item: -item[1].topic.count("/"))
}


def channel_of(topic: str) -> tuple[str, str]:
    """The channel of a topic, and the name in its last part, or "". Raises AssertionError for an unknown topic."""
    for name, pattern in TOPICS.items():
        if found := pattern.fullmatch(topic):
            return name, "".join(found.groups())
    raise AssertionError(f"the contract has no topic {topic}")


def check(message: Message) -> None:
    """Check topic, payload, QoS and retain flag. Commands are not checked: anyone may send anything there."""
    if message.topic.endswith(TRIALS):
        assert not message.payload, message
        return
    name, last = channel_of(message.topic)
    channel = CHANNELS[name]
    if name in KINDS:
        return
    assert message.qos == channel.qos, message
    assert channel.retain or not message.retain, message
    if channel.payload:
        document = json.loads(message.payload)
        VALIDATORS.get(f"{name}/{last}", VALIDATORS[name]).validate(document)
        _check_relations(name, last, document)
    elif name == "snapshot":
        assert message.payload.startswith(PNG)
    else:
        schema = text_schemas(name)[last or name]
        text = message.payload.decode()
        jsonschema.validate(text, schema)
        if "x-minimum" in schema:
            assert schema["x-minimum"] <= float(text) <= schema["x-maximum"], message


def content(message: Message) -> Any:
    """What is in a message with JSON, which is checked."""
    check(message)
    return json.loads(message.payload)


def _check_relations(name: str, last: str, document: dict[str, Any]) -> None:
    """Check what a schema cannot say."""
    if name == "event":
        assert document["rule"] == last
        assert document["event_type"] in EVENT_TYPES[last], document
        assert document["started"] <= document["time"], document
    elif name == "response":
        assert last in (*KINDS, *REQUESTS), last
        assert ("error" in document) == (document["status"] == "error"), document
    elif name == "state" and document["seq"] is None:
        assert document == dict.fromkeys(document) | {"v": 1, "time": document["time"]}
    elif name == "state":
        assert document["people"] == len(document["persons"]), document
