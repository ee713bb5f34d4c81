"""Verdicts about constructed observations."""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge.people.evidence import UNCONFIRMED
from edge.rules.aim import VERDICTS, Aim
from edge.types import Person, Point, Pose, Rejected, box_around
from tests.support.people import STANDING, observation, person
from tests.support.rules import jittered, standing

SIZE = (640, 480)


class Viewer:
    """Shows frames to `Aim`, 10 per second."""

    def __init__(self) -> None:
        self.aim = Aim()
        self.now_s = 500.0
        self._sequence = 0

    def show(self, *people: Person, for_s: float, rejected: Sequence[Rejected] = (), step_s: float = 0.1) -> list[str]:
        """The codes after people kept still for a while."""
        return self.play([people] * round(for_s / step_s), rejected=rejected, step_s=step_s)

    def play(
        self, frames: Sequence[Sequence[Person]], *, rejected: Sequence[Rejected] = (), step_s: float = 0.1
    ) -> list[str]:
        """The codes after these frames."""
        for people in frames:
            self.now_s += step_s
            self._sequence += 1
            self.aim.observe(observation(self._sequence, *people, at_s=self.now_s, size=SIZE), rejected)
        return self.codes()

    def codes(self, camera: str = "ok") -> list[str]:
        return [verdict.code for verdict in self.aim.verdicts(camera, self.now_s)]


def turned(someone: Person, quarters: int, size: tuple[int, int] = SIZE) -> Person:
    """A person in the picture of a camera that is turned, so that the picture appears turned anticlockwise."""
    points: list[Point | None] = []
    for point in someone.keypoints:
        x, y = (point.x, point.y) if point else (0.0, 0.0)
        for _ in range(quarters):
            x, y = y, size[0] - 1 - x
        points.append(Point(x, y, point.confidence) if point else None)
    return Person(someone.id, someone.score, box_around([one[:2] for one in points if one]), tuple(points))


def cut(someone: Person, *, left: float = 0, top: float = 0, right: float = 640, bottom: float = 480) -> Person:
    """A person as a network shows one who is partly outside the picture: parts beyond an edge are at that edge."""
    points = [
        point and Point(min(max(point.x, left), right - 1), min(max(point.y, top), bottom - 1), point.confidence)
        for point in someone.keypoints
    ]
    return Person(someone.id, someone.score, box_around([one[:2] for one in points if one]), tuple(points))


def without(someone: Person, *parts: str) -> Person:
    names = list(STANDING)
    hidden = {names.index(part) for part in parts}
    points = tuple(None if k in hidden else point for k, point in enumerate(someone.keypoints))
    return Person(someone.id, someone.score, box_around([one[:2] for one in points if one]), points)


def doubtful(someone: Person, reason: str = UNCONFIRMED) -> Rejected:
    points = [point or Point(0, 0, 0) for point in someone.keypoints]
    pose = Pose(
        np.array([point[:2] for point in points], np.float32),
        np.array([point.confidence for point in points], np.float32),
        np.array([point is not None for point in someone.keypoints]),
        someone.score,
    )
    return Rejected(pose, reason)


def walking(turns: int = 0, *, from_x: float = 150, to_x: float = 500, seconds: float = 12.0) -> list[list[Person]]:
    """A person who walks across a picture that is turned by this many quarters."""
    steps = round(seconds * 10)
    xs = (from_x + (to_x - from_x) * step / steps for step in range(steps))
    return [[turned(standing(1, (x, 400)), turns)] for x in xs]


def test_a_person_from_head_to_foot_is_good() -> None:
    assert Viewer().show(standing(1, (320, 420)), for_s=8) == ["good"]


def test_a_person_who_walks_across_is_good() -> None:
    assert Viewer().play(walking()) == ["good"]


def test_an_empty_room_asks_for_a_person() -> None:
    assert Viewer().show(for_s=30) == ["no_people"]


def test_there_is_a_verdict_before_the_first_frame() -> None:
    assert Viewer().codes() == ["no_people"]


def test_a_glimpse_of_a_person_is_too_little() -> None:
    assert Viewer().show(standing(1, (320, 420)), for_s=2) == ["too_little"]


def test_a_face_that_fills_the_picture_is_visible_only_in_part() -> None:
    face = person(1, {part: STANDING[part] for part in ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR")})
    assert Viewer().show(face, for_s=8) == ["partly"]


@pytest.mark.parametrize("bottom", [405, 370, 320, 300])
def test_feet_at_the_bottom_edge_are_below_the_picture(bottom: int) -> None:
    tall = standing(1, (320, 430), height_px=250)
    dy = 480 - bottom
    moved = person(1, {name: (x, y + dy) for (name, _), (x, y, _) in zip(STANDING.items(), _known(tall), strict=True)})
    assert Viewer().show(cut(moved), for_s=8) == ["feet_cut"]


def test_feet_that_no_network_shows_at_the_bottom_edge_are_below_the_picture() -> None:
    seen = without(standing(1, (320, 580), height_px=300), "LEFT_ANKLE", "RIGHT_ANKLE", "LEFT_KNEE", "RIGHT_KNEE")
    assert Viewer().show(cut(seen), for_s=8) == ["feet_cut"]


def test_feet_hidden_in_the_middle_of_the_picture_are_behind_something() -> None:
    seen = without(standing(1, (320, 350)), "LEFT_ANKLE", "RIGHT_ANKLE")
    assert Viewer().show(seen, for_s=8) == ["feet_hidden"]


@pytest.mark.parametrize("parts", [(), ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR")])
def test_a_head_at_the_top_edge_is_above_the_picture(parts: tuple[str, ...]) -> None:
    seen = without(standing(1, (320, 175)), *parts)
    assert Viewer().show(cut(seen), for_s=8) == ["head_cut"]


def test_a_person_seen_from_behind_has_a_head() -> None:
    seen = without(standing(1, (320, 400)), "NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR")
    assert Viewer().show(seen, for_s=8) == ["good"]


def test_a_person_larger_than_the_picture_is_too_close() -> None:
    assert Viewer().show(cut(standing(1, (320, 600), height_px=650)), for_s=8) == ["too_close"]


@pytest.mark.parametrize(("x", "code"), [(8, "left_cut"), (632, "right_cut")])
def test_a_person_at_a_side_is_cut_there(x: float, code: str) -> None:
    assert Viewer().show(cut(standing(1, (x, 420))), for_s=8) == [code]


def test_people_at_both_sides_do_not_fit() -> None:
    people = (cut(standing(1, (2, 420))), cut(standing(2, (638, 420))))
    assert Viewer().show(*people, for_s=8) == ["too_close"]


@pytest.mark.parametrize(("size", "height_px"), [((640, 480), 50), ((1280, 720), 100), ((480, 640), 60)])
def test_a_distant_person_is_too_small(size: tuple[int, int], height_px: float) -> None:
    viewer, someone = Viewer(), standing(1, (200, 300), height_px=height_px)
    for step in range(80):
        viewer.aim.observe(observation(step, someone, at_s=500 + step / 10, size=size), ())
    assert [verdict.code for verdict in viewer.aim.verdicts("ok", 508)] == ["small"]


def test_faint_people_are_unsure() -> None:
    faint = person(1, at=(200, 150), confidence=0.25)
    assert Viewer().show(faint, for_s=8) == ["unsure"]


@pytest.mark.parametrize(("turns", "code"), [(1, "turned_left"), (2, "upside_down"), (3, "turned_right")])
def test_a_person_who_walks_in_a_turned_picture_shows_how_it_is_turned(turns: int, code: str) -> None:
    assert Viewer().play(walking(turns)) == [code]


def test_a_person_who_stands_still_in_a_picture_upside_down_shows_it() -> None:
    assert Viewer().show(turned(standing(1, (320, 400)), 2), for_s=8) == ["upside_down"]


def test_rejected_poses_show_that_the_picture_is_upside_down() -> None:
    pose = doubtful(turned(standing(1, (320, 400)), 2))
    assert Viewer().show(for_s=8, rejected=[pose]) == ["upside_down"]


@pytest.mark.parametrize("turns", [1, 3])
def test_a_person_who_lies_still_does_not_turn_the_picture(turns: int) -> None:
    rng = random.Random(1)
    lying = turned(standing(1, (320, 400)), turns)
    frames = [[jittered(lying, 0.03, rng)] for _ in range(200)]
    assert Viewer().play(frames) == ["lying"]


def test_a_person_who_lies_with_the_head_towards_the_camera_does_not_turn_the_picture() -> None:
    short = {name: (x, 100 + (y - 100) * 0.5) for name, (x, y) in STANDING.items()}
    assert Viewer().show(turned(person(1, short, at=(200, 200)), 2), for_s=20) == ["lying"]


def test_a_person_who_lies_with_bent_legs_does_not_turn_the_picture() -> None:
    bent = {**STANDING, "LEFT_ANKLE": (112, 120), "RIGHT_ANKLE": (88, 120)}
    assert Viewer().show(turned(person(1, bent, at=(200, 200)), 2), for_s=20) == ["lying"]


def test_a_person_who_lies_down_after_standing_does_not_turn_the_picture() -> None:
    viewer = Viewer()
    viewer.show(standing(1, (320, 400)), for_s=10)
    codes = viewer.show(turned(standing(1, (320, 400)), 1), for_s=30)
    assert codes == ["lying"]


def test_rejected_poses_that_lie_still_are_not_people() -> None:
    pose = doubtful(turned(standing(1, (320, 400)), 1))
    assert Viewer().show(for_s=20, rejected=[pose]) == ["no_people"]


def test_poses_in_excluded_zones_say_nothing() -> None:
    pose = doubtful(turned(standing(1, (320, 400)), 2), "in the excluded zone mirror")
    assert Viewer().show(for_s=20, rejected=[pose]) == ["no_people"]


def test_a_verdict_follows_the_camera_within_seconds() -> None:
    viewer = Viewer()
    viewer.show(cut(standing(1, (320, 520))), for_s=60)
    assert viewer.show(standing(1, (320, 420)), for_s=8) == ["good"]


def test_a_verdict_stays_while_the_room_is_empty_and_is_forgotten_after_a_minute() -> None:
    viewer = Viewer()
    viewer.show(cut(standing(1, (320, 520))), for_s=10)
    assert viewer.show(for_s=45, step_s=2) == ["feet_cut"]
    assert viewer.show(for_s=20, step_s=2) == ["no_people"]


def test_a_verdict_does_not_flicker_when_the_evidence_is_divided() -> None:
    viewer, rng = Viewer(), random.Random(3)
    good, bad = standing(1, (320, 420)), cut(standing(1, (320, 520)))
    viewer.show(bad, for_s=12)
    codes = [viewer.play([[bad if rng.random() < 0.5 else good]]) for _ in range(600)]
    assert sum(one != other for one, other in itertools.pairwise(codes)) == 0


def test_a_clock_that_goes_back_starts_over() -> None:
    viewer = Viewer()
    viewer.show(cut(standing(1, (320, 520))), for_s=30)
    viewer.now_s -= 200
    assert viewer.show(standing(1, (320, 420)), for_s=5) == ["good"]
    assert viewer.aim.watched_s == pytest.approx(4.9)


def test_a_gap_is_no_evidence() -> None:
    viewer = Viewer()
    viewer.show(standing(1, (320, 420)), for_s=0.5)
    viewer.now_s += 40
    assert viewer.show(standing(1, (320, 420)), for_s=0.5) == ["too_little"]
    assert viewer.aim.watched_s == pytest.approx(3.8)


def test_a_slow_camera_is_judged_too() -> None:
    assert Viewer().show(standing(1, (320, 420)), for_s=20, step_s=1) == ["good"]


def test_idle_mode_counts_as_watching() -> None:
    viewer = Viewer()
    viewer.show(for_s=120, step_s=2)
    assert viewer.aim.watched_s == pytest.approx(60, abs=3)


@pytest.mark.parametrize("camera", ["starting", "stalled", "blind", "off"])
def test_the_state_of_the_camera_comes_first(camera: str) -> None:
    viewer = Viewer()
    viewer.show(cut(standing(1, (320, 520))), for_s=10)
    assert viewer.codes(camera) == [camera]


def test_an_old_minute_is_forgotten_without_new_frames() -> None:
    viewer = Viewer()
    viewer.show(standing(1, (320, 420)), for_s=10)
    viewer.now_s += 90
    assert viewer.codes() == ["no_people"]


@pytest.mark.parametrize("offset_s", [-400.0, 0.0, 86400.0])
def test_frames_may_have_another_clock(offset_s: float) -> None:
    aim, someone = Aim(), standing(1, (320, 420))
    for step in range(200):
        at_s = 1000 + step / 10
        aim.observe(observation(step, someone, at_s=at_s), ())
        codes = [verdict.code for verdict in aim.verdicts("ok", at_s + offset_s)]
    assert codes == ["good"]
    assert [verdict.code for verdict in aim.verdicts("ok", at_s + offset_s + 90)] == ["no_people"]


def test_memory_is_bounded() -> None:
    viewer = Viewer()
    lying = [turned(standing(1, (320, 400)), 1) for _ in range(30)]
    for step in range(1200):
        viewer.play([[replace(one, id=100 * step + k) for k, one in enumerate(lying)]], step_s=0.1)
    assert len(viewer.aim._slices) <= 122
    assert len(viewer.aim._paths) <= 110 * 20


@pytest.mark.parametrize("seed", range(20))
def test_random_poses_never_fail(seed: int) -> None:
    rng = random.Random(seed)
    viewer = Viewer()
    for _ in range(300):
        people = []
        for k in range(rng.randint(0, 4)):
            parts = rng.sample(list(STANDING), rng.randint(1, 17))
            points: Mapping[str, tuple[float, float]] = {
                part: (rng.uniform(-50, 700), rng.uniform(-50, 550)) for part in parts
            }
            people.append(person(k, points, confidence=rng.random()))
        viewer.play([people], step_s=rng.choice([0.03, 0.1, 1, 30]))
        verdicts = viewer.aim.verdicts("ok", viewer.now_s)
        assert 1 <= len(verdicts) <= 3
        assert all(VERDICTS[verdict.code] is verdict for verdict in verdicts)


def _known(someone: Person) -> list[Point]:
    return [point for point in someone.keypoints if point]
