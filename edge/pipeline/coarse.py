"""Reduce a picture to the brightness of coarse cells."""

import numpy as np

from edge.types import Floats, Image

ROWS = 58  # about this many cells along the shorter side: a person 40 px tall in 640 x 480 px covers five of them
SAMPLED = 6  # at most this many rows of pixels of each cell are read


def coarse(image: Image) -> Floats:
    """The mean brightness of square cells of a picture, float32 (rows, columns), 0..255.

    Pixels beyond the last whole cell are left out. A picture must have at least one pixel.
    """
    height, width = image.shape[:2]
    side = max(min(height, width) // ROWS, 1)
    rows, columns = height // side, width // side
    picked = range(0, side, -(-side // SAMPLED))
    cells = image[: rows * side].reshape(rows, side, 3 * width)
    # Sums of whole rows in 16 bits are several times faster than a mean over both axes.
    sums = cells[:, 0].astype(np.uint16)
    for row in picked[1:]:
        sums += cells[:, row]
    starts = np.arange(0, 3 * columns * side, 3 * side)
    means: Floats = np.add.reduceat(sums[:, : 3 * columns * side], starts, axis=1, dtype=np.float32)
    means *= np.float32(1 / (3 * side * len(picked)))
    return means
