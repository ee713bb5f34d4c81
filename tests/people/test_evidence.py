"""Which tracks are people."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from edge.people.evidence import DENIED_S, FAINT_S, MOVED, NEW, UNCONFIRMED
from edge.people.tracking import Tracker
from edge.types import Pose, Track
from tests.people.test_tracking import body
from tests.support.poses import make_pose

FPS = 15


def posenet(x: float = 200, **fields: Any) -> Pose:
    return make_pose(body(x, 200), **fields)


def multipose(x: float = 200, **fields: Any) -> Pose:
    return make_pose(body(x, 200), **{"by_multipose": True, "score": 0.4, **fields})


def tracked(tracker: Tracker, poses: Sequence[Pose | None], start_s: float = 0.0) -> list[Track | None]:
    """The track of one pose per frame; None for frames without one."""
    tracks: list[Track | None] = []
    for number, pose in enumerate(poses):
        found = tracker.update([] if pose is None else [pose], start_s + number / FPS)
        tracks.append(found[0] if found else None)
    return tracks


def reasons(tracks: Sequence[Track | None]) -> list[str | None]:
    return [track.rejected for track in tracks if track is not None]


def test_a_new_person_is_accepted_at_once_if_both_networks_agree() -> None:
    (track,) = tracked(Tracker(second=True), [posenet(opinion="agrees")])
    assert track is not None
    assert (track.id, track.rejected) == (1, None)


def test_a_ghost_that_the_second_network_denies_never_gets_an_id() -> None:
    """It has a clear score, moves and lasts, as the reflection of a bed post can."""
    looks = [posenet(200 + number, score=0.7, opinion="denies" if number % 6 == 0 else None) for number in range(90)]
    tracks = tracked(Tracker(second=True), looks)
    assert {track.id for track in tracks if track} == {None}
    assert set(reasons(tracks)) == {UNCONFIRMED}


def test_a_pose_that_the_second_network_was_not_asked_about_waits() -> None:
    tracks = tracked(Tracker(second=True), [posenet(score=0.9)] * 20)
    assert set(reasons(tracks)) == {NEW}


def test_a_person_whom_only_the_second_network_sees_is_accepted_by_clear_detections() -> None:
    tracks = tracked(Tracker(second=True), [multipose(opinion="denies")] * 4)
    assert reasons(tracks) == [NEW, NEW, None, None]


def test_weak_poses_continue_a_track_but_start_none() -> None:
    weak = multipose(weak=True, score=0.15)
    tracker = Tracker(second=True)
    assert tracked(tracker, [weak] * 5) == [None] * 5
    accepted = tracked(tracker, [multipose()] * 3, 1.0)
    assert reasons(accepted)[-1] is None
    assert reasons(tracked(tracker, [weak] * 30, 1.3)) == [None] * 30


def test_a_person_too_small_for_the_second_network_needs_only_clear_detections() -> None:
    tracks = tracked(Tracker(second=True), [posenet(opinion="unsure"), *[posenet()] * 3])
    assert reasons(tracks) == [NEW, NEW, None, None]


def test_a_person_who_is_denied_again_and_again_is_not_reported_until_confirmed() -> None:
    tracker = Tracker(second=True)
    tracked(tracker, [posenet(opinion="agrees")])
    denied = [posenet(opinion="denies" if number % 6 == 0 else None) for number in range(60)]
    tracks = tracked(tracker, denied, 1 / FPS)
    assert reasons(tracks)[-1] == UNCONFIRMED
    first = reasons(tracks).index(UNCONFIRMED)
    assert first / FPS == pytest.approx(DENIED_S, abs=0.2)
    (again,) = tracked(tracker, [posenet(opinion="agrees")], 5.0)
    assert again is not None
    assert (again.id, again.rejected) == (1, None), "the same person has the same ID"


def test_a_person_who_lies_still_for_an_hour_is_never_dropped() -> None:
    """Only the second network sees the person, sometimes weakly; the first one denies it at every look."""
    tracker = Tracker(second=True)
    tracked(tracker, [posenet(opinion="agrees")] * 3)
    for second in range(1, 3600):
        pose = multipose(score=0.12, weak=True, opinion="denies" if second % 2 else None)
        (track,) = tracker.update([pose], float(second))
        assert (track.id, track.rejected) == (1, None)


def test_without_a_second_network_a_clear_score_is_enough() -> None:
    assert reasons(tracked(Tracker(), [posenet(score=0.6)] * 4)) == [NEW, NEW, None, None]


def test_without_a_second_network_a_faint_person_who_sits_still_is_accepted_within_three_seconds() -> None:
    tracks = tracked(Tracker(), [posenet(score=0.3)] * 3 * FPS)
    accepted = reasons(tracks).index(None)
    assert FAINT_S <= accepted / FPS <= 3


def test_without_a_second_network_a_faint_person_is_accepted_after_moving() -> None:
    size_px = posenet().box.size_px
    step_px = MOVED * size_px / 8
    tracks = tracked(Tracker(), [posenet(200 + step_px * number, score=0.3) for number in range(15)])
    accepted = reasons(tracks).index(None)
    assert 8 <= accepted <= 10


def test_a_faint_pose_where_a_person_was_lost_is_that_person() -> None:
    """A person falls fast, is lost, and lies below: the prediction has gone on through the floor."""
    tracker = Tracker(second=True)
    falling = [make_pose(body(200, 200, y=200 + 12 * number), opinion="agrees") for number in range(8)]
    tracked(tracker, falling)
    lying = body(0, 200, y=0)[:, ::-1] + (230, 330)
    faint = make_pose(lying, by_multipose=True, weak=True, score=0.13)
    tracks = tracked(tracker, [None] * 8 + [faint], 8 / FPS)
    assert tracks[-1] is not None
    assert (tracks[-1].id, tracks[-1].rejected) == (1, None)


def test_hidden_keypoints_of_a_faint_pose_do_not_move_the_person() -> None:
    tracker = Tracker(second=True)
    falling = [make_pose(body(200, 200, y=200 + 60 * number), opinion="agrees") for number in range(12)]
    tracked(tracker, falling[:8])
    lying = body(0, 200, y=0)[:, ::-1] + (200, 640)
    seen = np.arange(17) < 13
    lying[~seen] = 1e12  # no network says where they are
    faint = make_pose(lying, visible=seen, by_multipose=True, weak=True, score=0.13)
    tracks = tracked(tracker, [None, None, faint, falling[11]], 8 / FPS)
    assert [track and track.id for track in tracks] == [None, None, 1, 1]


def test_a_faint_pose_elsewhere_is_no_person() -> None:
    tracker = Tracker(second=True)
    tracked(tracker, [posenet(opinion="agrees")] * 8)
    elsewhere = multipose(600, weak=True, score=0.13)
    assert tracked(tracker, [None] * 8 + [elsewhere], 8 / FPS)[-1] is None
