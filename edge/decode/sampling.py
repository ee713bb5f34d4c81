"""Read an output tensor at single grid positions, interpolated between its cells."""

from typing import TypeAlias

import numpy as np

from edge.types import Tensor

Position: TypeAlias = tuple[float, float]  # (y, x) in grid cells


class Sampler:
    """Reads a tensor (h, w, channels) at grid positions, in double precision.

    The channels are scalars, or vectors: then the y channels come first, followed by as many x channels. Positions
    must lie on the grid, 0..h - 1 and 0..w - 1; the methods that return positions keep them there.
    """

    __slots__ = ("_bottom", "_cell", "_half", "_right", "_row", "_unit", "_values", "_zero")

    def __init__(self, tensor: Tensor, *, stride: int = 1) -> None:
        """Real values are divided by `stride`: input px become grid cells."""
        h, w, channels = tensor.data.shape
        # Reading single values from a memoryview takes half the time of an array.
        self._values = np.ascontiguousarray(tensor.data).reshape(-1).data
        self._row, self._cell, self._half = w * channels, channels, channels // 2
        self._bottom, self._right = h - 1.0, w - 1.0
        self._zero, self._unit = tensor.zero_point, tensor.scale / stride

    def at(self, position: Position, channel: int) -> float:
        """The value of `channel` at `position`, bilinearly interpolated."""
        y, x = position
        row, column = int(y), int(x)
        here, across, down, twist = self._patch(row, column, channel)
        dx = x - column
        return here + across * dx + (down + twist * dx) * (y - row)

    def from_cell(self, row: int, column: int, channel: int) -> Position:
        """The end of the vector of one cell, clamped to the grid: `follow` without interpolation."""
        i = row * self._row + column * self._cell + channel
        y = row + (self._values[i] - self._zero) * self._unit
        x = column + (self._values[i + self._half] - self._zero) * self._unit
        if not 0.0 <= y <= self._bottom:
            y = self._bottom if y > 0.0 else 0.0
        if not 0.0 <= x <= self._right:
            x = self._right if x > 0.0 else 0.0
        return y, x

    def follow(self, position: Position, channel: int, times: int = 1) -> Position:
        """`position` moved `times` times by the vector of `channel` where it is, each time clamped to the grid."""
        y, x = position
        row = column = -1
        for _ in range(times):
            dy, dx = y - row, x - column
            if not (0.0 <= dy < 1.0 and 0.0 <= dx < 1.0):  # most steps of a refinement stay between the same four cells
                row, column = int(y), int(x)
                dy, dx = y - row, x - column
                y_here, y_across, y_down, y_twist = self._patch(row, column, channel)
                x_here, x_across, x_down, x_twist = self._patch(row, column, channel + self._half)
            y += y_here + y_across * dx + (y_down + y_twist * dx) * dy
            x += x_here + x_across * dx + (x_down + x_twist * dx) * dy
            if not 0.0 <= y <= self._bottom:
                y = self._bottom if y > 0.0 else 0.0
            if not 0.0 <= x <= self._right:
                x = self._right if x > 0.0 else 0.0
        return y, x

    def _patch(self, row: int, column: int, channel: int) -> tuple[float, float, float, float]:
        """The bilinear surface between four cells: its value at the upper left one, slopes along x and y, and twist."""
        i = row * self._row + column * self._cell + channel
        # The last row and column have no neighbour and need none, because positions end there.
        right = i + self._cell if column < self._right else i
        down = self._row if row < self._bottom else 0
        values, unit = self._values, self._unit
        here, beside, below = values[i], values[right], values[i + down]
        twist = values[right + down] - below - beside + here
        return (here - self._zero) * unit, (beside - here) * unit, (below - here) * unit, twist * unit


class Float32Sampler(Sampler):
    """Reads a tensor of floats with every operation rounded to float32, in libcoral's order.

    Rounding errors grow to whole pixels along the tree if the tensors are noisy, so only the same roundings give the
    same poses: those of a processor without fused multiply-add. Reading takes nearly twice as long as in double
    precision, but so does `invoke()` of a network with float outputs.
    """

    __slots__ = ("_float32",)

    def __init__(self, tensor: Tensor, *, stride: int = 1) -> None:
        super().__init__(Tensor(tensor.data * np.float32(1 / stride)))
        self._float32 = memoryview(bytearray(16)).cast("f")  # rounds the values that are stored in it

    def at(self, position: Position, channel: int) -> float:
        y, x = position
        row, column = int(y), int(x)
        return self._interpolated(self._corners(row, column, channel), y - row, x - column)

    def from_cell(self, row: int, column: int, channel: int) -> Position:
        float32 = self._float32
        float32[0], float32[1] = super().from_cell(row, column, channel)
        return float32[0], float32[1]

    def follow(self, position: Position, channel: int, times: int = 1) -> Position:
        float32 = self._float32
        y, x = position
        row = column = -1
        for _ in range(times):
            if int(y) != row or int(x) != column:
                row, column = int(y), int(x)
                ys, xs = self._corners(row, column, channel), self._corners(row, column, channel + self._half)
            dy, dx = y - row, x - column
            y += self._interpolated(ys, dy, dx)
            x += self._interpolated(xs, dy, dx)
            if not 0.0 <= y <= self._bottom:
                y = self._bottom if y > 0.0 else 0.0
            if not 0.0 <= x <= self._right:
                x = self._right if x > 0.0 else 0.0
            float32[0], float32[1] = y, x
            y, x = float32[0], float32[1]
        return y, x

    def _corners(self, row: int, column: int, channel: int) -> tuple[float, float, float, float]:
        """The values of four cells: upper left, upper right, lower left, lower right."""
        values, i = self._values, row * self._row + column * self._cell + channel
        right = self._cell if column < self._right else 0
        j = i + self._row if row < self._bottom else i
        return values[i], values[i + right], values[j], values[j + right]

    def _interpolated(self, corners: tuple[float, float, float, float], dy: float, dx: float) -> float:
        """The value at (dy, dx) from the upper left one of four cells, 0..1 each."""
        float32 = self._float32
        here, beside, below, across = corners
        # A cell of weight 0 must not count, because it may be infinite or NaN.
        if not dx:
            beside, across = here, below
        if not dy:
            below, across = here, beside
        float32[0], float32[1] = 1.0 - dy, 1.0 - dx
        rest_y, rest_x = float32[0], float32[1]
        float32[0], float32[1], float32[2], float32[3] = rest_x * here, dx * beside, rest_x * below, dx * across
        float32[0], float32[2] = float32[0] + float32[1], float32[2] + float32[3]
        float32[0], float32[2] = rest_y * float32[0], dy * float32[2]
        float32[0] += float32[2]
        return float32[0]
