from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from edge.people.tracking import Tracker
from edge.scenes.motions import fall, wave
from edge.scenes.scenes import SCENE_FPS, Actor, Scene, open_scene
from edge.types import Array, Floats, Pose
from tests.support.poses import make_pose

# An upright person 1 high and 0.3 wide, (x, y) from the centre.
BODY = np.array(
    [(0, -0.45), (0.02, -0.47), (-0.02, -0.47), (0.04, -0.46), (-0.04, -0.46), (0.11, -0.33), (-0.11, -0.33),
     (0.14, -0.18), (-0.14, -0.18), (0.15, -0.03), (-0.15, -0.03), (0.07, -0.02), (-0.07, -0.02), (0.08, 0.24),
     (-0.08, 0.24), (0.08, 0.47), (-0.08, 0.47)], np.float32,
)  # fmt: skip


def body(x: float, height: float, phase: float = 0.0, y: float = 260.0) -> Floats:
    """Keypoints of a person centred on x, y; `phase` is that of the swing of arms and legs, rad."""
    shape = BODY.copy()
    shape[[7, 9, 13, 15], 0] += 0.06 * np.sin(phase)
    shape[[8, 10, 14, 16], 0] -= 0.06 * np.sin(phase)
    return (shape * height + (x, y)).astype(np.float32)


def detected(rng: np.random.Generator, xy: Array, visible: Array, *, missed: float) -> Pose | None:
    """A pose as a network may detect it: with noise, and with missing keypoints; None if it misses the person."""
    seen = visible & (rng.random(17) > 0.1)
    if seen.sum() < 5 or rng.random() < missed:
        return None
    return make_pose(xy + rng.normal(0, rng.uniform(1, 3), (17, 2)), visible=seen, score=float(seen.mean()))


def shuffled(rng: np.random.Generator, poses: list[tuple[int, Pose]]) -> list[tuple[int, Pose]]:
    return [poses[i] for i in rng.permutation(len(poses))]


class Record:
    """The IDs that each painted person had."""

    def __init__(self) -> None:
        self.ids: dict[int, set[int]] = defaultdict(set)

    def update(self, tracker: Tracker, poses: list[tuple[int, Pose]], now_s: float) -> None:
        for (person, _), track in zip(poses, tracker.update([one for _, one in poses], now_s), strict=True):
            if track.id is not None:
                self.ids[person].add(track.id)


def test_an_id_comes_with_the_third_frame_and_stays() -> None:
    tracker = Tracker(min_hits=3)
    ids = [tracker.update([make_pose(body(200 + n, 300))], n / 15)[0].id for n in range(6)]
    assert ids == [None, None, 1, 1, 1, 1]


@pytest.mark.parametrize("min_hits", [1, 2, 7])
def test_an_id_comes_with_the_min_hits_th_detection(min_hits: int) -> None:
    tracker = Tracker(min_hits=min_hits)
    ids = [tracker.update([make_pose(body(200, 300))], n / 15)[0].id for n in range(9)]
    assert ids == [None] * (min_hits - 1) + [1] * (10 - min_hits)


def test_a_ghost_never_gets_an_id() -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for n in range(300):
        ghosts = [make_pose(body(rng.uniform(50, 590), rng.uniform(80, 400)))] if n % 40 < 2 else []
        assert [track.id for track in tracker.update(ghosts, n / 15)] in ([], [None])


def test_a_person_who_returns_after_max_age_gets_a_new_id() -> None:
    tracker = Tracker(min_hits=1, max_age_s=2.0)
    given = []
    now_s = 0.0
    for away_s in (0.1, 1.9, 2.1, 0.1, 5.0, 100.0):
        now_s += away_s
        given.append(tracker.update([make_pose(body(200, 300))], now_s)[0].id)
    assert given == [1, 1, 2, 2, 3, 4]


def test_lost_tracks_have_an_id_and_were_not_in_the_last_frame() -> None:
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


def test_a_clock_that_goes_back_ends_all_tracks_and_reuses_no_id() -> None:
    tracker = Tracker(min_hits=1)
    assert tracker.update([make_pose(body(100, 300))], 50.0)[0].id == 1
    assert tracker.update([make_pose(body(100, 300))], 10.0)[0].id == 2
    assert tracker.lost == []


def test_frames_with_equal_times_keep_the_id() -> None:
    tracker = Tracker(min_hits=1)
    ids = {tracker.update([make_pose(body(100 + n, 300))], 1.0)[0].id for n in range(5)}
    assert ids == {1}


def test_poses_without_common_keypoints_are_different_people() -> None:
    tracker = Tracker(min_hits=1)
    head, legs, ear = np.arange(17) < 5, np.arange(17) >= 12, np.arange(17) == 3
    poses = [make_pose(body(200, 300), visible=seen) for seen in (head, legs, ear, head)]
    assert [tracker.update([pose], n / 15)[0].id for n, pose in enumerate(poses)] == [1, 2, 1, 1]


@pytest.mark.parametrize("fps", [5, 10, 15, 30])
def test_people_who_cross_keep_their_ids(fps: int) -> None:
    """One is hidden behind the other for a while, frames and keypoints are missing, and both may be equally tall.

    One of 70 crossings may go wrong, because keypoints cannot always distinguish two people.
    """
    wrong = []
    for seed in range(70):
        rng = np.random.default_rng(seed)
        near, far = rng.uniform(260, 330), rng.uniform(200, 310)
        pace, other_pace = rng.uniform(0.35, 0.9, 2)  # sizes a second
        missed = rng.uniform(0.05, 0.3)
        tracker, record = Tracker(), Record()
        for n in range(int(5 * fps)):
            now_s = n / fps
            xs = 320 + (now_s - 2.5) * pace * near, 320 - (now_s - 2.5) * other_pace * far
            people = []
            for person, (x, height) in enumerate(zip(xs, (near, far), strict=True)):
                xy = body(x, height, 9 * now_s)
                visible = np.ones(17, np.bool_)
                if person == 1:  # behind
                    visible = np.abs(xy[:, 0] - xs[0]) > 0.17 * near
                one = detected(rng, xy, visible, missed=missed)
                if one is not None:
                    people.append((person, one))
            record.update(tracker, shuffled(rng, people), now_s)
        if [len(ids) for ids in record.ids.values()] != [1, 1] or record.ids[0] == record.ids[1]:
            wrong.append((seed, dict(record.ids)))
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("fps", [10, 15])
@pytest.mark.parametrize("across", [0.0, 1.2], ids=["side by side", "crossing"])
def test_people_who_come_nearer_keep_their_ids(across: float, fps: int) -> None:
    """They become two or three times as large, so their earlier size does not help."""
    swapped = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shorter, growth, seconds = rng.uniform(0.75, 0.95), rng.uniform(2, 3.5), rng.uniform(3, 6)
        tracker, record = Tracker(), Record()
        for n in range(int(seconds * fps)):
            done = n / fps / seconds
            size = 110 * growth**done
            left = 320 + (across * (done - 0.5) - 0.2 * (across == 0)) * size
            front = body(left, size, n * 9 / fps, y=260 + size / 10)
            behind = body(640 - left, size * shorter, n * 9 / fps + 1, y=260 + size / 10)
            everything = np.ones(17, np.bool_)
            hidden = np.abs(behind[:, 0] - left) < 0.17 * size
            pair = [detected(rng, front, everything, missed=0.1), detected(rng, behind, ~hidden, missed=0.1)]
            record.update(tracker, shuffled(rng, [(k, one) for k, one in enumerate(pair) if one]), n / fps)
        swapped += [len(ids) for ids in record.ids.values()] != [1, 1] or record.ids[0] == record.ids[1]
    assert swapped <= 2


def test_an_adult_who_crouches_beside_a_child_keeps_the_id() -> None:
    everything = np.ones(17, np.bool_)
    swapped = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        child_px = rng.uniform(190, 230)
        tracker, record = Tracker(), Record()
        for n in range(150):
            now_s = n / 15
            adult = body(320, 300, y=260)
            adult[:, 1] = 410 - (410 - adult[:, 1]) * (1 - 0.5 * np.clip(now_s - 4, 0, 1))
            child = body(340 + 120 * max(3 - now_s, 0), child_px, y=410 - child_px / 2)
            pair = [detected(rng, xy, everything, missed=0.1) for xy in (adult, child)]
            record.update(tracker, shuffled(rng, [(k, one) for k, one in enumerate(pair) if one]), now_s)
        swapped += [len(ids) for ids in record.ids.values()] != [1, 1] or record.ids[0] == record.ids[1]
    assert swapped <= 1


def test_people_whose_keypoints_coincide_have_different_ids() -> None:
    tracker = Tracker(min_hits=1)
    for n in range(30):
        apart = 300 if n < 20 else 0.4
        tracks = tracker.update([make_pose(np.full((17, 2), 100.0)), make_pose(np.full((17, 2), 100 + apart))], n / 15)
        assert len({track.id for track in tracks} - {None}) == 2


@pytest.mark.parametrize(("scene", "seed"), list(product(("two", "three"), range(3))))
def test_painted_people_keep_their_ids(scene: str, seed: int) -> None:
    """Hidden keypoints are not visible, and frames are missing."""
    painter = open_scene(scene, width=640, height=480, seed=seed)
    truths = [painter.truth(n) for n in range(260)]
    for trial in range(5):
        rng = np.random.default_rng(100 * seed + trial)
        tracker, record = Tracker(max_age_s=20), Record()
        for n, people in enumerate(truths):
            seen = [(person, detected(rng, one.xy, one.visible, missed=0.15)) for person, one in enumerate(people)]
            record.update(tracker, shuffled(rng, [(person, one) for person, one in seen if one]), n / SCENE_FPS)
        ids = [record.ids[person] for person in range(len(truths[0]))]
        assert [len(one) for one in ids] == [1] * len(ids), (trial, ids)
        assert len(set.union(*ids)) == len(ids)


@pytest.mark.parametrize(("seed", "blind_s"), list(product(range(4), (0.0, 0.3, 0.7))))
def test_a_falling_person_keeps_the_id(seed: int, blind_s: float) -> None:
    """The shape changes within half a second, and a lying person is detected only in every fifth frame."""
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
        one = detected(rng, truth.xy, truth.visible, missed=0.0)
        ids |= {track.id for track in tracker.update([one] if one else [], n / SCENE_FPS)}
    assert ids - {None} == {1}


@pytest.mark.parametrize("seed", range(4))
def test_people_keep_their_ids_when_one_falls_beside_another(seed: int) -> None:
    """The other person is so near that the pose after the fall could be theirs."""
    painter = Scene((Actor(fall), Actor(wave, x=0.35 + 0.1 * seed, size=0.7)), 640, 480, seed)
    tracker, record = Tracker(), Record()
    rng = np.random.default_rng(seed)
    for n in range(160):
        seen = [(person, detected(rng, one.xy, one.visible, missed=0.0)) for person, one in enumerate(painter.truth(n))]
        record.update(tracker, shuffled(rng, [(person, one) for person, one in seen if one]), n / SCENE_FPS)
    assert [len(record.ids[person]) for person in (0, 1)] == [1, 1]
    assert record.ids[0] != record.ids[1]


def test_a_new_person_far_away_gets_a_new_id() -> None:
    tracker = Tracker(min_hits=1)
    for n in range(10):
        tracker.update([make_pose(body(80, 250))], n / 15)
    (new,) = tracker.update([make_pose(body(560, 250))], 11 / 15)
    assert new.id == 2


def test_a_child_in_front_of_an_adult_gets_a_new_id() -> None:
    """Both are detected, and the adult keeps the ID."""
    tracker = Tracker(min_hits=1)
    for n in range(10):
        tracker.update([make_pose(body(300, 320))], n / 15)
    adult, child = make_pose(body(305, 320)), make_pose(body(300, 150, y=345))
    ids = [track.id for track in tracker.update([child, adult], 10 / 15)]
    assert ids == [2, 1]
