"""Snapshots: people, zones and lines on black."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.config import Line, Zone
from edge.drawing.places import KINDS, LINE, darker
from edge.drawing.png_writer import png
from edge.drawing.skeletons import PEOPLE, UNCONFIRMED
from edge.drawing.snapshot import INSIDE, PLACES, RIGHT_SIDE, Snapshot, draw_snapshot
from edge.skeleton import PARTS
from edge.types import Image
from tests.support.people import STANDING, person
from tests.support.pictures import has_colour

ZONE = Zone(name="bed", points=((0.6, 0.5), (0.9, 0.5), (0.9, 0.9), (0.6, 0.9)), kind="bed")
DOOR = Line(name="door", start=(0.5, 0.9), to=(0.5, 0.5))


def pixels(snapshot: Snapshot) -> Image:
    with Pillow.open(io.BytesIO(snapshot.png)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (snapshot.width, snapshot.height))
        return np.asarray(picture)


def test_each_keypoint_is_a_dot_in_the_colour_of_the_person_and_darker_on_the_right_side() -> None:
    people = [person(1, at=(0, 60)), person(8, at=(300, 100), scale=1.4), person(None, at=(250, 0), scale=0.5)]
    drawn = pixels(draw_snapshot((640, 480), people, (), ()))
    for one in people:
        own = UNCONFIRMED if one.id is None else PEOPLE[one.id % len(PEOPLE)]
        for index, point in enumerate(one.keypoints):
            assert point
            colour = darker(own, RIGHT_SIDE) if PARTS[index].startswith("RIGHT") else own
            assert has_colour(drawn, colour, point[:2], within_px=1), PARTS[index]


def test_people_are_scaled_to_the_picture_which_has_the_aspect_of_the_frame() -> None:
    someone = person(1, at=(100, 300), scale=3)
    wide = draw_snapshot((1920, 1080), [someone], (), ())
    assert (wide.width, wide.height) == (640, 360)
    for point in someone.keypoints:
        assert point
        assert pixels(wide)[int(point.y / 3), int(point.x / 3)].any()
    high = draw_snapshot((480, 640), [], (), ())
    assert (high.width, high.height) == (640, 853)


def test_without_people_zones_and_note_the_picture_is_black() -> None:
    assert not pixels(draw_snapshot((640, 480), [], (), ())).any()


def test_keypoints_that_are_not_visible_are_not_drawn() -> None:
    without_arms = {part: place for part, place in STANDING.items() if "ELBOW" not in part and "WRIST" not in part}
    drawn = pixels(draw_snapshot((640, 480), [person(None, without_arms)], (), ()))
    assert not drawn[60:110, :70].any(), "to the left of the body"
    assert drawn[60:110, 70:130].any()


@pytest.mark.parametrize("scale", [0.02, 0.2, 2.3])
def test_a_person_of_any_size_is_drawn(scale: float) -> None:
    drawn = pixels(draw_snapshot((640, 480), [person(None, scale=scale)], (), ()))
    height, width = (int(side * scale) for side in (240, 150))
    assert drawn[:height, :width].any()
    assert not drawn[height + 6 :].any()
    assert not drawn[:, width + 6 :].any()


def test_a_person_is_drawn_over_zones_and_lines_which_are_dim() -> None:
    someone = person(1, at=(400, 200))
    drawn = pixels(draw_snapshot((640, 480), [someone], [ZONE], [DOOR]))
    assert has_colour(drawn, darker(KINDS["bed"], INSIDE), (0.88 * 640, 0.85 * 480), within_px=0, tolerance=2)
    assert has_colour(drawn, darker(KINDS["bed"], PLACES), (0.75 * 640, 0.9 * 480), within_px=2)
    assert has_colour(drawn, darker(LINE, PLACES), (0.5 * 640, 0.8 * 480), within_px=2)
    left_hip = someone.keypoints[11]
    assert left_hip
    assert has_colour(drawn, PEOPLE[1], left_hip[:2], within_px=0)


def test_the_best_person_is_on_top() -> None:
    best, other = person(1), replace(person(2), score=0.4)
    drawn = pixels(draw_snapshot((640, 480), [best, other], (), ()))
    hip = best.keypoints[11]
    assert hip
    assert has_colour(drawn, PEOPLE[1], hip[:2], within_px=0)


def test_a_note_is_in_the_middle() -> None:
    drawn = pixels(draw_snapshot((640, 480), [], (), (), "camera off"))
    assert drawn[225:240, 300:340].any()


@pytest.mark.parametrize("rows", [1, 7, 30])
def test_a_png_has_exactly_the_given_pixels(rows: int) -> None:
    wanted = np.random.default_rng(1).integers(0, 256, (30, 17, 3), np.uint8)
    file = png(17, 30, (wanted[top : top + rows].tobytes() for top in range(0, 30, rows)))
    with Pillow.open(io.BytesIO(file)) as picture:
        picture.load()
        np.testing.assert_array_equal(np.asarray(picture), wanted)
