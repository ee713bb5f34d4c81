import numpy as np
import pytest

from edge.pipeline.coarse import ROWS, SAMPLED, coarse


@pytest.mark.parametrize("size", [(352, 470), (480, 640), (353, 481), (640, 480), (48, 64), (1, 1), (3, 200)])
def test_each_cell_is_the_mean_of_its_pixels(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    side = max(min(size) // ROWS, 1)
    cells = coarse(image)
    rows, columns = size[0] // side, size[1] // side
    assert cells.shape == (rows, columns)
    assert cells.dtype == np.float32
    whole = image[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    expected = whole[:, :: -(-side // SAMPLED)].mean(axis=(1, 3, 4))
    np.testing.assert_allclose(cells, expected, rtol=1e-5)


def test_the_largest_pictures_do_not_overflow() -> None:
    assert np.all(coarse(np.full((2000, 3000, 3), 255, np.uint8)) == pytest.approx(255, rel=1e-5))
