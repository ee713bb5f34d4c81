"""The trace of a person: where they are above the floor, and how fast they got there."""

import pytest

from edge.rules.posture import PostureClassifier
from edge.rules.trace import Trace
from tests.support import bodies
from tests.support.bodies import Joints, Motion, View, motion
from tests.support.rules import subject

FPS = 15


def traced(moving: Motion, seconds: float, view: View, *, fps: float = FPS) -> Trace:
    """The trace of a person after these seconds."""
    trace, postures = Trace(1, 0.0), PostureClassifier()
    for number in range(round(seconds * fps)):
        now_s = number / fps
        someone = view.person(1, moving(now_s))
        trace.add(subject(someone, postures.update([subject(someone)], now_s)[0]), now_s)
    return trace


def after_standing(joints: Joints, view: View) -> Trace:
    return traced(motion((1, bodies.STANDING), (2, joints)), 3, view)


@pytest.mark.parametrize("view", [View(), View(heading=0), View(height=2.2, pitch=24, heading=-130)])
def test_shoulders_are_measured_above_the_floor(view: View) -> None:
    standing = traced(lambda _: bodies.STANDING, 1, view)
    assert standing.shoulders == pytest.approx(0.785, abs=0.02)
    assert standing.hips == pytest.approx(0.48, abs=0.06)
    assert (standing.is_upright, standing.has_risen, standing.is_down) == (True, True, False)


@pytest.mark.parametrize(
    "joints",
    [bodies.SITTING, bodies.KNEELING, bodies.SQUATTING, bodies.CRAWLING, bodies.SITTING_ON_FLOOR, bodies.BENDING],
)
@pytest.mark.parametrize("heading", [-90, -45, 0, 90])
def test_people_who_are_only_low_are_not_down(joints: Joints, heading: float) -> None:
    assert not after_standing(joints, View(heading=heading)).is_down


@pytest.mark.parametrize("towards", range(0, 360, 45))
@pytest.mark.parametrize("view", [View(), View(height=2.2, pitch=24)])
def test_people_who_lie_are_down(view: View, towards: float) -> None:
    trace = after_standing(bodies.lying(towards=towards), view)
    assert (trace.is_down, trace.has_risen) == (True, False)


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize(("seconds", "falls"), [(0.6, True), (1.2, True), (4.0, False)])
def test_the_speed_decides(seconds: float, falls: bool, fps: float) -> None:
    lies_down = motion((1, bodies.STANDING), (1 + seconds, bodies.lying(towards=90)))
    trace = traced(lies_down, 2 + seconds, View(), fps=fps)
    assert trace.is_down
    assert (trace.descents.fastest.share >= 1) == falls


def test_a_person_may_fall_on_the_seat_and_roll_over() -> None:
    rolls = motion((1, bodies.STANDING), (1.6, bodies.SITTING_ON_FLOOR), (2.8, bodies.lying(towards=180)))
    assert traced(rolls, 4, View(heading=0)).descents.fastest.share >= 1


def test_a_person_who_sits_down_on_the_floor_and_lies_down_later_does_not_fall() -> None:
    lies_down = motion(
        (1, bodies.STANDING), (2.2, bodies.SQUATTING), (3, bodies.SITTING_ON_FLOOR), (4, bodies.SITTING_ON_FLOOR),
        (5.5, bodies.lying(towards=180)),
    )  # fmt: skip
    assert traced(lies_down, 6.5, View(heading=0)).descents.fastest.share < 0.8


@pytest.mark.parametrize(("height", "falls"), [(0.0, True), (0.4, False)])
def test_from_a_seat_hips_must_drop_too(height: float, falls: bool) -> None:
    """A person who lies down on a bed keeps the hips at its height, and takes the feet up."""
    lies_down = motion(
        (1, bodies.STANDING),
        (2, bodies.SITTING),
        (3.5, bodies.SITTING),
        (4.1, bodies.lying(towards=90, height=height, forward=0.35)),
    )
    assert (traced(lies_down, 5.5, View()).descents.fastest.share >= 1) == falls


def test_a_person_who_drops_fast_is_falling() -> None:
    falls = motion((1, bodies.STANDING), (1.8, bodies.lying(towards=90)))
    assert traced(falls, 1.6, View()).descents.is_falling
    assert not traced(falls, 1.0, View()).descents.is_falling
    assert not traced(falls, 3.0, View()).descents.is_falling


def test_hidden_feet_do_not_move_the_floor() -> None:
    """A person who folds up on the floor has hips where a person farther away would have them."""
    trace, postures = Trace(1, 0.0), PostureClassifier()
    folds = motion((1, bodies.STANDING), (1.5, bodies.SQUATTING))
    heights = []
    for number in range(60):
        now_s = number / FPS
        hidden = ["LEFT_ANKLE", "RIGHT_ANKLE"] if now_s > 1 else []
        someone = View().person(1, folds(now_s), hidden=hidden)
        trace.add(subject(someone, postures.update([subject(someone)], now_s)[0]), now_s)
        heights.append(trace.hips)
    assert heights[-1] == pytest.approx(heights[25], abs=0.02)
    assert heights[-1] == pytest.approx(0.12, abs=0.06)


@pytest.mark.parametrize("seconds", [2.5, 3.5, 4.5])
@pytest.mark.parametrize("heading", [-90, -30, 0])
def test_kneeling_is_no_seat_to_fall_from(seconds: float, heading: float) -> None:
    lies_down = motion(
        (1, bodies.STANDING), (1 + 0.3 * seconds, bodies.KNEELING), (1 + 0.6 * seconds, bodies.SITTING_ON_FLOOR),
        (1 + seconds, bodies.lying(towards=180)),
    )  # fmt: skip
    assert traced(lies_down, 3 + seconds, View(heading=heading)).descents.fastest.share < 1


def test_a_dip_on_the_floor_is_no_fall() -> None:
    """Such as in push-ups."""
    low, lower = bodies.lying(height=0.35), bodies.lying()
    dips = motion((1, bodies.STANDING), (3.5, low), (4, lower))
    trace = traced(dips, 3.9, View(heading=0))
    assert trace.is_low
    assert not trace.descents.is_falling
