"""Figures of falls in sequences made by hand."""

from typing import Any

import pytest

from edge.evaluation.events_play import Played
from edge.evaluation.events_totals import ClipFigures, totals
from edge.evaluation.events_truth import Clip, Fall
from edge.evaluation.fall_figures import ClipFalls, measure_falls
from edge.evaluation.people_matching import Matching
from edge.rules.values import Event
from tests.support.clips import clip, event, said, times, true_frame

LEFT, RIGHT = (100.0, 100.0), (400.0, 100.0)
GOT_UP = Fall(start_s=2.0, down_s=3.0, getup_s=10.0, up_s=12.0)


def fallen(at_s: float, type_: str = "confirmed", id_: str = "a", person: int | None = None) -> tuple[float, Event]:
    return at_s, event("fall", type_, id_, person=person)


def measured(of: Clip, *events: tuple[float, Event], seconds: float = 20.0) -> ClipFalls:
    """The figures of a clip in which these events were reported."""
    result = measure_falls(of, played(*events, seconds=seconds), None)
    assert result is not None
    return result


def played(*events: tuple[float, Event], seconds: float = 20.0) -> list[Played]:
    return [said(t, {}, *(one for at_s, one in events if at_s == t)) for t in times(seconds)]


def total(figures: ClipFalls, duration_s: float = 20.0) -> dict[str, Any]:
    summed = totals([ClipFigures("clip", duration_s, 200, None, None, figures, None, {})])
    fall: dict[str, Any] = summed["fall"]
    return fall


def test_an_alarm_after_a_fall_finds_it() -> None:
    figures = measured(clip(falls=(GOT_UP,)), fallen(3.2, "suspected"), fallen(5.0), fallen(13.0, "cleared"))
    (fall,) = figures.falls
    assert (fall.found, fall.suspected, fall.confirmed_s, fall.delay_s) == (True, True, 5.0, 3.0)
    assert (fall.cleared, fall.cleared_s, fall.cleared_early) == (True, 13.0, False)
    assert (figures.false_alarms, figures.false_suspicions) == ([], 0)


@pytest.mark.parametrize(
    ("at_s", "found", "late", "false"),
    [
        (1.4, 0, 0, 1),  # before the fall
        (1.5, 1, 0, 0),
        (12.0, 1, 0, 0),
        (12.1, 0, 0, 1),  # up again
    ],
)
def test_the_time_of_the_alarm_decides(at_s: float, found: int, late: int, false: int) -> None:
    summed = total(measured(clip(falls=(GOT_UP,)), fallen(at_s)))
    assert (summed["found"], summed["late"], summed["false_alarms"]) == (found, late, false)


@pytest.mark.parametrize(("at_s", "found"), [(13.0, True), (13.1, False)])
def test_an_alarm_long_after_the_fall_is_late_and_not_false(at_s: float, found: bool) -> None:
    summed = total(measured(clip(falls=(Fall(start_s=2.0, down_s=3.0),)), fallen(at_s)))
    assert (summed["found"], summed["late"], summed["false_alarms"]) == (found, not found, 0)


def test_without_the_time_on_the_floor_it_is_two_seconds_after_the_start() -> None:
    (fall,) = measured(clip(falls=(Fall(start_s=2.0),)), fallen(14.0)).falls
    assert fall.found
    (fall,) = measured(clip(falls=(Fall(start_s=2.0),)), fallen(14.1)).falls
    assert not fall.found


def test_a_second_alarm_for_a_fall_is_repeated_and_lowers_precision() -> None:
    summed = total(measured(clip(falls=(GOT_UP,)), fallen(5.0), fallen(7.0, id_="b")))
    assert (summed["found"], summed["repeated"], summed["false_alarms"], summed["precision"]) == (1, 1, 0, 0.5)


def test_a_suspicion_without_a_fall_is_counted_unless_it_becomes_an_alarm() -> None:
    figures = measured(
        clip(), fallen(1.0, "suspected"), fallen(2.0, "dismissed"), fallen(5.0, "suspected", "b"), fallen(7.0, id_="b")
    )
    assert figures.false_suspicions == 1
    assert [(alarm.at_s, alarm.reasons) for alarm in figures.false_alarms] == [(7.0, ("because",))]


def test_still_down_is_no_second_alarm() -> None:
    figures = measured(clip(falls=(GOT_UP,)), fallen(5.0), fallen(9.0, "still_down"))
    assert (figures.falls[0].repeated, figures.false_alarms) == (0, [])


@pytest.mark.parametrize(
    ("at_s", "cleared", "early"),
    [(9.9, False, True), (10.0, True, False), (17.0, True, False), (17.1, False, False), (None, False, False)],
)
def test_a_fall_is_cleared_between_getting_up_and_five_seconds_after(
    at_s: float | None, cleared: bool, early: bool
) -> None:
    events = [fallen(5.0), *([] if at_s is None else [fallen(at_s, "cleared")])]
    (fall,) = measured(clip(falls=(GOT_UP,)), *events).falls
    assert (fall.cleared, fall.cleared_early) == (cleared, early)


def test_an_alarm_that_is_raised_again_may_be_cleared_in_time() -> None:
    (fall,) = measured(
        clip(falls=(GOT_UP,)),
        fallen(5.0), fallen(7.0, "cleared"), fallen(8.0, id_="b"), fallen(13.0, "cleared", "b"),
    ).falls  # fmt: skip
    assert (fall.cleared, fall.cleared_early, fall.repeated) == (True, True, 1)


@pytest.mark.parametrize("seconds", [13.9, 14.2])
def test_clearing_is_measured_if_the_clip_shows_the_person_upright_for_two_seconds(seconds: float) -> None:
    (fall,) = measured(clip(falls=(GOT_UP,)), fallen(5.0), seconds=seconds).falls
    assert fall.cleared is (False if seconds > 14 else None)


def test_a_missed_fall_has_nothing_to_clear() -> None:
    summed = total(measured(clip(falls=(GOT_UP,))))
    assert (summed["recall"], summed["to_clear"], summed["clear_recall"]) == (0, 0, None)
    assert (summed["suspected"], summed["wrong_person"], summed["cleared_early"]) == (0, 0, 0)


def test_a_fall_may_be_suspected_and_not_confirmed() -> None:
    figures = measured(clip(falls=(GOT_UP,)), fallen(3.0, "suspected"), fallen(5.0, "dismissed"))
    summed = total(figures)
    assert (summed["suspected"], summed["found"], summed["false_suspicions"]) == (1, 0, 0)


def test_clearing_while_the_person_stays_down_is_early() -> None:
    (fall,) = measured(clip(falls=(Fall(start_s=2.0),)), fallen(5.0), fallen(9.0, "cleared")).falls
    assert (fall.cleared, fall.cleared_early) == (None, True)


@pytest.mark.parametrize("kind", ["slow", "deliberate", "bed"])
def test_other_kinds_are_counted_apart(kind: Any) -> None:
    summed = total(measured(clip(falls=(Fall(start_s=2.0, kind=kind),)), fallen(5.0)))
    assert (summed["falls"], summed["found"], summed["false_alarms"], summed["precision"]) == (0, 0, 0, None)
    assert summed["apart"][kind] == {"happened": 1, "reported": 1}


def test_each_of_two_falls_has_its_own_alarm() -> None:
    falls = (Fall(start_s=2.0, up_s=9.0), Fall(start_s=5.0))
    figures = measured(clip(falls=falls), fallen(4.0), fallen(7.0, id_="b"))
    assert [fall.confirmed_s for fall in figures.falls] == [4.0, 7.0]
    assert [fall.repeated for fall in figures.falls] == [0, 0]


@pytest.mark.parametrize(("person", "wrong"), [(1, False), (2, True), (3, True), (None, False)])
def test_an_alarm_may_name_another_person(person: int | None, wrong: bool) -> None:
    of = clip([true_frame(t, LEFT, RIGHT) for t in times(5)], falls=(Fall(start_s=1.0, person=0),))
    reported = [
        said(t, {1: LEFT, 2: RIGHT}, *([event("fall", "confirmed", person=person)] if t == 3.0 else []))
        for t in times(5)
    ]
    result = measure_falls(of, reported, Matching(of, reported))
    assert result is not None
    (fall,) = result.falls
    assert (fall.found, fall.wrong_person) == (True, wrong)


def test_the_alarm_goes_to_the_fall_of_the_person_it_names() -> None:
    falls = (Fall(start_s=1.0, person=0), Fall(start_s=1.2, person=1))
    of = clip([true_frame(t, LEFT, RIGHT) for t in times(5)], falls=falls)
    reported = [
        said(t, {1: LEFT, 2: RIGHT}, *([event("fall", "confirmed", person=1)] if t == 3.0 else [])) for t in times(5)
    ]
    result = measure_falls(of, reported, Matching(of, reported))
    assert result is not None
    assert [fall.found for fall in result.falls] == [True, False]


def test_a_sensor_that_reports_no_falls_is_not_measured() -> None:
    assert measure_falls(clip(falls=(GOT_UP,)), [said(t, fall=None) for t in times(5)], None) is None


def test_totals_of_falls() -> None:
    good = measured(clip(falls=(GOT_UP,)), fallen(4.0), fallen(13.0, "cleared"))
    slower = measured(clip(falls=(GOT_UP,)), fallen(6.0))
    missed = measured(clip(falls=(Fall(start_s=17.0),)), fallen(3.0))
    summed = totals([ClipFigures("clip", 600.0, 0, None, None, one, None, {}) for one in (good, slower, missed)])
    fall = summed["fall"]
    assert (fall["falls"], fall["found"], fall["recall"], fall["precision"]) == (3, 2, 0.6667, 0.6667)
    assert (fall["false_alarms"], fall["false_alarms_per_h"]) == (1, 2.0)
    assert (fall["delay_median_s"], fall["delay_p95_s"]) == (3.0, 3.9)
    assert (fall["to_clear"], fall["cleared"], fall["clear_recall"]) == (2, 1, 0.5)
    assert fall["missed_in_short_clips"] == 1
