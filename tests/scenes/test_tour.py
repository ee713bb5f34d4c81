"""The tour: five scenes in one room, at fixed times."""

from itertools import groupby, pairwise

import numpy as np
import pytest

from edge.scenes import tour
from edge.scenes.motions import Motion
from edge.scenes.scenes import Scene, open_scene
from edge.scenes.tour import FIRST, STOP_FRAMES, STOPS, stop_at
from edge.skeleton import INDEX

ROUND = STOP_FRAMES * len(STOPS)
SIZES = [(160, 120), (192, 108), (120, 160), (300, 100)]
ROOMS = [0.46, 0.8, 2.0]  # statures on either side, from portrait to a very wide picture
HIPS = [INDEX["LEFT_HIP"], INDEX["RIGHT_HIP"]]
NEAR, FAR = 0, 1  # the nearest first


def small(seed: int = 0) -> Scene:
    return open_scene("tour", width=160, height=120, seed=seed)


def frames_of(name: str) -> range:
    """The frames of a scene in the second round."""
    start = ROUND - FIRST + STOP_FRAMES * [stop.name for stop in STOPS].index(name)
    return range(start, start + STOP_FRAMES)


def test_the_scenes_follow_each_other_every_20_seconds() -> None:
    assert stop_at(0) is stop_at(STOP_FRAMES - FIRST - 1) is STOPS[0]
    assert stop_at(STOP_FRAMES - FIRST) is STOPS[1]
    assert stop_at(ROUND) is STOPS[0]
    for stop in STOPS:
        assert {stop_at(frame) for frame in frames_of(stop.name)} == {stop}


@pytest.mark.parametrize("room", ROOMS)
def test_every_scene_has_the_same_length_at_any_width(room: float) -> None:
    assert len(tour.near(room)) == len(tour.far(room)) == ROUND


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_room_is_empty_when_the_scene_changes(width: int, height: int) -> None:
    painter = open_scene("tour", width=width, height=height)
    for start in range(STOP_FRAMES - FIRST, 2 * ROUND, STOP_FRAMES):
        for frame in range(start - 30, start + 10, 5):
            assert not any(one.visible.any() for one in painter.truth(frame)), frame


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("actor", [tour.near, tour.far])
def test_people_never_jump(actor: Motion, room: float) -> None:
    frames = actor(room)
    outside = room + tour.EDGE + tour.OUTSIDE
    for (_, before), (_, now) in pairwise([*frames, frames[0]]):
        are_outside = min(abs(before), abs(now)) > outside - 0.1
        assert abs(now - before) < 0.15 or are_outside


def test_the_tour_begins_with_a_person_in_view() -> None:
    near, far = small().truth(0)
    assert far.visible.sum() >= 14
    assert not near.visible.any()


def test_seeds_do_not_change_when_and_where_people_are() -> None:
    one, other = (small(seed).truth(500) for seed in (0, 7))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.xy, second.xy)


@pytest.mark.parametrize(
    ("name", "seen"), [("walk", {FAR}), ("wave", {NEAR}), ("cross", {NEAR, FAR}), ("sit", {FAR}), ("fall", {NEAR})]
)
def test_each_scene_shows_its_people(name: str, seen: set[int]) -> None:
    painter = small()
    shown: set[int] = set()
    for frame in frames_of(name)[::5]:
        shown |= {number for number, one in enumerate(painter.truth(frame)) if one.visible.sum() >= 10}
    assert shown == seen


def test_two_people_pass_each_other() -> None:
    painter = small()
    sides = []
    for frame in frames_of("cross"):
        near, far = painter.truth(frame)
        if near.visible.sum() >= 10 and far.visible.any():
            sides.append(bool(near.xy[HIPS, 0].mean() > far.xy[HIPS, 0].mean()))
    passed = [side for side, _ in groupby(sides)]
    assert len(passed) == 5, "they pass each other four times"


def test_the_person_who_falls_lies_for_longer_than_a_fall_needs() -> None:
    painter = small()
    lying = []
    for frame in frames_of("fall"):
        width, height = np.ptp(painter.truth(frame)[NEAR].xy, axis=0)
        lying.append(bool(width > 1.5 * height))
    changes = np.flatnonzero(np.diff(lying))
    assert len(changes) == 2
    assert 4 < (changes[1] - changes[0]) / 15 < 7
