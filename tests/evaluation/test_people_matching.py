"""Which reported person is which true one."""

from edge.evaluation.people_matching import Matching, in_full_view, in_view, match
from tests.support.clips import clip, said, true_frame
from tests.support.people import STANDING, person

LEFT, RIGHT = (100.0, 100.0), (400.0, 100.0)


def upside_down() -> dict[str, tuple[float, float]]:
    """A standing person with the head where the feet are."""
    return {part: (200 - x, 240 - y) for part, (x, y) in STANDING.items()}


def test_people_match_the_nearest_true_person() -> None:
    frame = true_frame(0, LEFT, RIGHT)
    people = [person(1, at=(405, 100)), person(2, at=(90, 105))]
    assert match(people, frame, {}) == {0: 1, 1: 0}


def test_a_pose_elsewhere_matches_no_true_person() -> None:
    assert match([person(1, at=(250, 100))], true_frame(0, LEFT, RIGHT), {}) == {}


def test_the_second_pose_on_a_person_matches_no_true_person() -> None:
    assert match([person(1, at=(110, 100)), person(2, at=LEFT)], true_frame(0, LEFT), {}) == {0: 1}


def test_a_pose_on_a_person_matches_although_it_is_upside_down() -> None:
    assert match([person(1, upside_down(), at=LEFT)], true_frame(0, LEFT), {}) == {0: 0}


def test_the_pose_that_is_more_alike_matches() -> None:
    people = [person(1, upside_down(), at=LEFT), person(2, at=(LEFT[0] + 10, LEFT[1]))]
    assert match(people, true_frame(0, LEFT), {}) == {0: 1}


def test_a_few_keypoints_are_enough() -> None:
    head = {part: STANDING[part] for part in ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR")}
    assert match([person(1, head, at=LEFT)], true_frame(0, LEFT), {}) == {0: 0}


def test_a_person_outside_the_picture_matches_no_pose() -> None:
    assert match([person(1, at=(-500, -500))], true_frame(0, None), {}) == {}


def test_an_id_that_continues_comes_before_a_nearer_one() -> None:
    people = [person(1, at=(120, 100)), person(2, at=LEFT)]
    assert match(people, true_frame(0, LEFT), {0: 1}) == {0: 0}
    assert match(people, true_frame(0, LEFT), {0: 3}) == {0: 1}


def test_the_truth_is_scaled_to_the_reported_frame() -> None:
    assert match([person(1, at=(50, 50), scale=0.5)], true_frame(0, LEFT), {}, 0.5) == {0: 0}


def test_full_view_needs_all_keypoints_in_the_picture_and_nine_in_sight() -> None:
    assert in_full_view(true_frame(0, LEFT, hidden=8)).tolist() == [True]
    assert in_full_view(true_frame(0, LEFT, hidden=9)).tolist() == [False]
    partly_out = true_frame(0, LEFT)
    partly_out.v[0, 16] = 0
    assert in_full_view(partly_out).tolist() == [False]


def test_five_keypoints_in_sight_make_a_person_in_view() -> None:
    assert in_view(true_frame(0, LEFT, hidden=12)).tolist() == [True]
    assert in_view(true_frame(0, LEFT, hidden=13)).tolist() == [False]


def test_an_id_belongs_to_the_person_it_matched_last() -> None:
    frames = [true_frame(t, LEFT, RIGHT) for t in (0.0, 0.1, 0.2)]
    played = [said(0.0, {1: LEFT, 2: RIGHT}), said(0.1, {1: RIGHT}), said(0.2, {3: (250, 100)})]
    matching = Matching(clip(frames), played)
    assert matching.owner(1, 0.05) == 0
    assert matching.owner(1, 0.1) == 1
    assert matching.owner(1, 0.3) == 1
    assert matching.owner(2, 0.3) == 1
    assert matching.owner(3, 0.3) is None
    assert matching.real_ids == {1, 2}


def test_frames_without_truth_are_left_out() -> None:
    played = [said(0.0, {1: LEFT}), said(0.2, {1: LEFT}), said(0.5, {1: LEFT})]
    assert [matched.one.at_s for matched in Matching(clip([true_frame(0.0, LEFT)]), played).frames] == [0.0, 0.2]
