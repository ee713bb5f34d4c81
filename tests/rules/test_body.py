"""The geometry of bodies, and how high a person is in the picture."""

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


def test_before_a_person_stood_the_longest_bones_show_the_height() -> None:
    view = View()
    lying = measure(view.person(1, bodies.lying(towards=90)))
    assert standing_height(lying) is None
    assert Stature().update(lying, 0.0) == pytest.approx(view.focal_px * HEIGHT / view.distance, rel=0.25)
