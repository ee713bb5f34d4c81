"""Where people stood and sat, as time per place on the picture."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.geometry import Position
from edge.skeleton import INDEX
from edge.types import Person, Point

COLUMNS = 64  # of the grid
BLUR = 1.1  # standard deviation, cells: a keypoint is no more exact than this
CONTRAST = 0.4  # exponent of time on the map
SPOT = 3  # cells: about 1/20 of the picture's width

_FEET = INDEX["LEFT_ANKLE"], INDEX["RIGHT_ANKLE"]
_HIPS = INDEX["LEFT_HIP"], INDEX["RIGHT_HIP"]

Grid = npt.NDArray[np.float64]


class Heat:
    """Sums the time that people spent in each cell of a grid over the picture."""

    def __init__(self, width: int, height: int) -> None:
        """`width` and `height` are those of the frames, px."""
        self.rows = min(max(round(COLUMNS * height / width), 1), 4 * COLUMNS)
        self.grid: Grid = np.zeros((self.rows, COLUMNS))  # seconds

    def add(self, place: Position, seconds: float) -> None:
        """Add time at a place in fractions of the picture."""
        column, row = int(place[0] * COLUMNS), int(place[1] * self.rows)
        self.grid[min(max(row, 0), self.rows - 1), min(max(column, 0), COLUMNS - 1)] += seconds

    def peak_s(self) -> float:
        """The most seconds in a square of SPOT by SPOT cells."""
        padded = np.pad(self.grid, SPOT // 2)
        return float(np.lib.stride_tricks.sliding_window_view(padded, (SPOT, SPOT)).sum(axis=(2, 3)).max())

    def map(self) -> Grid:
        """The grid for drawing, from 0 to 1. Contrast is compressed, so that seconds and hours are both visible."""
        smooth = _blurred(self.grid**CONTRAST)
        result: Grid = smooth / (smooth.max() or 1.0)
        return result

    def parts(self) -> list[list[float]]:
        """The share of the time in each ninth of the picture, by row from the top; all 0 without people."""
        rows, columns = (np.arange(count) * 3 // count for count in self.grid.shape)
        total = float(self.grid.sum()) or 1.0
        return [
            [float(self.grid[np.ix_(rows == row, columns == column)].sum()) / total for column in range(3)]
            for row in range(3)
        ]


def _blurred(grid: Grid) -> Grid:
    reach = math.ceil(3 * BLUR)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * BLUR**2))
    kernel /= kernel.sum()
    # The outermost cells go on beyond the edge of the picture, so that they do not fade.
    smooth = np.pad(grid, reach, mode="symmetric")
    for axis in (0, 1):
        smooth = np.apply_along_axis(np.convolve, axis, smooth, kernel, "same")
    result: Grid = smooth[reach:-reach, reach:-reach]
    return result


def place_of(person: Person, width: int, height: int) -> Position:
    """Where a person is on the floor, in fractions of the picture: the feet, else the hips, else below the box."""
    for parts in (_FEET, _HIPS):
        seen = [point for part in parts if (point := person.keypoints[part])]
        if seen:
            x, y = _mean(seen)
            return (x + 0.5) / width, (y + 0.5) / height
    box = person.box
    return ((box.left + box.right) / 2 + 0.5) / width, (box.bottom + 0.5) / height


def _mean(points: Sequence[Point]) -> Position:
    return sum(one.x for one in points) / len(points), sum(one.y for one in points) / len(points)
