"""Poses painted as a PoseNet would output them: heatmaps and short offsets that decode to exactly these poses."""

import numpy as np

from edge.decode.posenet import EDGES
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


def paint_people(poses: Floats, logits: Floats, grid: tuple[int, int], stride: int) -> tuple[Floats, Floats, Floats]:
    """Heatmaps (h, w, 17), short offsets (h, w, 34) and mid offsets (h, w, 64) of several people.

    poses: (P, 17, 2) as (y, x) input px; logits: (P, 17). Around each keypoint, up to two cells away, the offsets point
    at it and at its neighbours in the tree, exactly; farther away everything points at nothing.
    """
    h, w = grid
    cells = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), axis=-1).astype(np.float32) * stride
    heatmaps = np.full((h, w, KEYPOINT_COUNT), -12, np.float32)
    short = np.full((h, w, 2, KEYPOINT_COUNT), -300, np.float32)
    mid = np.full((h, w, 2, 2, len(EDGES)), -300, np.float32)  # forward or backward, y or x, edge
    for k in range(KEYPOINT_COUNT):
        distance = np.linalg.norm(poses[:, None, None, k] - cells, axis=-1) / stride  # (P, h, w)
        whose = distance.argmin(axis=0)
        near = distance.min(axis=0) < 2.3
        heatmaps[near, k] = (logits[whose, k] - 3 * distance.min(axis=0) ** 2)[near]
        short[near, :, k] = (poses[whose, k] - cells)[near]
        for edge, (parent, child) in enumerate(EDGES):
            if k == parent:
                mid[near, 0, :, edge] = (poses[whose, child] - cells)[near]
            if k == child:
                mid[near, 1, :, edge] = (poses[whose, parent] - cells)[near]
    return heatmaps, short.reshape(h, w, -1), mid.reshape(h, w, -1)
