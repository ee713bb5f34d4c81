import math

import numpy as np
import pytest

from edge import argmax2d, sigmoid
from edge.decode.heatmaps import output_stride


def test_sigmoid_known_values() -> None:
    assert sigmoid(0) == 0.5
    assert sigmoid(np.float32(20)) == np.float32(1)
    assert sigmoid(np.float32(-5)) == pytest.approx(0.006692851, rel=1e-6)
    assert sigmoid(np.array([1, -1])) == pytest.approx([0.7310585786, 0.2689414214])


@pytest.mark.parametrize(("dtype", "rest"), [(np.float16, 2e-5), (np.float32, 1e-30), (np.float64, 1e-30)])
def test_sigmoid_neither_overflows_nor_changes_the_dtype(dtype: type, rest: float) -> None:
    extreme = sigmoid(np.array([-6e4, -1000, 1000, 6e4], dtype))  # a RuntimeWarning would fail this test
    assert extreme.dtype == dtype
    assert extreme == pytest.approx([0, 0, 1, 1], abs=rest)


def test_sigmoid_of_integers_is_float64() -> None:
    assert sigmoid(np.array([3], np.int8)).dtype == np.float64


def test_sigmoid_undoes_the_logit() -> None:
    p = np.linspace(0.001, 0.999, 97)
    assert sigmoid(np.log(p / (1 - p))) == pytest.approx(p)


def test_argmax2d_of_one_matrix_is_row_and_column() -> None:
    matrix = np.zeros((3, 7))
    matrix[2, 5] = 1
    assert tuple(map(int, argmax2d(matrix))) == (2, 5)


def test_argmax2d_of_several_matrices() -> None:
    values = np.random.default_rng(1).normal(size=(5, 9, 4))
    rows, columns = argmax2d(values)
    for k in range(4):
        assert values[rows[k], columns[k], k] == values[:, :, k].max()


def test_argmax2d_returns_the_first_of_equal_values_in_raster_order() -> None:
    matrix = np.zeros((4, 4), np.uint8)
    matrix[1, 3] = matrix[2, 0] = 9
    assert tuple(map(int, argmax2d(matrix))) == (1, 3)


@pytest.mark.parametrize("shape", [(4,), (0, 3), (2, 2, 2, 2)])
def test_argmax2d_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="argmax2d"):
        argmax2d(np.zeros(shape))


@pytest.mark.parametrize(
    ("input_size", "grid", "stride"),
    [
        ((353, 481), (23, 31), 16),
        ((481, 641), (31, 41), 16),
        ((257, 257), (9, 9), 32),
        ((257, 257), (33, 33), 8),
        ((17, 353), (2, 23), 16),
        ((16, 353), (1, 23), 16),  # one row, so the stride comes from the width
        ((480, 640), (30, 40), 16),  # padded by the network
    ],
)
def test_output_stride_follows_from_both_sizes(input_size: tuple[int, int], grid: tuple[int, int], stride: int) -> None:
    assert output_stride(input_size, grid) == stride
    assert tuple(math.ceil(side / stride) for side in input_size) == grid


@pytest.mark.parametrize("grid", [(23, 32), (1, 1), (0, 0), (353, 31)])
def test_output_stride_refuses_grids_that_do_not_fit(grid: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="output stride"):
        output_stride((353, 481), grid)


def test_output_stride_refuses_an_input_of_one_pixel() -> None:
    with pytest.raises(ValueError, match="output stride"):
        output_stride((1, 1), (2, 1))
