"""The answers to requests that have data."""

import json

import jsonschema

from edge.mqtt.answers import people_out
from edge.mqtt.commands import done, refused
from edge.mqtt.topics import Topics, schemas
from edge.rules.values import PersonState, State
from tests.support.people import observation, person

TOPICS = Topics("edge-pose", "hall")
SINCE_S = 1_795_370_300.5


def test_people_are_described_as_in_state_and_keypoints() -> None:
    someone = person(4, at=(10, 20))
    state = State(
        people=2,
        persons=(PersonState(4, "standing", ("bed",), SINCE_S), PersonState(3, "lying", (), SINCE_S - 1)),
    )
    answer = people_out(state, observation(7, someone, person(9), wall_s=SINCE_S + 1))
    document = json.loads(TOPICS.response_message("people", done("a", answer)).payload)
    jsonschema.validate(document, schemas()["response/people"])
    assert document["data"] == {
        "time": "2026-11-22T17:58:21.500Z",
        "seq": 7,
        "frame": {"width": 640, "height": 480},
        "persons": [
            # Missed in this frame, but for less than half a second:
            {
                "id": 3, "posture": "lying", "zones": [], "since": "2026-11-22T17:58:19.500Z",
                "score": None, "box": None,
            },
            {
                "id": 4, "posture": "standing", "zones": ["bed"], "since": "2026-11-22T17:58:20.500Z",
                "score": 0.9, "box": [84.0, 37.0, 52.0, 203.0],
            },
        ],
    }  # fmt: skip


def test_a_refusal_has_no_data_whatever_the_request() -> None:
    for name, schema in schemas().items():
        if name.startswith("response/"):
            message = TOPICS.response_message(name.partition("/")[2], refused(1, "not now"))
            jsonschema.validate(json.loads(message.payload), schema)
