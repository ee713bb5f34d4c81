"""Figures of gestures in sequences made by hand."""

import pytest

from edge.evaluation.events_totals import ClipFigures, totals
from edge.evaluation.events_truth import Gesture
from edge.evaluation.gesture_figures import ClipGestures, measure_gestures
from edge.evaluation.people_matching import Matching
from edge.rules.values import Event
from tests.support.clips import clip, event, said, times, true_frame

LEFT, RIGHT = (100.0, 100.0), (400.0, 100.0)
WAVING = Gesture(name="waving", on_s=2.0, off_s=4.0)


def measured(gestures: tuple[Gesture, ...], *events: tuple[float, Event]) -> ClipGestures:
    played = [said(t, {}, *(one for at_s, one in events if at_s == t)) for t in times(10)]
    result = measure_gestures(clip(gestures=gestures), played, None)
    assert result is not None
    return result


def waved(at_s: float, type_: str = "waving", id_: str = "a") -> tuple[float, Event]:
    return at_s, event("gesture", type_, id_)


def test_an_event_during_a_gesture_finds_it() -> None:
    figures = measured((WAVING,), waved(3.0), waved(4.5, "ended"))
    assert [(one.found_s, one.delay_s) for one in figures.gestures] == [(3.0, 1.0)]
    assert figures.false == []


@pytest.mark.parametrize(("at_s", "found"), [(1.6, False), (1.7, True), (5.0, True), (5.1, False)])
def test_an_event_at_another_time_is_false(at_s: float, found: bool) -> None:
    figures = measured((WAVING,), waved(at_s))
    assert (figures.gestures[0].found_s is not None, len(figures.false)) == (found, not found)


def test_an_event_with_another_name_is_false() -> None:
    figures = measured((WAVING,), waved(3.0, "left_hand_raised"))
    assert figures.gestures[0].found_s is None
    assert [(one.name, one.at_s) for one in figures.false] == [("left_hand_raised", 3.0)]


def test_a_second_event_for_a_gesture_is_false() -> None:
    assert len(measured((WAVING,), waved(3.0), waved(4.0, id_="b")).false) == 1


def test_gestures_one_after_the_other_have_an_event_each() -> None:
    again = Gesture(name="waving", on_s=4.5, off_s=6.0)
    figures = measured((WAVING, again), waved(3.0), waved(5.0, id_="b"))
    assert [one.found_s for one in figures.gestures] == [3.0, 5.0]
    assert figures.false == []


def test_optional_gestures_are_neither_missed_nor_false() -> None:
    optional = Gesture(name="waving", on_s=2.0, off_s=4.0, optional=True)
    reported = measured((optional,), waved(3.0), waved(3.5, id_="b"))
    assert reported.false == []
    total = totals(
        [ClipFigures("clip", 10.0, 100, None, None, None, one, {}) for one in (reported, measured((optional,)))]
    )
    assert (total["gesture"]["gestures"], total["gesture"]["recall"], total["gesture"]["precision"]) == (0, None, None)


@pytest.mark.parametrize(("person", "found"), [(1, True), (2, False), (3, False), (None, True)])
def test_the_gesture_must_be_of_the_same_person(person: int | None, found: bool) -> None:
    waving = Gesture(name="waving", on_s=2.0, off_s=4.0, person=0)
    of = clip([true_frame(t, LEFT, RIGHT) for t in times(5)], gestures=(waving,))
    played = [
        said(t, {1: LEFT, 2: RIGHT}, *([event("gesture", "waving", person=person)] if t == 3.0 else []))
        for t in times(5)
    ]
    figures = measure_gestures(of, played, Matching(of, played))
    assert figures is not None
    assert (figures.gestures[0].found_s is not None, len(figures.false)) == (found, not found)


def test_without_known_gestures_nothing_is_measured() -> None:
    assert measure_gestures(clip(gestures=None), [said(0.0)], None) is None


def test_totals_of_gestures() -> None:
    total = totals(
        [
            ClipFigures("clip", 10.0, 100, None, None, None, one, {})
            for one in (measured((WAVING,), waved(3.0)), measured((WAVING,), waved(9.0)))
        ]
    )["gesture"]
    assert (total["gestures"], total["found"], total["recall"]) == (2, 1, 0.5)
    assert (total["false"], total["precision"], total["delay_median_s"]) == (1, 0.5, 1.0)
