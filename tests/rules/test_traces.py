"""People are followed through changes of their ID."""

from edge.rules.trace import Trace
from edge.rules.traces import Traces
from edge.rules.values import Moment
from edge.types import Person
from tests.support import bodies
from tests.support.bodies import View
from tests.support.people import observation
from tests.support.rules import subject

FPS = 15


def follow(traces: Traces, *frames: list[Person], from_s: float = 0.0, kept: list[Trace] | None = None) -> list[Trace]:
    """The traces after these frames, which begin at `from_s`."""
    for number, people in enumerate(frames):
        subjects = tuple(subject(one, "standing") for one in people)
        moment = Moment("", observation(number, *people), from_s + number / FPS, subjects)
        traces.update(moment, kept or [])
    return traces.all


def standing(id_: int, aside: float = 0.0) -> Person:
    return View(aside=aside).person(id_, bodies.STANDING)


def test_a_person_who_was_lost_goes_on_under_a_new_id() -> None:
    traces = Traces()
    (before,) = follow(traces, [standing(1)], [standing(1)])
    (after,) = follow(traces, [], [View().person(2, bodies.lying(towards=90))], from_s=2)
    assert after is before
    assert after.id == 2


def test_a_new_person_elsewhere_is_another() -> None:
    traces = Traces()
    (before,) = follow(traces, [standing(1, aside=-1.5)])
    assert [trace.id for trace in follow(traces, [standing(2, aside=1.5)], from_s=1)] == [1, 2]
    assert before.id == 1


def test_a_new_person_beside_one_in_view_is_another() -> None:
    traces = Traces()
    follow(traces, [standing(1)])
    assert [trace.id for trace in follow(traces, [standing(1), standing(2, aside=0.4)], from_s=1)] == [1, 2]


def test_a_new_person_continues_the_nearest_one() -> None:
    traces = Traces()
    follow(traces, [standing(1, aside=-0.8), standing(2, aside=0.8)])
    follow(traces, [standing(3, aside=0.6)], from_s=1)
    assert [(trace.id, trace.seen_s) for trace in traces.all] == [(1, 0), (3, 1)]


def test_people_are_forgotten_but_not_those_who_are_kept() -> None:
    traces = Traces()
    (trace,) = follow(traces, [standing(1)])
    assert follow(traces, [], from_s=100, kept=[trace]) == [trace]
    assert follow(traces, [standing(2)], from_s=200, kept=[trace]) == [trace]
    assert follow(traces, [], from_s=300) == []


def test_an_id_that_jumps_goes_over_to_another_person() -> None:
    traces = Traces()
    (before,) = follow(traces, [standing(1, aside=-1)])
    after = follow(traces, [standing(1, aside=1)], from_s=1 / FPS)
    assert after[0] is before
    assert [trace.seen_s for trace in after] == [0, 1 / FPS]
