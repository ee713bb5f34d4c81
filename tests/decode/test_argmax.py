from itertools import product

import numpy as np
import pytest

from edge import PARTS, KeyPoint, get_keypoints
from edge.decode.argmax import decode_argmax
from edge.decode.heatmaps import sigmoid
from edge.decode.posenet_outputs import PoseNetOutputs
from edge.types import Array, Floats, Tensor
from tests.support.paint import paint, quantise

GRIDS = [(23, 31), (31, 41), (9, 9), (31, 23), (1, 31), (23, 1)]


def pose(grid: tuple[int, int], stride: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    limits = (np.array(grid) - 1) * stride
    return (rng.uniform(0, 1, (17, 2)) * limits).astype(np.float32), rng.uniform(-3, 9, 17).astype(np.float32)


@pytest.mark.parametrize(("grid", "stride", "seed"), list(product(GRIDS, (8, 16, 32), range(3))))
def test_a_painted_pose_is_decoded_exactly(grid: tuple[int, int], stride: int, seed: int) -> None:
    positions, logits = pose(grid, stride, seed)
    keypoints = get_keypoints(*paint(positions, logits, grid, stride), output_stride=stride)
    assert [keypoint.index for keypoint in keypoints] == list(range(17))
    assert [keypoint.body_part for keypoint in keypoints] == list(PARTS.values())
    assert [(keypoint.y, keypoint.x) for keypoint in keypoints] == [
        pytest.approx(tuple(yx), abs=1e-4) for yx in positions.tolist()
    ]
    assert [keypoint.confidence for keypoint in keypoints] == pytest.approx(sigmoid(logits).tolist())


def test_the_default_stride_is_32() -> None:
    positions, logits = pose((9, 9), 32, 0)
    keypoints = get_keypoints(*paint(positions, logits, (9, 9), 32))
    assert keypoints[3].x == pytest.approx(positions[3, 1], abs=1e-4)


def test_keypoints_on_the_diagonal_of_a_square_grid_are_decoded() -> None:
    """With such keypoints, swapped rows and columns go unnoticed; the next test detects them."""
    positions = np.repeat(np.linspace(0, 250, 17, dtype=np.float32)[:, None], 2, axis=1)
    keypoints = get_keypoints(*paint(positions, np.full(17, 4, np.float32), (9, 9), 32))
    for keypoint, (y, x) in zip(keypoints, positions, strict=True):
        assert keypoint.point() == (int(x), int(y))
        assert keypoint.x == keypoint.y


def test_rows_and_columns_are_not_swapped() -> None:
    """353x481 has a grid of 23 x 31: swapped indices are out of bounds, or in another cell."""
    positions = np.tile(np.array([100, 450], np.float32), (17, 1))  # row 6, column 28; there is no row 28
    heatmaps, offsets = paint(positions, np.full(17, 5, np.float32), (23, 31), 16)
    assert {keypoint.point() for keypoint in get_keypoints(heatmaps, offsets, 16)} == {(450, 100)}

    positions = np.tile(np.array([35, 290], np.float32), (17, 1))  # row 2, column 18; [18, 2] is a cell too
    heatmaps, offsets = paint(positions, np.full(17, 5, np.float32), (23, 31), 16)
    assert {keypoint.point() for keypoint in get_keypoints(heatmaps, offsets, 16)} == {(290, 35)}


def test_shapes_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="heatmaps"):
        get_keypoints(np.zeros((23, 31, 17)), np.zeros((31, 23, 34)))
    with pytest.raises(ValueError, match="heatmaps"):
        get_keypoints(np.zeros((1, 23, 31, 17)), np.zeros((1, 23, 31, 34)))


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.uint8, 128), (np.int8, 0), (np.uint8, 100), (np.int8, -20)])
def test_quantised_outputs_are_decoded_within_one_step(dtype: type, zero_point: int) -> None:
    positions, logits = pose((23, 31), 16, 7)
    heatmaps, offsets = paint(positions, logits, (23, 31), 16)
    decoded = decode_argmax(
        {
            "h": quantise(np.maximum(heatmaps, -7), 10 / 128, zero_point, dtype),
            "o": quantise(offsets, 16 / 128, zero_point, dtype),
        },
        PoseNetOutputs("h", "o", 16),
    )
    assert decoded.keypoints.shape == (1, 17, 2)
    assert decoded.keypoints[0] == pytest.approx(positions, abs=16 / 128)
    real: Array = sigmoid(logits)
    assert decoded.confidences[0] == pytest.approx(real, abs=10 / 128)
    assert decoded.scores[0] == pytest.approx(decoded.confidences[0].mean())


def test_float_outputs_are_decoded_exactly() -> None:
    positions, logits = pose((23, 31), 16, 3)
    heatmaps, offsets = paint(positions, logits, (23, 31), 16)
    decoded = decode_argmax({"a": Tensor(heatmaps), "b": Tensor(offsets)}, PoseNetOutputs("a", "b", 16))
    assert decoded.keypoints[0] == pytest.approx(positions, abs=1e-4)
    assert {array.dtype for array in (decoded.keypoints, decoded.confidences, decoded.scores)} == {np.dtype("f4")}


def test_a_keypoint_swaps_row_and_column_into_x_and_y() -> None:
    keypoint = KeyPoint(9, (97.6, 203.5), 0.98)  # (row, column), as decoders return it
    assert (keypoint.index, keypoint.body_part) == (9, "LEFT_WRIST")
    assert (keypoint.x, keypoint.y, keypoint.confidence) == (203.5, 97.6, 0.98)
    assert keypoint.point() == (203, 97)
    assert keypoint.to_string() == "part: LEFT_WRIST location: (203.5, 97.6) confidence: 0.98"
