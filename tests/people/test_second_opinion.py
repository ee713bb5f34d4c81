"""Which network looks at which frame."""

from dataclasses import replace

import pytest

from edge.people.second_opinion import (
    ARM_CHECK_S,
    CHECK_S,
    EMPTY_CHECK_S,
    MAX_CREDIT,
    RETURN_LOOKS,
    SHARE,
    NetworkPlanner,
)
from edge.skeleton import INDEX
from edge.types import Opinion, Track
from tests.people.test_tracking import body
from tests.support.poses import make_pose

FPS = 15
FIRST, SECOND = False, True


def person(
    *, by_multipose: bool = False, opinion: Opinion | None = None, rejected: str | None = None, lying: bool = False
) -> Track:
    xy = body(0, 200, y=0)
    pose = make_pose((xy[:, ::-1] if lying else xy) + 300, by_multipose=by_multipose, opinion=opinion)
    return Track(None if rejected else 1, pose, 0.0, 0.0, rejected)


def looks(planner: NetworkPlanner, track: Track | None, seconds: float, lost: list[Track] | None = None) -> int:
    """The number of second looks while every frame has the same result."""
    count = 0
    for number in range(round(seconds * FPS)):
        count += len(planner.networks(number / FPS)) - 1
        planner.observe([track] if track else [], lost or [])
    return count


def test_the_first_frame_gets_a_second_look() -> None:
    assert NetworkPlanner().networks(0.0) == [FIRST, SECOND]


def test_an_empty_room_gets_a_second_look_once_per_second() -> None:
    assert looks(NetworkPlanner(), None, 20 * EMPTY_CHECK_S) == pytest.approx(20, abs=2)


@pytest.mark.parametrize("track", [person(rejected="new"), person(lying=True)])
def test_with_a_reason_looks_are_frequent_but_limited(track: Track) -> None:
    count = looks(NetworkPlanner(), track, 20)
    assert 0.8 * 20 * FPS * SHARE < count <= 20 * FPS * SHARE + MAX_CREDIT


def test_a_lost_track_is_a_reason() -> None:
    assert looks(NetworkPlanner(), None, 20, [person()]) > 0.8 * 20 * FPS * SHARE


def test_an_upright_person_is_checked_every_two_seconds() -> None:
    assert looks(NetworkPlanner(), person(), 20 * CHECK_S) == pytest.approx(20, abs=2)


def test_a_person_with_an_unsure_wrist_is_checked_more_often() -> None:
    track = person()
    confidence = track.pose.confidence.copy()
    confidence[INDEX["LEFT_WRIST"]] = 0.5
    unsure = replace(track, pose=replace(track.pose, confidence=confidence))
    assert looks(NetworkPlanner(), unsure, 20 * ARM_CHECK_S) == pytest.approx(20, abs=2)


def test_frames_go_to_the_second_network_while_only_that_sees_a_person() -> None:
    planner = NetworkPlanner()
    planner.observe([person(by_multipose=True, opinion="denies")], [])
    assert planner.networks(0.0) == [SECOND, FIRST]
    planner.observe([person(by_multipose=True, opinion="denies")], [])
    for number in range(1, 60):
        assert planner.networks(number / FPS)[0] == SECOND
        planner.observe([person(by_multipose=True)], [])


def test_the_first_network_takes_over_again_once_it_confirms_all_people() -> None:
    planner = NetworkPlanner()
    planner.observe([person(by_multipose=True, opinion="denies")], [])
    for _ in range(RETURN_LOOKS):
        assert planner.networks(0.0)[0] == SECOND
        planner.observe([person(by_multipose=True, opinion="agrees")], [])
    assert planner.networks(0.0)[0] == FIRST


def test_the_first_network_takes_over_again_in_an_empty_room() -> None:
    planner = NetworkPlanner()
    planner.observe([person(by_multipose=True, opinion="denies")], [])
    planner.observe([], [])
    assert planner.networks(0.0)[0] == FIRST


def test_a_clock_that_goes_back_does_not_stop_the_checks() -> None:
    planner = NetworkPlanner()
    planner.networks(1000.0)
    planner.observe([person()], [])
    assert planner.networks(1.0) == [FIRST, SECOND]


def test_frames_that_no_network_sees_count_towards_second_looks() -> None:
    """In idle mode a frame is shown every two seconds, and a newcomer then needs second looks at once."""
    planner = NetworkPlanner()
    for check in range(50):
        assert len(planner.networks(2.0 * check)) == 2
        planner.observe([], [])
        for _ in range(29):
            planner.rest()
