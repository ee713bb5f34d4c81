"""Reading tensors between cells; the numbers are those of libcoral's unit tests of its decoder."""

import numpy as np
import pytest

from edge.decode.sampling import Float32Sampler, Sampler
from edge.types import Tensor


def test_values_between_cells_are_bilinear() -> None:
    y, x, c = np.meshgrid(np.arange(3), np.arange(4), np.arange(4), indexing="ij")
    sampler = Sampler(Tensor((y + x + c + 0.2).astype(np.float32)))
    for channel in (2, 0, 0, 1):
        assert sampler.at((0.75, 1.32), channel) == pytest.approx(0.75 + 1.32 + channel + 0.2, rel=1e-6)


def test_floats_are_read_in_single_precision() -> None:
    """Exactly, because decoding noisy tensors enlarges every difference."""
    rng = np.random.default_rng(0)
    data = rng.normal(0, 40, (7, 9, 4)).astype(np.float32)
    sampler, one = Float32Sampler(Tensor(data), stride=16), np.float32(1)
    for y, x in rng.uniform(0, (5.9, 7.9), (200, 2)).astype(np.float32):
        row, column = int(y), int(x)
        dy, dx = y - np.float32(row), x - np.float32(column)
        (here, beside), (below, across) = data[row : row + 2, column : column + 2, 1] / np.float32(16)
        upper, lower = (one - dx) * here + dx * beside, (one - dx) * below + dx * across
        assert sampler.at((float(y), float(x)), 1) == float((one - dy) * upper + dy * lower)


def test_positions_follow_a_mid_offset_and_then_short_offsets() -> None:
    ones = Tensor(np.ones((10, 8, 6), np.float32)), Tensor(-np.ones((10, 8, 16), np.float32))
    y, x, c = np.meshgrid(np.arange(10), np.arange(8), np.arange(16), indexing="ij")
    short = Tensor((y + x + c + 0.1)[..., :6].astype(np.float32) / np.float32(21.1))
    mid = Tensor((2 * (y + x + c + 0.1) / 31 - 0.5).astype(np.float32))
    slopes = [(4.161290, 3.819355), (4.639046, 4.439290), (5.168825, 5.111249), (5.755558, 5.840163)]
    for steps in range(4):
        for (near, far), expected in (
            (ones, (4.1 + steps - 1, 3.5 + steps - 1)),
            ((short, mid), slopes[steps]),
        ):
            # The forward half: y of four edges, then x.
            reached = Sampler(Tensor(far.data[..., :8])).follow((4.1, 3.5), 1)
            assert Sampler(near).follow(reached, 2, steps) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_cell_of_weight_0_does_not_count(bad: float) -> None:
    values = np.ones((3, 3, 1), np.float32)
    values[1, 1] = bad
    sampler = Float32Sampler(Tensor(values))
    places = ((0, 0), (0, 1), (1, 0), (0.5, 0), (0, 0.5), (2, 2), (1.5, 2))
    assert [sampler.at(place, 0) for place in places] == [1] * 7
    assert not np.isfinite(sampler.at((0.5, 0.5), 0))
