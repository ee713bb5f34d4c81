"""Poses painted as a PoseNet would output them: heatmaps and short offsets that decode to exactly these poses."""

import numpy as np

from edge.skeleton import KEYPOINT_COUNT
from edge.types import Array, Floats, Tensor


def paint(positions: Floats, logits: Floats, grid: tuple[int, int], stride: int) -> tuple[Floats, Floats]:
    """Heatmaps (h, w, 17) and short offsets (h, w, 34) of one pose.

    positions: (17, 2) as (y, x) input px. The peak of each keypoint is in the nearest cell; every other cell of the
    offsets holds a large number of its own, so that reading the wrong one cannot go unseen.
    """
    h, w = grid
    heatmaps = np.full((h, w, KEYPOINT_COUNT), -12, np.float32)
    offsets = np.arange(h * w * 2 * KEYPOINT_COUNT, dtype=np.float32).reshape(h, w, -1) + 1000
    for k, (yx, logit) in enumerate(zip(positions, logits, strict=True)):
        row, column = np.clip(np.round(yx / stride).astype(int), 0, (h - 1, w - 1))
        heatmaps[row, column, k] = logit
        offsets[row, column, [k, k + KEYPOINT_COUNT]] = yx - np.array((row, column)) * stride
    return heatmaps, offsets


def quantise(real: Array, scale: float, zero_point: int, dtype: type) -> Tensor:
    """As a quantised model would give it."""
    limits = np.iinfo(dtype)
    data: Array = np.clip(np.round(real / scale) + zero_point, limits.min, limits.max).astype(dtype)
    return Tensor(data, scale, zero_point)
