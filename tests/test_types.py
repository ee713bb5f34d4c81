import numpy as np
import pytest

from edge.types import Box, Pose, box_around


def pose(visible: list[int]) -> Pose:
    xy = np.stack((np.arange(17) * 10, np.arange(17) * 5), axis=1).astype(np.float32)
    return Pose(xy, np.full(17, 0.9, np.float32), np.isin(np.arange(17), visible), 0.8)


def test_the_box_of_a_pose_holds_only_visible_keypoints() -> None:
    box = pose([2, 3, 6]).box
    assert box == Box(20, 10, 60, 30)
    assert (box.width, box.height) == (40, 20)
    assert box.size_px == pytest.approx(np.hypot(40, 20))


def test_a_person_of_one_point_has_a_size_of_one_pixel() -> None:
    assert pose([4]).box.size_px == 1


def test_a_box_around_no_points_is_an_error() -> None:
    assert box_around([(3.0, 4.0), (1.0, 9.0)]) == Box(1, 4, 3, 9)
    with pytest.raises(ValueError, match="not enough values"):
        box_around([])
