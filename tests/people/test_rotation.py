from collections.abc import Iterable
from itertools import product

import numpy as np
import pytest

from edge.people.rotation import TURNS, RotationPlanner, merge_views, turns_for
from edge.pipeline.pipeline import Pipeline
from edge.types import Pose, Track
from tests.support.models import fast_config
from tests.support.pipelines import configured
from tests.support.poses import make_pose
from tests.support.scenes import frame_of, scene

# Keypoints of an upright person, (x, y) from the hips.
UPRIGHT = np.zeros((17, 2), np.float32)
UPRIGHT[:5, 1] = -100
UPRIGHT[5:11] = [(20, -70), (-20, -70), (22, -30), (-22, -30), (25, 5), (-25, 5)]
UPRIGHT[11:] = [(12, 0), (-12, 0), (12, 50), (-12, 50), (12, 95), (-12, 95)]


def pose(
    lean: float = 0,
    *,
    turn: int = 0,
    at: tuple[float, float] = (300, 200),
    score: float = 0.9,
    hidden: Iterable[int] = (),
) -> Pose:
    """A person whose head leans `lean` degrees to the right, detected in a frame turned by `turn`."""
    a = np.radians(lean)
    turned = UPRIGHT @ np.array(((np.cos(a), np.sin(a)), (-np.sin(a), np.cos(a))), np.float32)
    visible = np.ones(17, np.bool_)
    visible[list(hidden)] = False
    return make_pose(turned + np.array(at), confidence=0.8, visible=visible, score=score, turn=turn)


def track(seen: Pose, id_: int | None = 1, last_seen_s: float = 0.0) -> Track:
    return Track(id_, seen, 0.0, last_seen_s)


@pytest.mark.parametrize(("lean", "turn"), [(0, 0), (30, 0), (-40, 0), (90, 1), (60, 1), (180, 2), (-90, 3), (-120, 3)])
def test_the_first_rotation_brings_the_head_up(lean: float, turn: int) -> None:
    assert turns_for(pose(lean))[0] == turn
    assert sorted(turns_for(pose(lean))) == [0, 1, 2, 3]
    # The head is above the hips in a frame that numpy turned the same way.
    picture = np.zeros((400, 600), np.uint8)
    x, y = pose(lean).xy[0].astype(int)
    picture[y, x] = 1
    picture[200, 300] = 2
    turned = np.rot90(picture, turns_for(pose(lean))[0])
    (head,), (hips,) = np.argwhere(turned == 1), np.argwhere(turned == 2)
    assert hips[0] - head[0] > abs(hips[1] - head[1])


@pytest.mark.parametrize("hidden", [[5, 6], [11, 12]])
def test_without_a_trunk_the_rotation_of_the_detection_comes_first(hidden: list[int]) -> None:
    assert turns_for(pose(90, turn=3, hidden=hidden))[0] == 3


def test_upright_people_need_one_view() -> None:
    planner = RotationPlanner()
    for frame in range(900):
        planner.observe([track(pose())], [], frame / 15)
        assert planner.turns((frame + 1) / 15) == [0]


def test_a_person_who_leans_far_over_gets_a_second_view_that_way() -> None:
    planner = RotationPlanner()
    planner.observe([track(pose(-70))], [], 1.0)
    assert planner.turns(1.1) == [0, 3]


def test_a_lying_person_needs_one_view_and_upright_people_are_searched_for() -> None:
    planner = RotationPlanner()
    views = []
    for frame in range(900):
        views.append(planner.turns(frame / 15))
        planner.observe([track(pose(90, turn=1))], [], frame / 15)
    assert all(view[0] == 1 for view in views[1:])
    second_views = [view[1] for view in views[1:] if len(view) > 1]
    assert set(second_views) == {0}
    assert 50 <= len(second_views) <= 60


def test_a_lost_person_is_searched_for_in_the_direction_of_the_lean_first() -> None:
    planner = RotationPlanner()
    planner.observe([track(pose(40))], [], 1.0)
    views = []
    for frame in range(1, 4):
        planner.observe([], [track(pose(40), last_seen_s=1.0)], 1 + frame / 15)
        views.append(planner.turns(1 + (frame + 0.5) / 15))
    assert views == [[0, 1], [0, 3], [0, 2]]


def test_a_person_hidden_behind_another_is_searched_for_at_a_low_rate() -> None:
    planner = RotationPlanner()
    behind = track(pose(at=(310, 195)), 2, last_seen_s=0.9)
    second_views = 0
    for frame in range(15, 75):
        views = planner.turns(frame / 15)
        second_views += len(views) - 1
        planner.observe([track(pose())], [behind], frame / 15)
    assert 2 <= second_views <= 5
    # A person lost in the open is searched for at once.
    in_the_open = track(pose(at=(100, 200)), 3, last_seen_s=5.0)
    planner.observe([track(pose())], [in_the_open], 5.1)
    assert len(planner.turns(5.2)) == 2


def test_a_lying_person_who_is_lost_is_searched_for_upright_first() -> None:
    planner = RotationPlanner()
    planner.observe([track(pose(50, turn=1))], [], 1.0)
    planner.observe([], [track(pose(50, turn=1), last_seen_s=1.0)], 1.1)
    assert planner.turns(1.2) == [1, 0]


def test_a_standing_and_a_lying_person_share_the_views() -> None:
    """The rotation of most people comes first, and all second views go to the other person."""
    planner = RotationPlanner()
    second_views = []
    last_s = 0.0
    for frame in range(600):
        now_s = frame / 15
        views = planner.turns(now_s)
        lying = track(pose(90, turn=1), 2, last_s)
        if 1 in views or frame == 0:
            last_s = now_s
            planner.observe([track(pose()), track(pose(90, turn=1), 2, now_s)], [], now_s)
        else:
            planner.observe([track(pose())], [lying], now_s)
        second_views += views[1:]
        if frame:
            assert views[0] == 0
    assert set(second_views) == {1}
    assert 600 / 6 <= len(second_views) <= 600 / 6 + 4


def test_an_empty_room_is_searched_in_every_rotation_at_a_low_rate() -> None:
    planner = RotationPlanner()
    second_views = []
    for frame in range(900):
        views = planner.turns(frame / 15)
        planner.observe([], [], frame / 15)
        assert views[0] == 0
        second_views += views[1:]
    assert 55 <= len(second_views) <= 60
    assert second_views[:6] == [1, 3, 2, 1, 3, 2]


def test_a_new_lying_person_counts_more_than_a_lost_one() -> None:
    """They may be the same person, and only the new one is certainly in the picture."""
    planner = RotationPlanner()
    gone = track(pose(), 1, last_seen_s=0.9)
    planner.observe([track(pose(90, turn=1), None)], [gone], 1.0)
    assert planner.turns(1.05)[0] == 1
    planner.observe([], [gone], 1.05)
    assert planner.turns(1.1)[0] == 0


def test_a_person_without_an_id_gets_more_views_for_a_second() -> None:
    planner = RotationPlanner()
    planner.observe([track(pose())], [], 0.9)
    planner.observe([track(pose()), track(pose(90, turn=1), None)], [], 1.0)
    assert planner.turns(1.05) == [0, 1]
    planner.observe([track(pose())], [], 1.1)
    assert planner.turns(1.15) == [0, 1]
    planner.observe([track(pose())], [], 3)
    assert planner.turns(3.1) == [0]


@pytest.mark.parametrize(("fps", "seed"), list(product((2, 5, 15, 30), range(5))))
def test_second_views_cost_less_than_a_fifth_of_any_minute(fps: int, seed: int) -> None:
    """People appear, lie, get lost and return at random."""
    rng = np.random.default_rng(seed)
    planner = RotationPlanner()
    views: list[int] = []
    for frame in range(fps * 180):
        now_s = frame / fps
        turns = planner.turns(now_s)
        views.append(len(turns) - 1)
        people = [track(pose(rng.uniform(-180, 180), turn=int(rng.choice(TURNS))), i, now_s) for i in range(4)]
        here = rng.random(4) < 0.5
        planner.observe(
            [one for one, seen in zip(people, here, strict=True) if seen],
            [one for one, seen in zip(people, here, strict=True) if not seen],
            now_s,
        )
    minute = fps * 60
    assert max(sum(views[i : i + minute]) for i in range(len(views) - minute)) <= minute / 5
    assert sum(views) > len(views) / 10, "too few second views to test the limit"


def test_a_clock_that_goes_back_does_not_end_the_search() -> None:
    planner = RotationPlanner()
    assert len(planner.turns(1000.0)) == 2
    assert len(planner.turns(0.0)) == 2


def test_a_person_in_two_views_counts_once_with_the_better_pose() -> None:
    upright, turned = pose(45, score=0.4), pose(47, turn=1, score=0.7)
    other = pose(at=(500, 200), score=0.5)
    assert merge_views([[other, upright], [turned]]) == [turned, other]
    assert merge_views([[turned, other]]) == [turned, other]


def test_people_of_one_view_are_never_merged() -> None:
    close = [pose(score=0.9), pose(at=(305, 203), score=0.8)]
    assert merge_views([close, []]) == close


def test_a_person_kneeling_over_a_lying_one_is_not_merged_with_them() -> None:
    kneels, lies = pose(at=(300, 200)), pose(90, turn=1, at=(300, 280), score=0.8)
    assert merge_views([[kneels], [lies]]) == [kneels, lies]


def pipeline(*, detect_lying: bool = True) -> Pipeline:
    return configured(fast_config(people={"detect_lying": detect_lying, "second_opinion": "off"}))[1]


def followed(running: Pipeline, name: str, seed: int, frames: Iterable[int]) -> list[tuple[set[int | None], float]]:
    """For each frame, the IDs, and the mean distance between detected and painted keypoints, px."""
    painter = scene(name, seed)
    seen = []
    for number in frames:
        people = running.update(frame_of(painter, number)).people
        (truth,) = painter.truth(number)
        errors = [np.linalg.norm(one.pose.xy - truth.xy, axis=1)[one.pose.visible].mean() for one in people]
        seen.append(({one.id for one in people}, float(np.mean(errors)) if errors else np.inf))
    return seen


@pytest.mark.parametrize("seed", [1])  # tests/e2e uses another seed
def test_a_person_keeps_the_id_through_a_fall_and_getting_up(seed: int) -> None:
    loop = 131  # frames of the whole scene
    seen = followed(pipeline(), "fall", seed, range(loop + 20))[10:]
    assert {id_ for ids, _ in seen for id_ in ids} - {None} == {1}
    assert np.mean([len(ids) == 1 for ids, _ in seen]) > 0.95
    assert np.median([error for _, error in seen]) < 9


def test_without_rotations_a_lying_person_is_not_detected() -> None:
    """Without this, the test above could pass without rotations."""
    assert all(not ids for ids, _ in followed(pipeline(detect_lying=False), "lie", 0, range(10)))
    assert all(ids == {1} for ids, _ in followed(pipeline(), "lie", 0, range(10))[5:])


def test_frames_that_no_network_sees_count_towards_second_views() -> None:
    planner = RotationPlanner()
    for check in range(50):
        assert len(planner.turns(2.0 * check)) == 2
        planner.observe([], [], 2.0 * check)
        for _ in range(29):
            planner.rest()
