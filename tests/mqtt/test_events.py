"""The payloads of `event` and `state`."""

import json
from dataclasses import replace

import jsonschema
import msgspec
import pytest

from edge.mqtt.events import StateOut, event_out, in_words, state_out, unknown_state
from edge.mqtt.topics import Topics, schemas
from edge.rules.values import Event, PersonState, State, ZoneState
from edge.types import Message
from tests.support.contract import content
from tests.support.people import observation

TOPICS = Topics("edge-pose", "hall")
CONFIRMED = Event(
    "fall", "confirmed", "3f0c", 1240, 1_795_370_402.5, 1_795_370_400.4, 2.1, person=3, confidence=0.93,
    reasons=("torso 78 degrees from upright", "down for 2.1 s"),
)  # fmt: skip
STATE = State(
    present=True, people=2, standing=1, sitting=0, lying=1, fall=True, still_down=False, moving=True,
    zones={"bed": ZoneState(occupied=True, people=1, dwell_s=12.44)},
    persons=(PersonState(9, "standing", (), 1_795_370_400.0), PersonState(3, "lying", ("bed",), 1_795_370_380.0)),
)  # fmt: skip


def test_an_event_follows_the_contract() -> None:
    message = TOPICS.event_message(event_out(CONFIRMED))
    assert (message.topic, message.qos, message.retain, message.expiry_s) == (
        "edge-pose/hall/event/fall",
        1,
        False,
        300,
    )
    document = content(message)
    assert document == {
        "v": 1, "id": "3f0c", "event_type": "confirmed", "rule": "fall", "person": 3, "zone": None, "seq": 1240,
        "time": "2026-11-22T18:00:02.500Z", "started": "2026-11-22T18:00:00.400Z", "duration_s": 2.1,
        "confidence": 0.93, "reasons": ["torso 78 degrees from upright", "down for 2.1 s"],
    }  # fmt: skip


def test_a_state_follows_the_contract_and_lists_people_by_id() -> None:
    message = TOPICS.state_message(state_out(STATE, observation(1234, wall_s=1_795_370_401.123)), heartbeat_s=20)
    assert message == Message("edge-pose/hall/state", message.payload, qos=1, retain=True, expiry_s=60)
    document = content(message)
    assert document == {
        "v": 1, "time": "2026-11-22T18:00:01.123Z", "seq": 1234, "present": True, "people": 2, "standing": 1,
        "sitting": 0, "lying": 1, "fall": True, "still_down": False, "moving": True,
        "zones": {"bed": {"occupied": True, "people": 1, "dwell_s": 12.4}},
        "persons": [
            {"id": 3, "posture": "lying", "zones": ["bed"], "since": "2026-11-22T17:59:40.000Z"},
            {"id": 9, "posture": "standing", "zones": [], "since": "2026-11-22T18:00:00.000Z"},
        ],
    }  # fmt: skip


def test_an_unknown_state_has_every_key_and_is_null() -> None:
    document = content(TOPICS.state_message(unknown_state(1_795_370_400.0), 20))
    assert list(document) == list(StateOut.__struct_fields__)
    known = {"v": 1, "time": "2026-11-22T18:00:00.000Z"}
    assert document == dict.fromkeys(document) | known


@pytest.mark.parametrize("missing", ["present", "persons", "seq"])
def test_the_schema_requires_every_key_of_the_state(missing: str) -> None:
    document = json.loads(msgspec.json.encode(unknown_state(0)))
    del document[missing]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schemas()["state"])


def test_an_event_in_words_has_what_is_known_of_it() -> None:
    assert in_words(event_out(CONFIRMED)) == (
        "fall confirmed, person 3, after 2.1 s: torso 78 degrees from upright, down for 2.1 s"
    )
    left = replace(CONFIRMED, rule="zone", type="entered", zone="bed", duration_s=0.0, reasons=())
    assert in_words(event_out(left)) == "zone bed entered, person 3"
    assert in_words(event_out(replace(left, rule="line", type="crossed_in", zone="door", person=None))) == (
        "line door crossed in"
    )
