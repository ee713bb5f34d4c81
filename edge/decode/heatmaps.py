"""What every decoder does with heatmaps."""

import math

import numpy as np
import numpy.typing as npt

from edge.types import Array


def sigmoid(x: npt.ArrayLike) -> Array:
    """The logistic function 1 / (1 + exp(-x)) of a logit of any shape: a confidence, 0..1.

    Floats keep their dtype, everything else becomes float64. Never overflows.
    """
    values = np.asarray(x)
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    # Below -11, exp() would be too large for float16, below -88 for float32; the result stays what it is there.
    # Constants of the same dtype, because numpy 1 turns single values into float64 otherwise.
    one, limit = values.dtype.type(1), values.dtype.type(11 if values.dtype.itemsize == 2 else 88)
    result: Array = one / (one + np.exp(np.minimum(-values, limit)))
    return result


def argmax2d(values: Array) -> tuple[Array, Array]:
    """Where the largest value is: (row, column).

    values: (h, w), or (h, w, k) for k matrices at once. Returns two integer scalars, or two integer arrays (k,).
    Of equal values the first in raster order is taken.
    Raises ValueError if it has another number of dimensions or no elements.
    """
    if values.ndim not in (2, 3) or values.size == 0:
        raise ValueError(f"argmax2d wants a non-empty (h, w) or (h, w, k) array, not shape {values.shape}")
    flat = values.reshape(values.shape[0] * values.shape[1], *values.shape[2:]).argmax(axis=0)
    rows, columns = np.divmod(flat, values.shape[1])
    return rows, columns


def output_stride(input_size: tuple[int, int], grid_size: tuple[int, int]) -> int:
    """Input pixels between neighbouring heatmap cells, from the sizes (height, width) of both.

    The corner cells sit on the corner pixels, so the stride is (input - 1) / (grid - 1); inputs of another size
    than n * stride + 1 are padded by the network, and the stride is the power of two that explains the grid.
    Raises ValueError if no stride does.
    """
    side = 0 if grid_size[0] > 1 else 1
    if min(*input_size, *grid_size) >= 1 and grid_size[side] > 1 and input_size[side] > 1:
        stride = 2 ** max(round(math.log2((input_size[side] - 1) / (grid_size[side] - 1))), 0)
        if all(math.ceil(pixels / stride) == cells for pixels, cells in zip(input_size, grid_size, strict=True)):
            return int(stride)
    raise ValueError(f"no output stride leads from an input of {input_size} to a grid of {grid_size}")
