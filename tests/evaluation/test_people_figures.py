"""Figures of people in sequences made by hand."""

import pytest

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, Fall
from edge.evaluation.people_figures import PeopleFigures, measure_people
from edge.evaluation.people_matching import Matching
from tests.support.clips import clip, said, times, true_frame
from tests.support.people import person

LEFT, RIGHT, ELSEWHERE = (100.0, 100.0), (400.0, 100.0), (250.0, 100.0)


def measured(of: Clip, played: list[Played]) -> PeopleFigures:
    figures = measure_people(of, played, Matching(of, played) if of.frames else None)
    assert figures is not None
    return figures


def test_a_perfect_sensor_has_no_errors() -> None:
    figures = measured(
        clip(true_frame(t, LEFT, RIGHT) for t in times(2)), [said(t, {1: LEFT, 2: RIGHT}) for t in times(2)]
    )
    assert figures == PeopleFigures(frames=20, people=2, ids=2, ghost_ids=0, switches=0)


def test_a_ghost_is_a_person_too_many_also_while_the_person_is_missed() -> None:
    of = clip(true_frame(t, LEFT) for t in times(1))
    played = [said(t, {1: LEFT} if t < 0.5 else {2: ELSEWHERE}) for t in times(1)]
    figures = measured(of, played)
    assert (figures.too_many, figures.too_few, figures.ids, figures.ghost_ids) == (5, 5, 2, 1)


def test_a_pose_without_an_id_is_no_person() -> None:
    of = clip(true_frame(t, LEFT) for t in times(1))
    figures = measured(of, [said(t, [person(None, at=LEFT)]) for t in times(1)])
    assert (figures.too_many, figures.too_few, figures.ids) == (0, 10, 0)


@pytest.mark.parametrize(("hidden", "missed"), [(8, 10), (9, 0)])
def test_only_people_in_full_view_are_missed(hidden: int, missed: int) -> None:
    of = clip(true_frame(t, LEFT, hidden=hidden) for t in times(1))
    assert measured(of, [said(t) for t in times(1)]).too_few == missed


def test_people_who_are_hardly_seen_may_be_reported() -> None:
    of = clip(true_frame(t, LEFT, hidden=16) for t in times(1))
    assert measured(of, [said(t, {1: LEFT}) for t in times(1)]).too_many == 0


def test_every_change_of_a_persons_id_is_a_switch() -> None:
    of = clip(true_frame(t, LEFT) for t in times(0.6))
    ids = [1, 1, 2, 2, None, 1]
    played = [said(t, {id_: LEFT} if id_ else {}) for t, id_ in zip(times(0.6), ids, strict=True)]
    figures = measured(of, played)
    assert (figures.switches, figures.ids, figures.ghost_ids) == (2, 2, 0)


def test_two_people_who_exchange_their_ids_are_two_switches() -> None:
    of = clip(true_frame(t, LEFT, RIGHT) for t in times(1))
    played = [said(t, {1: LEFT, 2: RIGHT} if t < 0.5 else {2: LEFT, 1: RIGHT}) for t in times(1)]
    assert measured(of, played).switches == 2


def test_a_fallen_person_counts_while_down_and_in_view() -> None:
    fall = Fall(start_s=0.2, down_s=0.4, getup_s=0.8, up_s=0.9, person=1)
    frames = [true_frame(t, LEFT, RIGHT, hidden=13 if t == 0.7 else 0) for t in times(1)]
    played = [said(t, {1: LEFT, 2: RIGHT} if t < 0.55 else {1: LEFT}) for t in times(1)]
    figures = measured(clip(frames, falls=(fall,)), played)
    assert (figures.down_frames, figures.down_seen) == (3, 2)  # 0.4, 0.5 and 0.6 s


def test_with_only_a_number_of_people_the_numbers_are_compared() -> None:
    of = clip(people=1, falls=(Fall(start_s=0.5),))
    played = [said(t, {1: LEFT, 2: RIGHT} if t < 0.3 else {1: LEFT} if t < 2.5 else {}) for t in times(3)]
    figures = measured(of, played)
    assert (figures.frames, figures.too_many, figures.too_few) == (30, 3, 5)
    assert (figures.people, figures.ids, figures.ghost_ids, figures.switches) == (1, 2, None, None)
    assert (figures.down_frames, figures.down_seen) == (10, 5)  # from 1.5 s after its start


def test_unknown_people_are_not_measured() -> None:
    assert measure_people(clip(people=None), [said(0.0)], None) is None


def test_postures_are_counted_by_true_and_reported_posture() -> None:
    of = clip(true_frame(t, LEFT, RIGHT, postures=("lying", "unknown")) for t in times(1))
    played = [
        said(t, {1: LEFT, 2: RIGHT}, postures={1: "lying" if t < 0.7 else "standing", 2: "sitting"}) for t in times(1)
    ]
    postures = measured(of, played).postures
    assert postures is not None
    assert postures["lying"] == {"standing": 3, "sitting": 0, "lying": 7, "unknown": 0}
    assert postures["unknown"] == {"standing": 0, "sitting": 10, "lying": 0, "unknown": 0}


def test_postures_are_not_measured_if_none_are_reported() -> None:
    of = clip(true_frame(t, LEFT) for t in times(1))
    assert measured(of, [said(t, {1: LEFT}) for t in times(1)]).postures is None
