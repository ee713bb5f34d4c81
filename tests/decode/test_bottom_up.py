"""The steps of the bottom-up decoder; where libcoral tests a step, the numbers are those of its unit tests."""

import numpy as np
import pytest

from edge.decode.bottom_up import _STEPS, EDGES, _GridPose, _logit, _roots, _soft_nms, _Step
from edge.decode.heatmaps import sigmoid
from edge.decode.posenet import decode_poses
from edge.decode.sampling import Sampler
from edge.types import Tensor
from tests.support.paint import crowd, paint_people
from tests.support.reference_posenet import TREE

NO_OFFSETS = Sampler(Tensor(np.zeros((5, 6, 34), np.float32)))


def test_the_edges_are_those_of_the_reference() -> None:
    assert list(EDGES) == TREE


@pytest.mark.parametrize("root", range(17))
def test_a_walk_reaches_every_keypoint_once_and_never_before_its_source(root: int) -> None:
    reached = [root]
    for step in _STEPS[root]:
        assert step.source in reached
        assert step.target not in reached
        assert EDGES[step.edge] == ((step.source, step.target) if step.forward else (step.target, step.source))
        reached.append(step.target)
    assert sorted(reached) == list(range(17))


@pytest.mark.parametrize("step", [step for steps in (_STEPS[0], _STEPS[16]) for step in steps if step.target != 16])
def test_a_step_reads_the_mid_offsets_of_its_edge_and_direction(step: _Step) -> None:
    """The 64 channels are 16 each of forward y, forward x, backward y and backward x."""
    heatmaps, short, mid = (np.zeros((9, 12, n), np.float32) for n in (17, 34, 64))
    heatmaps[4, 5, step.source] = 5
    first = step.edge if step.forward else 32 + step.edge
    mid[..., first], mid[..., first + 16] = 2, -3
    (pose,), _, _ = decode_poses(heatmaps, short, mid, output_stride=1, max_poses=1)
    assert pose[step.source].tolist() == [4, 5]
    assert pose[step.target].tolist() == [6, 2]


def test_the_most_confident_root_comes_first_and_equal_ones_in_raster_order() -> None:
    heatmaps = np.full((5, 6, 17), -9, np.float32)
    for row, column, k in ((4, 0, 3), (0, 5, 9), (0, 2, 9), (0, 2, 1), (2, 3, 7)):
        heatmaps[row, column, k] = 2
    heatmaps[2, 3, 7] = 2.5
    roots = _roots(Tensor(heatmaps), NO_OFFSETS, 0.2)
    assert list(roots) == [((2, 3), 7), ((0, 2), 1), ((0, 2), 9), ((0, 5), 9), ((4, 0), 3)]


def test_every_cell_of_a_plateau_is_a_root_but_only_the_top_of_a_slope() -> None:
    heatmaps = np.full((5, 6, 17), -9, np.float32)
    heatmaps[1, 1:4, 0] = 3
    heatmaps[3, :, 5] = [1, 2, 3, 4, 5, 6]
    roots = _roots(Tensor(heatmaps), NO_OFFSETS, 0.2)
    assert list(roots) == [((3, 5), 5), ((1, 1), 0), ((1, 2), 0), ((1, 3), 0)]


def test_roots_are_moved_by_their_short_offsets() -> None:
    heatmaps = np.zeros((5, 4, 3), np.float32)
    heatmaps[1, 2, 2], heatmaps[3, 0, 1] = 1, 2
    offsets = np.ones((5, 4, 6), np.float32)
    roots = _roots(Tensor(heatmaps), Sampler(Tensor(offsets)), float(sigmoid(0.5)))
    assert list(roots) == [((4, 1), 1), ((2, 3), 2)]


def test_nan_beside_a_peak_does_not_hide_it() -> None:
    poses, logits = crowd(np.random.default_rng(1), 1, 30)
    heatmaps, short, _ = paint_people(poses, logits, (23, 31), 16)
    row, column = np.unravel_index(heatmaps[..., 0].argmax(), heatmaps.shape[:2])
    one_peak = np.full_like(heatmaps, -12)
    one_peak[row, column, 0] = 9
    one_peak[row + 1, column, 0] = np.nan
    ((place, keypoint),) = _roots(Tensor(one_peak), Sampler(Tensor(short), stride=16), 0.2)
    assert keypoint == 0
    assert np.array(place) * 16 == pytest.approx(poses[0, 0], abs=0.01)


@pytest.mark.parametrize(("radius2", "scores"), [(0.9, (0.35, 0.15)), (1.5, (0.35, 0.1)), (2.1, (0.35, 0.0))])
def test_keypoints_of_a_better_pose_do_not_count_in_a_score(radius2: float, scores: tuple[float, float]) -> None:
    """Two keypoints of two poses; the other fifteen are far apart and have no confidence."""
    far = np.arange(15)[:, None] * np.ones(2)
    poses = []
    for person, (places, confidences) in enumerate((([(0, 0), (1, 1)], [0.1, 0.2]), ([(0, 1), (2, 2)], [0.3, 0.4]))):
        positions = [*places, *map(tuple, (far + 50 * (person + 1)).tolist())]
        poses.append(_GridPose(positions, [*confidences, *[0.0] * 15], sum(confidences) / 17))
    decoded = _soft_nms(poses, radius2**0.5, 1, 0.0)
    assert decoded.scores * 17 / 2 == pytest.approx(np.array(scores), abs=1e-6)


@pytest.mark.parametrize(
    ("probability", "logit"), [(0, -13.81551), (0.5, 0.000004), (0.2, -1.386288), (1, np.inf), (-1, np.inf)]
)
def test_the_logit_of_a_threshold_is_that_of_libcoral(probability: float, logit: float) -> None:
    assert _logit(probability) == pytest.approx(logit, abs=2e-6)
