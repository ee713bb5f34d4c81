"""Skeletons on pictures."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.drawing.skeletons import LEFT, PEOPLE, RIGHT, UNCONFIRMED, draw_frame, draw_skeletons
from edge.skeleton import INDEX
from edge.types import Frame, Pose
from tests.support.pictures import SIZE, has_colour, hips
from tests.support.scenes import picture_of, poses_of, scene


def test_visible_keypoints_are_marked_and_other_pixels_keep_their_value() -> None:
    of = scene("wave")
    image, (pose,) = picture_of(of, 20), poses_of(of, 20)
    drawn = np.asarray(draw_skeletons(Pillow.fromarray(image), [pose]))
    for name, index in INDEX.items():
        colour = LEFT if name.startswith("LEFT") else RIGHT if name.startswith("RIGHT") else PEOPLE[0]
        assert has_colour(drawn, colour, pose.xy[index], within_px=2) is bool(pose.visible[index])
        assert not has_colour(image, colour, pose.xy[index], within_px=2)
    left, top = pose.xy.min(axis=0).astype(int) - 20
    right, bottom = pose.xy.max(axis=0).astype(int) + 20
    same = (drawn == image).all(axis=-1)
    same[top:bottom, left:right] = True
    assert same.all()
    assert np.count_nonzero((drawn != image).any(axis=-1)) < 0.05 * same.size


@pytest.mark.parametrize("size", [5, 20, 60, 120, 300])
def test_a_person_of_any_size_is_drawn(size: int) -> None:
    (pose,) = poses_of(scene("wave"), 20)
    tiny = replace(pose, xy=(pose.xy - pose.xy.min(axis=0)) * np.float32(size / np.ptp(pose.xy, axis=0).max()) + 50)
    drawn = np.asarray(draw_skeletons(Pillow.new("RGB", SIZE), [tiny], [1]))
    assert drawn[40 : 60 + size, 40 : 60 + size].any()


def test_a_picture_without_people_is_copied_unchanged() -> None:
    image = picture_of(scene("empty"), 0)
    np.testing.assert_array_equal(draw_skeletons(Pillow.fromarray(image), []), image)


def test_each_person_has_a_colour_and_a_confirmed_one_a_tag() -> None:
    of = scene("three")
    image, poses, ids = Pillow.fromarray(picture_of(of, 30)), poses_of(of, 30), [7, 1, None]
    plain, tagged = (np.asarray(draw_skeletons(image, poses, given)) for given in (None, ids))
    for number, (pose, track_id) in enumerate(zip(poses, ids, strict=True)):
        assert has_colour(plain, PEOPLE[number], hips(pose), within_px=3)
        own = UNCONFIRMED if track_id is None else PEOPLE[track_id % len(PEOPLE)]
        assert has_colour(tagged, own, hips(pose), within_px=3)
        above = pose.xy[pose.visible].min(axis=0) * (0, 1) + pose.xy[:5].mean(axis=0) * (1, 0) - (0, 48)
        assert has_colour(tagged, own, above, within_px=16, tolerance=3) is (track_id is not None)
        assert not has_colour(plain, PEOPLE[number], above, within_px=16, tolerance=3)


@pytest.mark.parametrize("corner", ["upper left", "lower right"])
def test_a_tag_stays_inside_the_picture(corner: str) -> None:
    (pose,) = poses_of(scene("wave"), 20)
    move = -pose.xy.min(axis=0) if corner == "upper left" else np.array(SIZE) - 1 - pose.xy.max(axis=0)
    moved = Pose(pose.xy + move, pose.confidence, pose.visible, 1.0)
    drawn = np.asarray(draw_skeletons(Pillow.new("RGB", SIZE), [moved], [123456]))
    row, column = np.nonzero((drawn == PEOPLE[123456 % len(PEOPLE)]).all(axis=-1))
    assert np.ptp(column[row < row.min() + 12]) > 40


def test_keypoints_are_scaled_to_a_reduced_image() -> None:
    of = scene("wave")
    image, (pose,) = picture_of(of, 20), poses_of(of, 20)
    twice = replace(pose, xy=pose.xy * np.float32(2))
    frame = Frame(image, 2 * SIZE[0], 2 * SIZE[1], 0, 0.0, 0.0)
    np.testing.assert_array_equal(draw_frame(frame, [twice]), draw_skeletons(Pillow.fromarray(image), [pose]))
