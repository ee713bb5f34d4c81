from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from edge.people.tracking import Tracker
from edge.scenes.motions import fall, wave
from edge.scenes.scenes import SCENE_FPS, Actor, Scene, open_scene
from edge.types import Array, Floats, Pose
from tests.support.poses import make_pose

# Somebody upright, 1 high and 0.3 wide, as (x, y) from the middle; who walks swings the last four and the arms.
BODY = np.array(
    [(0, -0.45), (0.02, -0.47), (-0.02, -0.47), (0.04, -0.46), (-0.04, -0.46), (0.11, -0.33), (-0.11, -0.33),
     (0.14, -0.18), (-0.14, -0.18), (0.15, -0.03), (-0.15, -0.03), (0.07, -0.02), (-0.07, -0.02), (0.08, 0.24),
     (-0.08, 0.24), (0.08, 0.47), (-0.08, 0.47)], np.float32,
)  # fmt: skip


def body(x: float, height: float, phase: float = 0.0, y: float = 260.0) -> Floats:
    shape = BODY.copy()
    shape[[7, 9, 13, 15], 0] += 0.06 * np.sin(phase)
    shape[[8, 10, 14, 16], 0] -= 0.06 * np.sin(phase)
    return (shape * height + (x, y)).astype(np.float32)


def noticed(rng: np.random.Generator, xy: Array, visible: Array, *, missed: float) -> Pose | None:
    """What a network might make of somebody: noise, missed keypoints, missed frames."""
    seen = visible & (rng.random(17) > 0.1)
    if seen.sum() < 5 or rng.random() < missed:
        return None
    return make_pose(xy + rng.normal(0, rng.uniform(1, 3), (17, 2)), visible=seen, score=float(seen.mean()))


def shuffled(rng: np.random.Generator, poses: list[tuple[int, Pose]]) -> list[tuple[int, Pose]]:
    return [poses[i] for i in rng.permutation(len(poses))]


class Diary:
    """Which ids each painted person had, and which persons each id."""

    def __init__(self) -> None:
        self.ids: dict[int, set[int]] = defaultdict(set)

    def note(self, tracker: Tracker, poses: list[tuple[int, Pose]], now_s: float) -> None:
        for (who, _), track in zip(poses, tracker.update([one for _, one in poses], now_s), strict=True):
            if track.id is not None:
                self.ids[who].add(track.id)


def test_an_id_comes_with_the_third_frame_and_stays() -> None:
    tracker = Tracker(min_hits=3)
    ids = [tracker.update([make_pose(body(200 + n, 300))], n / 15)[0].id for n in range(6)]
    assert ids == [None, None, 1, 1, 1, 1]


@pytest.mark.parametrize("min_hits", [1, 2, 7])
def test_min_hits_is_how_often_somebody_has_to_be_seen(min_hits: int) -> None:
    tracker = Tracker(min_hits=min_hits)
    ids = [tracker.update([make_pose(body(200, 300))], n / 15)[0].id for n in range(9)]
    assert ids == [None] * (min_hits - 1) + [1] * (10 - min_hits)


def test_who_is_seen_once_or_twice_never_gets_an_id() -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for n in range(300):
        ghosts = [make_pose(body(rng.uniform(50, 590), rng.uniform(80, 400)))] if n % 40 < 2 else []
        assert [track.id for track in tracker.update(ghosts, n / 15)] in ([], [None])


def test_who_was_away_too_long_is_somebody_new_and_ids_are_never_given_twice() -> None:
    tracker = Tracker(min_hits=1, max_age_s=2.0)
    given = []
    now_s = 0.0
    for away_s in (0.1, 1.9, 2.1, 0.1, 5.0, 100.0):
        now_s += away_s
        given.append(tracker.update([make_pose(body(200, 300))], now_s)[0].id)
    assert given == [1, 1, 2, 2, 3, 4]


def test_the_lost_are_those_with_an_id_who_were_not_seen_just_now() -> None:
    tracker = Tracker(min_hits=2, max_age_s=1.0)
    assert tracker.lost == []
    tracker.update([make_pose(body(100, 300)), make_pose(body(400, 300))], 0.0)
    tracker.update([make_pose(body(100, 300)), make_pose(body(400, 300))], 0.1)
    assert tracker.lost == []
    tracker.update([make_pose(body(400, 300)), make_pose(body(250, 150, y=120))], 0.2)
    (lost,) = tracker.lost
    assert (lost.id, lost.last_seen_s) == (1, 0.1)
    tracker.update([], 1.15)
    assert [track.id for track in tracker.lost] == [2]
    tracker.update([], 1.3)
    assert tracker.lost == []


def test_tracks_come_in_the_order_of_the_poses_with_their_times() -> None:
    tracker = Tracker(min_hits=1)
    left, right = make_pose(body(100, 300)), make_pose(body(400, 300))
    assert [track.id for track in tracker.update([left, right], 5.0)] == [1, 2]
    again = tracker.update([right, left], 5.1)
    assert [track.id for track in again] == [2, 1]
    assert again[0].pose is right
    assert {(track.first_seen_s, track.last_seen_s) for track in again} == {(5.0, 5.1)}
    assert tracker.update([], 5.2) == []


def test_a_clock_that_goes_back_forgets_everybody_but_not_the_numbers() -> None:
    tracker = Tracker(min_hits=1)
    assert tracker.update([make_pose(body(100, 300))], 50.0)[0].id == 1
    assert tracker.update([make_pose(body(100, 300))], 10.0)[0].id == 2
    assert tracker.lost == []


def test_two_frames_of_one_moment_do_no_harm() -> None:
    tracker = Tracker(min_hits=1)
    ids = {tracker.update([make_pose(body(100 + n, 300))], 1.0)[0].id for n in range(5)}
    assert ids == {1}


def test_few_keypoints_and_none_in_common_do_no_harm() -> None:
    tracker = Tracker(min_hits=1)
    upper, lower = np.arange(17) < 5, np.arange(17) >= 12
    for n, seen in enumerate((upper, lower, np.arange(17) == 3, upper, np.ones(17, np.bool_))):
        (track,) = tracker.update([make_pose(body(200, 300), visible=seen)], n / 15)
        assert track.id is not None


# Crossings.


@pytest.mark.parametrize("fps", [5, 10, 15, 30])
def test_people_who_cross_keep_their_ids(fps: int) -> None:
    """The one behind is hidden for a while, frames and keypoints are missed, and both may be equally tall.

    There is no certainty about people without faces: of 70 crossings one may go wrong.
    """
    wrong = []
    for seed in range(70):
        rng = np.random.default_rng(seed)
        near, far = rng.uniform(260, 330), rng.uniform(200, 310)
        pace, other_pace = rng.uniform(0.35, 0.9, 2)  # sizes a second
        missed = rng.uniform(0.05, 0.3)
        tracker, diary = Tracker(), Diary()
        for n in range(int(5 * fps)):
            now_s = n / fps
            xs = 320 + (now_s - 2.5) * pace * near, 320 - (now_s - 2.5) * other_pace * far
            people = []
            for who, (x, height) in enumerate(zip(xs, (near, far), strict=True)):
                xy = body(x, height, 9 * now_s)
                visible = np.ones(17, np.bool_)
                if who == 1:  # behind
                    visible = np.abs(xy[:, 0] - xs[0]) > 0.17 * near
                one = noticed(rng, xy, visible, missed=missed)
                if one is not None:
                    people.append((who, one))
            diary.note(tracker, shuffled(rng, people), now_s)
        if [len(ids) for ids in diary.ids.values()] != [1, 1] or diary.ids[0] == diary.ids[1]:
            wrong.append((seed, dict(diary.ids)))
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("fps", [10, 15])
@pytest.mark.parametrize("across", [0.0, 1.2], ids=["side by side", "crossing"])
def test_people_who_come_nearer_keep_their_ids(across: float, fps: int) -> None:
    """They become two or three times as large, so how large they were tells nothing."""
    mixed_up = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shorter, growth, seconds = rng.uniform(0.75, 0.95), rng.uniform(2, 3.5), rng.uniform(3, 6)
        tracker, diary = Tracker(), Diary()
        for n in range(int(seconds * fps)):
            done = n / fps / seconds
            size = 110 * growth**done
            left = 320 + (across * (done - 0.5) - 0.2 * (across == 0)) * size
            front = body(left, size, n * 9 / fps, y=260 + size / 10)
            behind = body(640 - left, size * shorter, n * 9 / fps + 1, y=260 + size / 10)
            everything = np.ones(17, np.bool_)
            hidden = np.abs(behind[:, 0] - left) < 0.17 * size
            pair = [noticed(rng, front, everything, missed=0.1), noticed(rng, behind, ~hidden, missed=0.1)]
            diary.note(tracker, shuffled(rng, [(k, one) for k, one in enumerate(pair) if one]), n / fps)
        mixed_up += [len(ids) for ids in diary.ids.values()] != [1, 1] or diary.ids[0] == diary.ids[1]
    assert mixed_up <= 2


def test_who_crouches_beside_a_child_is_not_the_child() -> None:
    everything = np.ones(17, np.bool_)
    mixed_up = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        child_px = rng.uniform(190, 230)
        tracker, diary = Tracker(), Diary()
        for n in range(150):
            now_s = n / 15
            adult = body(320, 300, y=260)
            adult[:, 1] = 410 - (410 - adult[:, 1]) * (1 - 0.5 * np.clip(now_s - 4, 0, 1))
            child = body(340 + 120 * max(3 - now_s, 0), child_px, y=410 - child_px / 2)
            pair = [noticed(rng, xy, everything, missed=0.1) for xy in (adult, child)]
            diary.note(tracker, shuffled(rng, [(k, one) for k, one in enumerate(pair) if one]), now_s)
        mixed_up += [len(ids) for ids in diary.ids.values()] != [1, 1] or diary.ids[0] == diary.ids[1]
    assert mixed_up <= 1


def test_keypoints_that_coincide_do_no_harm() -> None:
    tracker = Tracker(min_hits=1)
    for n in range(30):
        apart = 300 if n < 20 else 0.4
        tracks = tracker.update([make_pose(np.full((17, 2), 100.0)), make_pose(np.full((17, 2), 100 + apart))], n / 15)
        assert len(tracks) == 2


@pytest.mark.parametrize(("scene", "seed"), list(product(("two", "three"), range(3))))
def test_painted_people_keep_their_ids(scene: str, seed: int) -> None:
    """As painted, with what is hidden really hidden; frames are missed as well, but nobody for longer than 2 s."""
    painter = open_scene(scene, width=640, height=480, seed=seed)
    truths = [painter.truth(n) for n in range(260)]
    for trial in range(5):
        rng = np.random.default_rng(100 * seed + trial)
        tracker, diary = Tracker(max_age_s=20), Diary()
        for n, people in enumerate(truths):
            seen = [(who, noticed(rng, one.xy, one.visible, missed=0.15)) for who, one in enumerate(people)]
            diary.note(tracker, shuffled(rng, [(who, one) for who, one in seen if one]), n / SCENE_FPS)
        ids = [diary.ids[who] for who in range(len(truths[0]))]
        assert [len(one) for one in ids] == [1] * len(ids), (trial, ids)
        assert len(set.union(*ids)) == len(ids)


@pytest.mark.parametrize(("seed", "blind_s"), list(product(range(4), (0.0, 0.3, 0.7))))
def test_a_fall_keeps_its_id(seed: int, blind_s: float) -> None:
    """Though the shape changes within half a second, and who lies is seen only in every fifth frame."""
    painter = open_scene("fall", width=640, height=480, seed=seed)
    tracker, ids = Tracker(), set()
    rng = np.random.default_rng(seed)
    fallen_s = None
    for n in range(160):
        (truth,) = painter.truth(n)
        width, height = np.ptp(truth.xy, axis=0)
        fallen_s = (n / SCENE_FPS if fallen_s is None else fallen_s) if width > 0.7 * height else None
        if fallen_s is not None and (n / SCENE_FPS - fallen_s < blind_s or n % 5):
            tracker.update([], n / SCENE_FPS)
            continue
        one = noticed(rng, truth.xy, truth.visible, missed=0.0)
        ids |= {track.id for track in tracker.update([one] if one else [], n / SCENE_FPS)}
    assert ids - {None} == {1}


@pytest.mark.parametrize("seed", range(4))
def test_a_fall_beside_somebody_keeps_both_ids(seed: int) -> None:
    """Seen in every frame, and so near that it might be the other one."""
    painter = Scene((Actor(fall), Actor(wave, x=0.35 + 0.1 * seed, size=0.7)), 640, 480, seed)
    tracker, diary = Tracker(), Diary()
    rng = np.random.default_rng(seed)
    for n in range(160):
        seen = [(who, noticed(rng, one.xy, one.visible, missed=0.0)) for who, one in enumerate(painter.truth(n))]
        diary.note(tracker, shuffled(rng, [(who, one) for who, one in seen if one]), n / SCENE_FPS)
    assert [len(diary.ids[who]) for who in (0, 1)] == [1, 1]
    assert diary.ids[0] != diary.ids[1]


def test_somebody_new_far_away_is_not_who_just_left() -> None:
    tracker = Tracker(min_hits=1)
    for n in range(10):
        tracker.update([make_pose(body(80, 250))], n / 15)
    (new,) = tracker.update([make_pose(body(560, 250))], 11 / 15)
    assert new.id == 2


def test_somebody_much_smaller_in_the_same_place_is_not_the_same() -> None:
    """A child comes to stand where an adult stands: both are there, and the adult keeps the number."""
    tracker = Tracker(min_hits=1)
    for n in range(10):
        tracker.update([make_pose(body(300, 320))], n / 15)
    adult, child = make_pose(body(305, 320)), make_pose(body(300, 150, y=345))
    ids = [track.id for track in tracker.update([child, adult], 10 / 15)]
    assert ids == [2, 1]
