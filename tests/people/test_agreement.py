"""Poses of two networks in one frame become people."""

from typing import Any

import numpy as np
import pytest

from edge.people.agreement import merge_networks, overlap, similarity
from edge.types import Pose
from tests.people.test_tracking import body
from tests.support.poses import make_pose


def first(x: float = 200, **fields: Any) -> Pose:
    return make_pose(body(x, 200), **fields)


def second(x: float = 200, **fields: Any) -> Pose:
    return make_pose(body(x, 200), **{"by_multipose": True, "score": 0.4, **fields})


def stretched(pose: Pose) -> Pose:
    """The same place, but all limbs elsewhere."""
    box = pose.box
    rng = np.random.default_rng(1)
    xy = rng.uniform((box.left, box.top), (box.right, box.bottom), (17, 2))
    return make_pose(xy, by_multipose=pose.by_multipose, score=pose.score)


def test_similarity_is_one_for_the_same_pose_and_falls_with_the_distance() -> None:
    values = [similarity(first(200), second(200 + apart)) for apart in (0, 5, 10, 20, 40)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.3


def test_poses_with_few_keypoints_in_common_are_not_similar() -> None:
    upper, lower = np.arange(17) < 9, np.arange(17) > 6
    assert similarity(first(visible=upper), second(visible=lower)) == 0


def test_without_the_other_network_a_pose_is_neither_confirmed_nor_denied() -> None:
    poses = [first()]
    assert merge_networks([poses]) is poses


@pytest.mark.parametrize("main_is_second", [False, True])
def test_where_both_agree_the_pose_of_the_main_network_is_kept(main_is_second: bool) -> None:
    main, other = (second(200), first(202)) if main_is_second else (first(200), second(202))
    (pose,) = merge_networks([[main], [other]])
    assert (pose.by_multipose, pose.opinion, pose.weak) == (main_is_second, "agrees", False)
    assert np.array_equal(pose.xy, main.xy)


def test_agreement_makes_a_weak_pose_strong() -> None:
    (pose,) = merge_networks([[second(weak=True, score=0.22)], [first(score=0.6)]])
    assert (pose.weak, pose.opinion) == (False, "agrees")


def test_two_networks_that_are_both_faint_are_unsure() -> None:
    """Both can take the same bed post for a person."""
    (pose,) = merge_networks([[first(score=0.3)], [second(score=0.15, weak=True)]])
    assert pose.opinion == "unsure"


def test_of_two_different_poses_in_one_place_the_one_of_the_second_network_is_kept() -> None:
    for views in ([[first()], [stretched(second())]], [[stretched(second())], [first()]]):
        (pose,) = merge_networks(views)
        assert (pose.by_multipose, pose.opinion) == (True, "denies")


def raised(pose: Pose, *, elbow: bool = True) -> Pose:
    """The same person with the left wrist, and the elbow, stretched up."""
    xy = pose.xy.copy()
    xy[[7, 9] if elbow else [9]] = xy[5] + [[0, -40], [0, -75]] if elbow else xy[5] + [[0, -75]]
    return make_pose(xy, by_multipose=pose.by_multipose, score=pose.score)


@pytest.mark.parametrize("seen", [first(), raised(first(), elbow=False)], ids=["hanging", "impossible"])
@pytest.mark.parametrize("main_is_second", [False, True])
def test_of_two_different_arms_the_raised_one_of_the_second_network_is_kept(seen: Pose, main_is_second: bool) -> None:
    right = raised(second(202))
    (pose,) = merge_networks([[right], [seen]] if main_is_second else [[seen], [right]])
    assert (pose.by_multipose, pose.opinion) == (True, "denies")
    assert np.array_equal(pose.xy, right.xy)


@pytest.mark.parametrize(("one", "two"), [(raised(first()), raised(second(202))), (raised(first()), second(202))])
def test_a_raised_arm_that_the_first_network_sees_is_no_disagreement(one: Pose, two: Pose) -> None:
    (pose,) = merge_networks([[one], [two]])
    assert (pose.by_multipose, pose.opinion) == (False, "agrees")


def test_a_pose_that_only_one_network_sees_is_denied_by_the_other() -> None:
    seen = merge_networks([[first(200)], [second(500)]])
    assert [(pose.by_multipose, pose.opinion) for pose in seen] == [(False, "denies"), (True, "denies")]


def test_the_second_network_is_unsure_about_people_too_small_for_it() -> None:
    small = make_pose(body(200, 60))
    (pose,) = merge_networks([[small], []], checkable_px=80)
    assert pose.opinion == "unsure"
    (pose,) = merge_networks([[small], []], checkable_px=40)
    assert pose.opinion == "denies"


def test_two_people_side_by_side_are_matched_one_to_one() -> None:
    seen = merge_networks([[first(200), first(270)], [second(272), second(198)]])
    assert sorted(float(pose.xy[0, 0]) for pose in seen) == [200, 270]
    assert {pose.opinion for pose in seen} == {"agrees"}


def test_the_scores_of_both_networks_are_compared_on_one_scale() -> None:
    """The second network scores the same people lower."""
    merged = merge_networks([[first(200, score=0.45), first(900, score=0.9)], [second(550, score=0.3)]])
    assert [pose.score for pose in merged] == [0.9, 0.3, 0.45]


def test_overlap_is_the_share_of_the_smaller_box() -> None:
    assert overlap(first(), make_pose(body(200, 100))) == pytest.approx(1)
    assert overlap(first(), first(400)) == 0


@pytest.mark.parametrize(("most", "opinion"), [(2, "denies"), (1, "unsure")])
def test_a_network_that_shows_as_many_people_as_it_may_denies_no_other(most: int, opinion: str) -> None:
    merged = merge_networks([[first(200)], [second(600)]], most=most)
    assert [pose.opinion for pose in merged] == [opinion, opinion]
