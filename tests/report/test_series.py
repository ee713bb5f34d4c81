"""Bins over a day: nothing is lost when they grow."""

import pytest

from edge.report.series import MOST_BINS, STEPS, Series
from edge.rules.values import PersonState, Posture, State, ZoneState


def state(*postures: Posture, present: bool | None = True, zone: bool = False) -> State:
    persons = tuple(PersonState(number, posture, (), 0.0) for number, posture in enumerate(postures))
    zones = {"bed": ZoneState(zone, int(zone), 0.0)}
    return State(present=present, people=len(persons), standing=0, persons=persons, zones=zones)


def test_time_is_split_at_the_ends_of_bins() -> None:
    series = Series()
    series.add(9.5, 2.0, state("sitting"))
    assert {number: round(one.watched_s, 6) for number, one in series.bins.items()} == {9: 0.5, 10: 1.0, 11: 0.5}


def test_sums_count_each_person() -> None:
    series = Series()
    series.add(0.0, 2.0, state("sitting", "standing", zone=True))
    series.add(2.0, 3.0, state("lying"))
    series.add(5.0, 4.0, state(present=False))
    total = series.total()
    assert (total.watched_s, total.present_s, total.person_s, total.most) == (9.0, 5.0, 7.0, 2)
    assert total.postures == [2.0, 2.0, 3.0, 0.0]
    assert total.zones == {"bed": 2.0}


def test_without_the_rule_presence_a_person_in_view_is_present() -> None:
    series = Series()
    series.add(0.0, 2.0, state("sitting", present=None))
    series.add(2.0, 3.0, state(present=None))
    assert series.total().present_s == 2.0


@pytest.mark.parametrize("hours", [0.3, 0.5, 3, 24, 25])
def test_bins_grow_with_the_recording_and_lose_nothing(hours: float) -> None:
    series = Series()
    count = round(hours * 3600 / 3)
    for number in range(count):
        series.add(number * 3.0, 3.0, state("sitting" if number % 2 else "standing"))
    total = series.total()
    assert total.watched_s == pytest.approx(count * 3.0)
    assert total.postures[0] == pytest.approx(-(-count // 2) * 3.0)
    assert len(series.bins) <= MOST_BINS
    assert series.step_s in STEPS


def test_bins_before_the_first_one_are_kept_when_the_clock_goes_back() -> None:
    series = Series()
    series.add(80_000.0, 10.0, state("sitting"))
    series.add(100.0, 10.0, state("sitting"))
    assert series.step_s == STEPS[-1]
    assert {number: round(one.watched_s) for number, one in series.bins.items()} == {1333: 10, 1: 10}


def test_resampling_keeps_the_largest_number_of_people() -> None:
    series = Series()
    series.add(0.0, 1.0, state("sitting"))
    series.add(61.0, 1.0, state("sitting", "sitting"))
    assert [(number, one.most) for number, one in series.resampled(60)] == [(0, 1), (1, 2)]
    assert [(number, one.most) for number, one in series.resampled(300)] == [(0, 2)]
