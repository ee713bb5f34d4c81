"""The geometry of bodies, and how high a person is in the picture."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest

from edge.rules.body import Stature, measure, standing_height
from tests.support import bodies, people
from tests.support.bodies import View

HEIGHT = 1.5  # m, of tests.support.bodies.STANDING, from the nose to the ankles


def test_the_parts_of_a_body_are_the_middles_of_their_keypoints() -> None:
    body = measure(people.person(1))
    assert (body.shoulders, body.hips, body.knees, body.feet) == ((100, 50), (100, 120), (100, 170), (100, 220))
    assert body.head == pytest.approx((100, 18.8))
    assert (body.torso, body.lean_deg, body.width_px, body.trunk) == ((0, -70), 0, 36, (100, 85))


def test_a_hidden_side_is_replaced_by_the_other() -> None:
    body = measure(people.person(1, {"LEFT_SHOULDER": (118, 50), "LEFT_HIP": (112, 120), "RIGHT_HIP": (88, 120)}))
    assert (body.shoulders, body.torso) == ((118, 50), (6, -70))
    body = measure(people.person(1, {"LEFT_SHOULDER": (118, 50), "RIGHT_HIP": (88, 120)}))
    assert body.torso == (30, -70)


def test_what_is_hidden_is_none() -> None:
    body = measure(people.person(1, {"NOSE": (100, 20), "LEFT_ANKLE": (112, 220)}))
    assert (body.shoulders, body.hips, body.knees, body.torso, body.lean_deg, body.bones_px) == (None,) * 6
    assert body.trunk == (100, 20)


@pytest.mark.parametrize(
    ("joints", "lean_deg"),
    [
        (bodies.STANDING, 0),
        (bodies.lying(towards=90), 90),
        (bodies.lying(towards=270), 90),
        (bodies.lying(towards=0), 180),
    ],
)
def test_the_lean_is_measured_from_upright(joints: bodies.Joints, lean_deg: float) -> None:
    assert measure(View().person(1, joints)).lean_deg == pytest.approx(lean_deg, abs=8)


@pytest.mark.parametrize("heading", [-90, -40, 0, 90])
@pytest.mark.parametrize("distance", [2.5, 5])
def test_a_standing_body_shows_its_height(heading: float, distance: float) -> None:
    view = View(distance, heading=heading)
    height_px = standing_height(measure(view.person(1, bodies.STANDING)))
    assert height_px == pytest.approx(view.focal_px * HEIGHT / distance, rel=0.08)


@pytest.mark.parametrize("joints", [
    bodies.SITTING, bodies.KNEELING, bodies.SQUATTING, bodies.BENDING, bodies.CRAWLING,
    *[bodies.lying(towards=towards) for towards in range(0, 360, 45)],
])  # fmt: skip
def test_other_postures_do_not_change_the_height(joints: bodies.Joints) -> None:
    stature, view = Stature(), View(heading=-70)
    moving = bodies.motion((1, bodies.STANDING), (2, joints))
    heights = [stature.update(measure(view.person(1, moving(number / 15))), number / 15) for number in range(120)]
    assert heights[-1] == pytest.approx(heights[10], rel=0.06)


FAR = View(4.0, height=0.8, pitch=5)
NEAR = replace(FAR, distance=2.6)


def heights(stature: Stature, views: Iterable[View], joints: bodies.Joints = bodies.STANDING) -> list[float | None]:
    """The height in each frame, 15 per second, as shares of that of a person who stands at `FAR`."""
    unit_px = standing_height(measure(FAR.person(1, bodies.STANDING)))
    assert unit_px
    found = [stature.update(measure(view.person(1, joints)), number / 15) for number, view in enumerate(views)]
    return [height_px and height_px / unit_px for height_px in found]


@pytest.mark.parametrize("before", [[], [FAR] * 30], ids=["the first one", "a later one"])
def test_a_single_frame_in_which_a_person_looks_too_large_does_not_count(before: list[View]) -> None:
    stature = Stature()
    found = heights(stature, [*before, NEAR, *[FAR] * 60])
    assert found[len(before) + 8 :] == pytest.approx([1] * 53)
    assert stature.stands


def test_a_height_that_was_wrong_for_long_starts_over_when_the_person_walks() -> None:
    """The ID may have passed from another person."""
    stature = Stature()
    standing = heights(stature, [*[NEAR] * 30, *[FAR] * 150])
    assert standing[-1] == pytest.approx(standing[0])
    assert not stature.stands
    stature = Stature()
    walking = [replace(FAR, aside=-1.5 + number / 30) for number in range(90)]
    assert heights(stature, [*[NEAR] * 30, *walking])[-1] == pytest.approx(1, rel=0.05)
    assert stature.stands


def test_a_person_who_lies_along_the_view_for_long_keeps_the_height_of_standing() -> None:
    """Some keypoints are hidden, so the person looks like a small one who stands, and moves to and fro."""
    view = View(5, height=2.5, pitch=20)
    hidden = ("LEFT_ELBOW", "RIGHT_ELBOW", "LEFT_WRIST", "RIGHT_WRIST", "RIGHT_SHOULDER")
    stature, found = Stature(), []
    for number in range(900):
        moved = replace(view, aside=0.15 * math.sin(number / 40))
        joints = bodies.STANDING if number < 30 else bodies.lying(towards=186)
        body = measure(moved.person(1, joints, hidden=hidden))
        assert standing_height(body)
        found.append(stature.update(body, number / 15))
    assert found[30:] == [found[29]] * 870


def test_before_a_person_stood_the_longest_bones_show_the_height() -> None:
    view = View()
    lying = measure(view.person(1, bodies.lying(towards=90)))
    assert standing_height(lying) is None
    assert Stature().update(lying, 0.0) == pytest.approx(view.focal_px * HEIGHT / view.distance, rel=0.25)
