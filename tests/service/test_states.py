"""When `state` is published."""

from dataclasses import replace
from typing import Any

import pytest

from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update
from edge.rules.rules import Outcome
from edge.rules.values import PersonState, State, ZoneState
from edge.service.states import SHORTEST_PERIOD_S, StateReporter
from edge.types import Message
from tests.support.contract import content
from tests.support.fakes import blank_frame
from tests.support.pipelines import empty_update

HEARTBEAT_S = 60.0
EMPTY = State(people=0, zones={"bed": ZoneState(occupied=False, people=0, dwell_s=0.0)})
OCCUPIED = State(
    people=1,
    zones={"bed": ZoneState(occupied=True, people=1, dwell_s=1.0)},
    persons=(PersonState(1, "lying", ("bed",), 5.0),),
)


class Publishing:
    """A state reporter with a clock that is set by hand, and what it has published."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.messages: list[Message] = []
        publisher: Any = self
        self.reporter = StateReporter(publisher, Topics("edge-pose", "test"), HEARTBEAT_S, lambda: self.now_s)

    def publish_retained(self, message: Message) -> None:
        self.messages.append(message)

    def frame(self, sequence: int, state: State | None, *, after_s: float = 1.0, known: bool = True) -> None:
        """A frame and a tick, `after_s` after the last one."""
        self.now_s += after_s
        self.reporter.publish(_update(sequence, state))
        self.reporter.tick(known=known)

    def tick(self, *, after_s: float = 1.0, known: bool = True) -> None:
        self.now_s += after_s
        self.reporter.tick(known=known)

    @property
    def states(self) -> list[dict[str, Any]]:
        return [content(message) for message in self.messages]

    @property
    def numbers(self) -> list[int | None]:
        return [state["seq"] for state in self.states]


def _update(sequence: int, state: State | None) -> Update:
    return replace(empty_update(blank_frame(sequence), 0.0, 0.01), outcome=Outcome((), state))


@pytest.fixture
def publishing() -> Publishing:
    return Publishing()


def test_the_state_is_published_when_it_changes_and_only_then(publishing: Publishing) -> None:
    for sequence, state in enumerate((EMPTY, EMPTY, OCCUPIED, OCCUPIED, EMPTY)):
        publishing.frame(sequence, state)
    assert publishing.numbers == [0, 2, 4]
    assert [state["people"] for state in publishing.states] == [0, 1, 0]


def test_passing_time_is_no_change(publishing: Publishing) -> None:
    publishing.frame(0, OCCUPIED)
    later = replace(
        OCCUPIED,
        zones={"bed": ZoneState(occupied=True, people=1, dwell_s=2.0)},
        persons=(replace(OCCUPIED.persons[0], since_wall_s=9.0),),
    )
    publishing.frame(1, later)
    assert publishing.numbers == [0]
    publishing.frame(2, later, after_s=HEARTBEAT_S)
    assert publishing.states[-1]["zones"]["bed"]["dwell_s"] == 2.0


def test_the_order_of_the_people_is_no_change(publishing: Publishing) -> None:
    two = PersonState(1, "lying", (), 0.0), PersonState(2, "standing", (), 0.0)
    publishing.frame(0, State(people=2, persons=two))
    publishing.frame(1, State(people=2, persons=two[::-1]))
    assert publishing.numbers == [0]


def test_the_state_is_published_at_every_heartbeat(publishing: Publishing) -> None:
    for sequence in range(130):
        publishing.frame(sequence, EMPTY)
    assert publishing.numbers == [0, 60, 120]
    assert {message.expiry_s for message in publishing.messages} == {3 * HEARTBEAT_S}


def test_a_state_that_flickers_is_published_four_times_per_second_and_ends_right(publishing: Publishing) -> None:
    for sequence in range(31):
        publishing.frame(sequence, (EMPTY, OCCUPIED)[sequence % 2], after_s=1 / 30)
    assert 3 <= len(publishing.states) <= 1 / SHORTEST_PERIOD_S + 1
    publishing.tick()
    assert publishing.states[-1]["people"] == 0


def test_a_change_within_the_shortest_period_is_published_without_another_frame(publishing: Publishing) -> None:
    publishing.frame(0, EMPTY)
    publishing.frame(1, OCCUPIED, after_s=SHORTEST_PERIOD_S / 2)
    assert publishing.numbers == [0]
    publishing.tick(after_s=SHORTEST_PERIOD_S / 2)
    assert publishing.numbers == [0, 1]


def test_the_state_is_null_before_the_first_frame_while_nothing_is_seen_and_at_the_end(publishing: Publishing) -> None:
    publishing.tick(known=False)
    publishing.frame(0, OCCUPIED)
    publishing.tick(known=False)
    publishing.tick(known=False)
    publishing.frame(1, OCCUPIED)
    publishing.reporter.end()
    assert [(state["seq"], state["people"], state["zones"]) for state in publishing.states] == [
        (None, None, None),
        (0, 1, {"bed": {"occupied": True, "people": 1, "dwell_s": 1.0}}),
        (None, None, None),
        (1, 1, {"bed": {"occupied": True, "people": 1, "dwell_s": 1.0}}),
        (None, None, None),
    ]


def test_a_frame_without_a_state_is_unknown(publishing: Publishing) -> None:
    publishing.frame(0, OCCUPIED)
    publishing.frame(1, None)
    assert publishing.states[-1]["present"] is publishing.states[-1]["people"] is None
