"""A tensor that is read at few places, and between its cells too."""

from typing import TypeAlias

import numpy as np

from edge.types import Tensor

Position: TypeAlias = tuple[float, float]  # (y, x) in grid cells


class Field:
    """A tensor (h, w, channels) on the grid, of values or of vectors: then first come the channels of y, then of x."""

    __slots__ = ("_bottom", "_cell", "_half", "_right", "_row", "_unit", "_values", "_zero")

    def __init__(self, tensor: Tensor, *, stride: int = 1) -> None:
        """`stride` is what the values are divided by."""
        h, w, channels = tensor.data.shape
        # Single values are read out of a memoryview in half the time that an array takes.
        self._values = np.ascontiguousarray(tensor.data).reshape(-1).data
        self._row, self._cell, self._half = w * channels, channels, channels // 2
        self._bottom, self._right = h - 1.0, w - 1.0
        self._zero, self._unit = tensor.zero_point, tensor.scale / stride

    def at(self, position: Position, channel: int) -> float:
        """The value of `channel`, bilinearly interpolated."""
        y, x = position
        row, column = int(y), int(x)
        here, across, down, twist = self._patch(row, column, channel)
        dx = x - column
        return here + across * dx + (down + twist * dx) * (y - row)

    def moved(self, row: int, column: int, channel: int) -> Position:
        """Where the vector of one cell leads, but never out of the grid: `follow` without anything in between."""
        i = row * self._row + column * self._cell + channel
        dy = (self._values[i] - self._zero) * self._unit
        dx = (self._values[i + self._half] - self._zero) * self._unit
        return self.leap((row, column), dy, dx)

    def leap(self, position: Position, dy: float, dx: float) -> Position:
        """Where that leads from `position`, but never out of the grid."""
        y, x = position[0] + dy, position[1] + dx
        return min(max(0.0, y), self._bottom), min(max(0.0, x), self._right)  # in this order, NaN becomes 0.0

    def follow(self, position: Position, channel: int, times: int = 1) -> Position:
        """Where the vectors of `channel` lead from `position` in so many leaps, but never out of the grid."""
        y, x = position
        row = column = -1
        for _ in range(times):
            if int(y) != row or int(x) != column:  # most leaps of a refinement end between the same four cells
                row, column = int(y), int(x)
                y_here, y_across, y_down, y_twist = self._patch(row, column, channel)
                x_here, x_across, x_down, x_twist = self._patch(row, column, channel + self._half)
            dy, dx = y - row, x - column
            y += y_here + y_across * dx + (y_down + y_twist * dx) * dy
            x += x_here + x_across * dx + (x_down + x_twist * dx) * dy
            if not 0.0 <= y <= self._bottom:
                y = self._bottom if y > 0.0 else 0.0
            if not 0.0 <= x <= self._right:
                x = self._right if x > 0.0 else 0.0
        return y, x

    def _patch(self, row: int, column: int, channel: int) -> tuple[float, float, float, float]:
        """The bilinear surface between four cells: its value at the first of them, slopes along x and y, and twist."""
        i = row * self._row + column * self._cell + channel
        # The last row and column have no neighbour, and need none: nothing lies beyond.
        right = i + self._cell if column < self._right else i
        down = self._row if row < self._bottom else 0
        values, unit = self._values, self._unit
        here, beside, below = values[i], values[right], values[i + down]
        twist = values[right + down] - below - beside + here
        return (here - self._zero) * unit, (beside - here) * unit, (below - here) * unit, twist * unit


class SingleField(Field):
    """A tensor of floats, read with every step rounded to single precision, in libcoral's order.

    A walk from keypoint to keypoint through noise makes the last bit of a position into pixels, so that only the same
    roundings lead to the same poses: those of a processor that multiplies and adds one after the other. Reading takes
    nearly twice as long as that of integers, but so does the `invoke()` of a network that gives floats.
    """

    __slots__ = ("_single",)

    def __init__(self, tensor: Tensor, *, stride: int = 1) -> None:
        super().__init__(Tensor(tensor.data * np.float32(1 / stride)))
        self._single = memoryview(bytearray(16)).cast("f")  # whatever is stored here is rounded

    def at(self, position: Position, channel: int) -> float:
        y, x = position
        row, column = int(y), int(x)
        return self._between(self._corners(row, column, channel), y - row, x - column)

    def leap(self, position: Position, dy: float, dx: float) -> Position:
        single = self._single
        single[0], single[1] = super().leap(position, dy, dx)
        return single[0], single[1]

    def follow(self, position: Position, channel: int, times: int = 1) -> Position:
        single = self._single
        y, x = position
        row = column = -1
        for _ in range(times):
            if int(y) != row or int(x) != column:
                row, column = int(y), int(x)
                ys, xs = self._corners(row, column, channel), self._corners(row, column, channel + self._half)
            dy, dx = y - row, x - column
            y += self._between(ys, dy, dx)
            x += self._between(xs, dy, dx)
            if not 0.0 <= y <= self._bottom:
                y = self._bottom if y > 0.0 else 0.0
            if not 0.0 <= x <= self._right:
                x = self._right if x > 0.0 else 0.0
            single[0], single[1] = y, x
            y, x = single[0], single[1]
        return y, x

    def _corners(self, row: int, column: int, channel: int) -> tuple[float, float, float, float]:
        """The values of the four cells around: of the upper two, and of the lower two."""
        values, i = self._values, row * self._row + column * self._cell + channel
        right = self._cell if column < self._right else 0
        j = i + self._row if row < self._bottom else i
        return values[i], values[i + right], values[j], values[j + right]

    def _between(self, corners: tuple[float, float, float, float], dy: float, dx: float) -> float:
        """The value that far away from the first of four cells."""
        single = self._single
        here, beside, below, across = corners
        # A cell of no weight is left out: it may be infinite, or NaN.
        if not dx:
            beside, across = here, below
        if not dy:
            below, across = here, beside
        single[0], single[1] = 1.0 - dy, 1.0 - dx
        rest_y, rest_x = single[0], single[1]
        single[0], single[1], single[2], single[3] = rest_x * here, dx * beside, rest_x * below, dx * across
        single[0], single[2] = single[0] + single[1], single[2] + single[3]
        single[0], single[2] = rest_y * single[0], dy * single[2]
        single[0] += single[2]
        return single[0]
