"""Postures from every side, with keypoints missing, and over time."""

import random
from collections.abc import Iterable

import pytest

from edge.rules.posture import PostureClassifier
from edge.rules.values import Posture
from edge.types import Person
from tests.support import bodies
from tests.support.bodies import View
from tests.support.rules import jittered, subject

SIDES = {"front": -90.0, "side": 0.0, "back": 90.0, "slanted": -40.0}
CAMERAS = {
    "low": View(height=0.9, pitch=0),
    "middle": View(),
    "high": View(height=2.4, pitch=28),
    "near and high": View(distance=2.6, height=2.5, pitch=38),
}
LEGS = [f"{side}_{part}" for side in ("LEFT", "RIGHT") for part in ("KNEE", "ANKLE")]


def postures(frames: Iterable[Person], fps: float = 15.0) -> list[Posture]:
    classifier = PostureClassifier()
    return [classifier.update([subject(someone)], number / fps)[0] for number, someone in enumerate(frames)]


def after_standing(view: View, then: bodies.Joints, *, hidden: Iterable[str] = ()) -> Posture:
    """The posture that follows a second of standing and a second of transition."""
    moving = bodies.motion((1, bodies.STANDING), (2, then))
    frames = [view.person(1, moving(number / 15), hidden=list(hidden)) for number in range(45)]
    return postures(frames)[-1]


def seen_from(camera: str, side: str) -> View:
    view = CAMERAS[camera]
    return View(view.distance, view.height, view.pitch, SIDES[side])


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("camera", CAMERAS)
def test_standing_and_sitting_are_distinguished_from_every_side(camera: str, side: str) -> None:
    view = seen_from(camera, side)
    assert postures([view.person(1, bodies.STANDING)] * 10)[-1] == "standing"
    assert after_standing(view, bodies.SITTING) == "sitting"


@pytest.mark.parametrize("towards", [0, 45, 90, 135, 180, 225, 270, 315])
@pytest.mark.parametrize("camera", CAMERAS)
def test_a_person_lies_whichever_way_the_body_points(camera: str, towards: float) -> None:
    assert after_standing(CAMERAS[camera], bodies.lying(towards=towards)) == "lying"


@pytest.mark.parametrize("towards", [90, 270])
def test_a_person_lies_from_the_first_frame(towards: float) -> None:
    assert postures([View().person(1, bodies.lying(towards=towards))] * 10)[-1] == "lying"


@pytest.mark.parametrize("side", SIDES)
def test_a_person_who_bends_over_does_not_lie(side: str) -> None:
    view = seen_from("middle", side)
    assert after_standing(view, bodies.BENDING) in {"unknown", "standing"}
    assert after_standing(view, bodies.BENDING, hidden=LEGS) != "lying"


def test_a_person_without_legs_and_past_is_unknown() -> None:
    assert set(postures([View().person(1, bodies.STANDING, hidden=LEGS)] * 30)) == {"unknown"}


def test_hidden_legs_do_not_change_the_posture_of_a_person_who_stays_there() -> None:
    seen = [View().person(1, bodies.SITTING)] * 15
    hidden = [View().person(1, bodies.SITTING, hidden=LEGS)] * 100
    assert set(postures([*seen, *hidden])[5:]) == {"sitting"}


def test_a_person_who_rises_behind_a_table_is_no_longer_sitting() -> None:
    view = View()
    seen = [view.person(1, bodies.SITTING)] * 15
    risen = [view.person(1, bodies.STANDING, hidden=LEGS)] * 30
    assert postures([*seen, *risen])[-1] == "unknown"


def test_a_person_may_walk_towards_the_camera_and_away() -> None:
    """Their size in the picture changes threefold, which is no change of posture."""
    distances = [5 - 3.4 * step / 60 for step in range(60)] + [1.6 + 3.4 * step / 60 for step in range(60)]
    frames = [View(distance, heading=-80).person(1, bodies.STANDING) for distance in distances]
    assert set(postures(frames)) == {"standing"}


def test_a_single_wrong_frame_changes_nothing() -> None:
    standing, lying = View().person(1, bodies.STANDING), View().person(1, bodies.lying(towards=90))
    assert set(postures([*[standing] * 10, lying, *[standing] * 10])) == {"standing"}


def test_a_change_is_reported_within_half_a_second() -> None:
    standing, lying = View().person(1, bodies.STANDING), View().person(1, bodies.lying(towards=90))
    for fps in (5, 30):
        assert postures([*[standing] * fps, *[lying] * (fps // 2)], fps)[-1] == "lying"


def test_noise_changes_no_posture() -> None:
    rng = random.Random(1)
    view = seen_from("middle", "slanted")
    for posture, joints in (("standing", bodies.STANDING), ("lying", bodies.lying(towards=90))):
        seen = postures(jittered(view.person(1, joints), 0.015, rng) for _ in range(150))
        assert seen.count(posture) > 0.98 * len(seen)  # type: ignore[arg-type]


def test_each_person_has_a_posture() -> None:
    people = [View(aside=-1).person(4, bodies.lying(towards=90)), View(aside=1).person(2, bodies.STANDING)]
    subjects = [subject(one) for one in people]
    classifier = PostureClassifier()
    assert [classifier.update(subjects, number / 15) for number in range(10)][-1] == ["lying", "standing"]
    assert classifier.update(subjects[::-1], 0.7) == ["standing", "lying"]


def test_people_who_left_are_forgotten() -> None:
    classifier = PostureClassifier()
    for id_ in range(100):
        classifier.update([subject(View().person(id_, bodies.STANDING))], 1.0 * id_)
    assert len(classifier._known) < 20
