"""Functions on heatmaps that several decoders share."""

import math

import numpy as np
import numpy.typing as npt

from edge.types import Array


def sigmoid(x: npt.ArrayLike) -> Array:
    """The logistic function 1 / (1 + exp(-x)): turns a logit of any shape into a confidence, 0..1.

    Floats keep their dtype, everything else becomes float64. Never overflows.
    """
    values = np.asarray(x)
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    # exp() overflows above 11 in float16 and above 88 in float32; the result is the same without going further.
    # The constants have the same dtype, because numpy 1 otherwise turns single values into float64.
    one, limit = values.dtype.type(1), values.dtype.type(11 if values.dtype.itemsize == 2 else 88)
    result: Array = one / (one + np.exp(np.minimum(-values, limit)))
    return result


def argmax2d(values: Array) -> tuple[Array, Array]:
    """The (row, column) of the largest value.

    values: (h, w), or (h, w, k) for k matrices at once. Returns two integer scalars, or two integer arrays (k,).
    The first of equal values in raster order wins. Raises ValueError for other dimensions and for empty arrays.
    """
    if values.ndim not in (2, 3) or values.size == 0:
        raise ValueError(f"argmax2d needs a non-empty (h, w) or (h, w, k) array, not shape {values.shape}")
    flat = values.reshape(values.shape[0] * values.shape[1], *values.shape[2:]).argmax(axis=0)
    rows, columns = np.divmod(flat, values.shape[1])
    return rows, columns


def output_stride(input_size: tuple[int, int], grid_size: tuple[int, int]) -> int:
    """Input pixels between neighbouring heatmap cells, from both sizes as (height, width).

    Corner cells lie on corner pixels, so the stride is (input - 1) / (grid - 1). The network pads an input whose size
    is not n * stride + 1; the stride is then the power of two that leads to the grid. Raises ValueError if none does.
    """
    side = 0 if grid_size[0] > 1 else 1
    if min(*input_size, *grid_size) >= 1 and grid_size[side] > 1 and input_size[side] > 1:
        stride = 2 ** max(round(math.log2((input_size[side] - 1) / (grid_size[side] - 1))), 0)
        if all(math.ceil(pixels / stride) == cells for pixels, cells in zip(input_size, grid_size, strict=True)):
            return int(stride)
    raise ValueError(f"no output stride leads from an input of {input_size} to a grid of {grid_size}")
