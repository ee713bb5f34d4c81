import math

import numpy as np
import pytest

from edge.people.filtering import Thresholds
from edge.people.smoothing import RESTART_S, Settings, Smoother
from edge.skeleton import INDEX
from edge.types import Array, Floats, Pose, Track

LIMIT = 0.3
THRESHOLDS = Thresholds.of(confidence=LIMIT, parts={"LEFT_EAR": 0.6}, score=0.2, keypoints=5)
BODY: Floats = np.random.default_rng(1).uniform((200, 50), (320, 380), (17, 2)).astype(np.float32)


def track(xy: Array = BODY, confidence: float | Floats = 0.9, id_: int | None = 1) -> Track:
    each = np.broadcast_to(np.float32(confidence), 17)
    return Track(id_, Pose(xy.astype(np.float32), each, each >= THRESHOLDS.confidence, 0.8), 0.0, 0.0)


def run(tracks: list[Track], times_s: list[float], settings: Settings | None = None) -> list[Pose]:
    smoother = Smoother(THRESHOLDS, settings or Settings())
    return [smoother.smooth([one], now_s)[0].pose for one, now_s in zip(tracks, times_s, strict=True)]


def steadily(fps: float, count: int) -> list[float]:
    return [1000 + n / fps for n in range(count)]


def noisy(count: int, deviation: float, seed: int = 0) -> list[Track]:
    rng = np.random.default_rng(seed)
    return [track(BODY + rng.normal(0, deviation, (17, 2)).astype(np.float32)) for _ in range(count)]


def jitter(poses: list[Pose]) -> float:
    return float(np.array([pose.xy for pose in poses[len(poses) // 4 :]]).std(axis=0).mean())


@pytest.mark.parametrize(("fps", "deviation"), [(15, 0.5), (15, 1.5), (15, 2), (30, 0.5), (30, 1.5), (30, 3)])
def test_smoothing_removes_two_thirds_of_the_jitter_at_rest(fps: float, deviation: float) -> None:
    assert jitter(run(noisy(300, deviation), steadily(fps, 300))) < deviation / 3


def walk(fps: float, pace_s: float, count: int) -> list[Track]:
    """A body of 330 px moves to the right by `pace_s` of its sizes per second."""
    step = np.array((pace_s * math.hypot(*np.ptp(BODY, axis=0)) / fps, 0), np.float32)
    return [track(BODY + n * step) for n in range(count)]


@pytest.mark.parametrize("fps", [5, 15, 30, 60])
def test_a_walking_person_lags_less_than_60_ms(fps: float) -> None:
    """At 1 m/s and a height of 1.7 m."""
    moving = walk(fps, 1 / 1.7, int(4 * fps))
    poses = run(moving, steadily(fps, len(moving)))
    behind_px = (moving[-1].pose.xy - poses[-1].xy)[:, 0].mean()
    pace_px = (moving[-1].pose.xy - moving[-2].pose.xy)[:, 0].mean() * fps
    assert 0 <= behind_px / pace_px < 0.06


def test_smoothing_is_the_same_at_any_distance() -> None:
    near, far = noisy(60, 2), [track((one.pose.xy - 100) / 4) for one in noisy(60, 2)]
    times_s = steadily(15, 60)
    for one, other in zip(run(near, times_s), run(far, times_s), strict=True):
        assert (one.xy - 100) / 4 == pytest.approx(other.xy, abs=1e-3)


def test_smoothing_is_the_same_at_any_frame_rate() -> None:
    """A step takes the same time at any frame rate, regular or not."""
    moved = BODY + np.float32(2)
    reached = []
    for times_s in (steadily(15, 16), steadily(60, 61), [1000, 1000.01, 1000.2, 1000.25, 1000.5, 1000.75, 1001]):
        poses = run([track(BODY), *[track(moved)] * len(times_s)], [times_s[0] - 0.05, *times_s], Settings(0.25, 0, 0))
        reached.append(float((poses[-1].xy - BODY).mean()))
    assert reached == pytest.approx([2 * (1 - math.exp(-2 * math.pi * 0.25 * 1.05))] * 3, abs=0.1)


def test_a_motionless_pose_is_not_changed() -> None:
    for pose in run([track()] * 20, steadily(15, 20)):
        assert np.array_equal(pose.xy, BODY)


def test_tracks_without_an_id_are_not_changed() -> None:
    smoother = Smoother(THRESHOLDS, Settings())
    for number, one in enumerate(noisy(5, 3)):
        unknown = Track(None, one.pose, 0, 0)
        assert smoother.smooth([unknown], number / 15) == [unknown]


def test_people_are_smoothed_independently_of_each_other_and_of_their_order() -> None:
    by_itself = run(noisy(30, 2, seed=1), steadily(15, 30))
    smoother = Smoother(THRESHOLDS, Settings())
    other = noisy(30, 2, seed=2)
    for number, one in enumerate(noisy(30, 2, seed=1)):
        pair = [Track(7, other[number].pose, 0, 0), one]
        found = smoother.smooth(pair[:: 1 if number % 2 else -1], steadily(15, 30)[number])
        (mine,) = [pose.pose for pose in found if pose.id == 1]
        assert [pose.id for pose in found] == ([7, 1] if number % 2 else [1, 7])
        assert np.array_equal(mine.xy, by_itself[number].xy)


NOSE, EAR = INDEX["NOSE"], INDEX["LEFT_EAR"]


def nose(confidence: float) -> Track:
    each = np.full(17, 0.9, np.float32)
    each[NOSE] = confidence
    return track(confidence=each)


def test_a_keypoint_at_its_threshold_does_not_flicker() -> None:
    rng = np.random.default_rng(0)
    values = LIMIT + rng.normal(0, 0.015, 200)
    poses = run([nose(float(value)) for value in values], steadily(15, 200))
    raw = np.diff(values >= LIMIT).sum()
    assert raw > 50
    assert np.diff([bool(pose.visible[NOSE]) for pose in poses]).sum() <= 2


def test_a_keypoint_appears_above_its_threshold_and_disappears_at_once() -> None:
    h = Settings().hysteresis
    values = [0.9, 0.31, 0.29, 0.31, LIMIT + h - 0.01, LIMIT + h + 0.01, 0.31, 0.2, 0.9]
    poses = run([nose(value) for value in values], steadily(15, len(values)))
    assert [bool(pose.visible[NOSE]) for pose in poses] == [True, True, False, False, False, True, True, False, True]


def test_the_first_frame_has_no_hysteresis() -> None:
    assert run([nose(0.31)], [0.0])[0].visible[NOSE]
    assert not run([nose(0.29)], [0.0])[0].visible[NOSE]


def test_body_parts_have_their_own_hysteresis_and_high_thresholds_can_be_reached() -> None:
    strict = Thresholds.of(confidence=0.99, parts={}, score=0, keypoints=1)
    smoother = Smoother(strict, Settings(hysteresis=0.2))
    seen = []
    for number, value in enumerate((0.999, 0.98, 0.999)):
        each = np.full(17, 0.9999, np.float32)
        each[EAR] = value
        one = Track(1, Pose(BODY, each, each >= 0.99, 0.9), 0, 0)
        seen.append(bool(smoother.smooth([one], number / 15)[0].pose.visible[EAR]))
    assert seen == [True, False, True]
    ears = [track(confidence=0.9), track(confidence=0.5), track(confidence=0.61), track(confidence=0.9)]
    assert [bool(pose.visible[EAR]) for pose in run(ears, steadily(15, 4))] == [True, False, False, True]


def test_hysteresis_never_hides_a_whole_person() -> None:
    """Most keypoints come back at the same moment, but below the value at which they appear."""
    few = np.full(17, 0.25, np.float32)
    few[[5, 6, 11]] = 0.9
    back = np.where(few < LIMIT, np.float32(0.32), few)
    poses = run([track(confidence=few), track(confidence=back)], steadily(15, 2))
    assert [pose.visible.sum() for pose in poses] == [3, 16]  # all except the ear, which has a higher threshold


def test_keypoints_do_not_flicker_when_few_are_confident() -> None:
    """Four are confident, one comes and goes, and the rest is just above the threshold."""
    rng = np.random.default_rng(0)
    tracks = []
    for _ in range(200):
        each = np.full(17, 0.25, np.float32)
        each[:4], each[6:13] = 0.9, 0.33
        each[3] = 0.25  # the ear has a higher threshold
        each[4], each[5] = 0.9, 0.3 + rng.normal(0, 0.1)
        tracks.append(track(confidence=each))
    shown = [int(pose.visible.sum()) for pose in run(tracks, steadily(15, 200))]
    assert set(shown) <= {11, 12}


def test_a_keypoint_that_is_not_visible_is_never_shown() -> None:
    rng = np.random.default_rng(3)
    tracks = [track(confidence=rng.uniform(0.1, 0.9, 17).astype(np.float32)) for _ in range(100)]
    for one, pose in zip(tracks, run(tracks, steadily(15, 100)), strict=True):
        assert not (pose.visible & ~one.pose.visible).any()
        assert np.array_equal(pose.confidence, one.pose.confidence)


def test_a_person_who_returns_starts_at_the_new_position() -> None:
    moved = track(BODY + np.float32(80))
    here, there = run([track(), moved], [10.0, 10.0 + RESTART_S + 0.1])
    assert np.array_equal(here.xy, BODY)
    assert there.xy == pytest.approx(moved.pose.xy)


def test_a_keypoint_that_returns_starts_at_the_new_position() -> None:
    hidden = np.full(17, 0.9, np.float32)
    hidden[NOSE] = 0.1
    elsewhere = BODY.copy()
    elsewhere[NOSE] += 100
    for frames in (1, 3, 10):
        tracks = [track()] * 5 + [track(confidence=hidden)] * frames + [track(elsewhere)]
        last = run(tracks, steadily(15, len(tracks)))[-1]
        assert last.visible[NOSE]
        assert last.xy == pytest.approx(elsewhere, abs=1e-3)


def test_a_clock_that_goes_back_or_stands_still_restarts_the_filters() -> None:
    for times_s in ([50.0, 10.0], [50.0, 50.0]):
        moved = track(BODY + np.float32(9))
        assert np.array_equal(run([track(), moved], times_s)[1].xy, moved.pose.xy)


def test_filters_of_people_who_left_are_dropped() -> None:
    smoother = Smoother(THRESHOLDS, Settings())
    for number in range(3000):
        smoother.smooth([track(id_=number)], number / 2)
    assert len(smoother._filters) < 30
