"""Figures of presence, and of listed events, in sequences made by hand."""

from dataclasses import replace

import pytest

from edge.config import Presence
from edge.evaluation.events_play import Played
from edge.evaluation.events_totals import ClipFigures, totals
from edge.evaluation.events_truth import Clip, Expected
from edge.evaluation.expected_figures import measure_expected
from edge.evaluation.people_matching import Matching
from edge.evaluation.presence_figures import PresenceFigures, measure_presence
from edge.rules.values import Event, State
from tests.support.clips import clip, event, said, times, true_frame

LEFT = (100.0, 100.0)
RULE = Presence(enter_s=0.5, leave_s=2.0)


def reported(at_s: float, present: bool | None) -> Played:
    one = said(at_s)
    return replace(one, outcome=replace(one.outcome, state=State(present=present)))


def measured(of: Clip, played: list[Played]) -> PresenceFigures | None:
    return measure_presence(of, played, Matching(of, played) if of.frames else None, RULE)


def test_presence_has_time_to_settle() -> None:
    of = clip([true_frame(t, LEFT if 2.0 <= t < 5.0 else None) for t in times(10)])
    figures = measured(of, [reported(t, 3.5 < t < 8.1) for t in times(10)])
    # Empty: 2 s at the beginning, and from 3 s after the person left. Occupied: from 1.5 s after they came.
    assert figures == PresenceFigures(occupied=14, present=14, empty=39, absent=39)


def test_false_presence_and_false_absence_are_counted() -> None:
    of = clip([true_frame(t, LEFT if 2.0 <= t < 5.0 else None) for t in times(10)])
    assert measured(of, [reported(t, True) for t in times(10)]) == PresenceFigures(14, 14, 39, 0)
    assert measured(of, [reported(t, False) for t in times(10)]) == PresenceFigures(14, 0, 39, 39)


def test_a_person_who_is_hardly_seen_is_neither_there_nor_gone() -> None:
    of = clip([true_frame(t, LEFT, hidden=14) for t in times(5)])
    assert measured(of, [reported(t, True) for t in times(5)]) == PresenceFigures()


@pytest.mark.parametrize(("people", "expected"), [(0, PresenceFigures(empty=50)), (2, PresenceFigures(34, 34))])
def test_the_number_of_people_is_enough(people: int, expected: PresenceFigures) -> None:
    assert measured(clip(people=people), [reported(t, True) for t in times(5)]) == expected


def test_presence_is_not_measured_if_it_is_not_reported_or_not_known() -> None:
    assert measured(clip(people=1), [reported(t, None) for t in times(5)]) is None
    assert measured(clip(people=None), [reported(t, True) for t in times(5)]) is None


def crossed(at_s: float, zone: str = "door", rule: str = "line", type_: str = "crossed_in") -> tuple[float, Event]:
    return at_s, replace(event(rule, type_), zone=zone)


def test_listed_events_are_found_and_others_are_false() -> None:
    listed = (
        Expected(type="crossed_in", zone="door", at_s=2.0),
        Expected(type="crossed_in", zone="door", at_s=3.0),
        Expected(type="crossed_out", zone="door", at_s=7.0),
    )
    events = [crossed(2.2), crossed(3.1), crossed(7.0), crossed(5.0, "gate"), crossed(6.0, rule="zone")]
    played = [said(t, {}, *(one for at_s, one in events if at_s == t)) for t in times(10)]
    figures = measure_expected(clip(events={"line": listed}), played)
    assert list(figures) == ["line"]
    assert [one.found_s for one in figures["line"].expected] == [2.2, 3.1, None]
    assert [(one.at_s, one.zone) for one in figures["line"].false] == [(5.0, "gate"), (7.0, "door")]
    total = totals([ClipFigures("clip", 10.0, 100, None, None, None, None, figures)])
    assert (total["zone"], total["presence"]) == (None, None)
    assert (total["line"]["recall"], total["line"]["precision"], total["line"]["false"]) == (0.6667, 0.5, 2)


@pytest.mark.parametrize(("at_s", "found"), [(1.9, False), (2.0, True), (6.0, True), (6.1, False)])
def test_listed_events_may_be_two_seconds_off(at_s: float, found: bool) -> None:
    of = clip(events={"line": (Expected(type="crossed_in", zone="door", at_s=4.0),)})
    figures = measure_expected(of, [said(at_s, {}, crossed(at_s)[1])])
    assert (figures["line"].expected[0].found_s is not None) is found
