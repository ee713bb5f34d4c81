"""Outlines of the parts of a grid that reach a level: marching squares with linear interpolation."""

from collections.abc import Iterable, Iterator

import numpy as np

from edge.geometry import Position
from edge.report.heat import Grid

# The sides of a square between four neighbouring values, as (rows down, columns right, whether it is vertical).
_TOP, _RIGHT, _BOTTOM, _LEFT = (0, 0, False), (0, 1, True), (1, 0, False), (0, 0, True)
_Side = tuple[int, int, bool]
# From which side to which an outline passes, with what reaches the level on its left. The index is the sum of the
# corners that reach the level: 1 top left, 2 top right, 4 bottom right, 8 bottom left.
_PASSES: tuple[tuple[tuple[_Side, _Side], ...], ...] = (
    (), ((_LEFT, _TOP),), ((_TOP, _RIGHT),), ((_LEFT, _RIGHT),),
    ((_RIGHT, _BOTTOM),), ((_LEFT, _TOP), (_RIGHT, _BOTTOM)), ((_TOP, _BOTTOM),), ((_LEFT, _BOTTOM),),
    ((_BOTTOM, _LEFT),), ((_BOTTOM, _TOP),), ((_TOP, _RIGHT), (_BOTTOM, _LEFT)), ((_BOTTOM, _RIGHT),),
    ((_RIGHT, _LEFT),), ((_RIGHT, _TOP),), ((_TOP, _LEFT),), (),
)  # fmt: skip


def outlines(grid: Grid, level: float) -> Iterator[list[Position]]:
    """Closed outlines (x, y) in cells, where cell (0, 0) has its centre at (0.5, 0.5).

    Fill them by the even-odd rule. `level` is above 0, and values outside the grid count as 0.
    """
    padded = np.pad(grid, 1)
    high = padded >= level
    index = high[:-1, :-1] + 2 * high[:-1, 1:] + 4 * high[1:, 1:] + 8 * high[1:, :-1]
    following: dict[_Side, _Side] = {}
    for row, column in np.argwhere((index > 0) & (index < len(_PASSES) - 1)).tolist():
        for start, end in _PASSES[index[row, column]]:
            following[_moved(start, row, column)] = _moved(end, row, column)
    while following:
        first = next(iter(following))
        sides = [first]
        while (side := following.pop(sides[-1])) != first:
            sides.append(side)
        yield list(_points(padded, sides, level))


def _moved(side: _Side, row: int, column: int) -> _Side:
    return row + side[0], column + side[1], side[2]


def _points(padded: Grid, sides: Iterable[_Side], level: float) -> Iterator[Position]:
    """Where the level is crossed on each side."""
    for row, column, vertical in sides:
        here, there = padded[row, column], padded[row + vertical, column + (not vertical)]
        share = float((level - here) / (there - here))
        # The padding moved the first cell to (1, 1).
        yield column - 0.5 + (0 if vertical else share), row - 0.5 + (share if vertical else 0)
