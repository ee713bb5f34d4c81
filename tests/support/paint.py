"""Tensors as PoseNet would output them for given poses; decoding gives exactly these poses again."""

import numpy as np

from edge.decode.bottom_up import EDGES
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Array, Floats, Tensor

# A person 1 high and 1 wide, (y, x). Only the distances between keypoints matter, not the proportions.
_BODY = np.array(
    [(0.05, 0.5), (0.0, 0.6), (0.0, 0.4), (0.04, 0.75), (0.04, 0.25), (0.2, 0.8), (0.2, 0.2), (0.4, 0.9), (0.4, 0.1),
     (0.55, 1.0), (0.55, 0.0), (0.5, 0.7), (0.5, 0.3), (0.75, 0.75), (0.75, 0.25), (1.0, 0.8), (1.0, 0.2)], np.float32,
)  # fmt: skip


def crowd(rng: np.random.Generator, count: int, columns: int, stride: int = 16) -> tuple[Floats, Floats]:
    """People of different sizes side by side on a grid with `columns`.

    Returns poses (P, 17, 2) as (y, x) in input px, and logits (P, 17).
    """
    place = columns * stride / count
    poses = []
    for person in range(count):
        height, width = rng.uniform(240, 330), rng.uniform(0.55, 0.75) * place
        left = person * place + rng.uniform(0.05, 0.2) * place
        poses.append(_BODY * (height, width) + (rng.uniform(2, 18), left) + rng.uniform(-3, 3, (17, 2)))
    return np.clip(np.array(poses), 0, None).astype(np.float32), rng.uniform(1.5, 6, (count, 17)).astype(np.float32)


def paint(positions: Floats, logits: Floats, grid: tuple[int, int], stride: int) -> tuple[Floats, Floats]:
    """Heatmaps (h, w, 17) and short offsets (h, w, 34) of one pose.

    positions: (17, 2) as (y, x) input px. The peak of each keypoint is in the nearest cell. Every other offset is a
    large number that occurs only once, so that reading the wrong cell shows.
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
    """`real` as a quantised model would output it."""
    limits = np.iinfo(dtype)
    data: Array = np.clip(np.round(real / scale) + zero_point, limits.min, limits.max).astype(dtype)
    return Tensor(data, scale, zero_point)


def paint_people(poses: Floats, logits: Floats, grid: tuple[int, int], stride: int) -> tuple[Floats, Floats, Floats]:
    """Heatmaps (h, w, 17), short offsets (h, w, 34) and mid offsets (h, w, 64) of several people.

    poses: (P, 17, 2) as (y, x) input px; logits: (P, 17). Up to two cells around a keypoint, the offsets point exactly
    at it and at its neighbours in the tree; farther away they point out of the grid.
    """
    h, w = grid
    cells = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), axis=-1).astype(np.float32) * stride
    heatmaps = np.full((h, w, KEYPOINT_COUNT), -12, np.float32)
    short = np.full((h, w, 2, KEYPOINT_COUNT), -300, np.float32)
    mid = np.full((h, w, 2, 2, len(EDGES)), -300, np.float32)  # forward or backward, y or x, edge
    for k in range(KEYPOINT_COUNT):
        distance = np.linalg.norm(poses[:, None, None, k] - cells, axis=-1) / stride  # (P, h, w)
        nearest = distance.argmin(axis=0)
        near = distance.min(axis=0) < 2.3
        heatmaps[near, k] = (logits[nearest, k] - 3 * distance.min(axis=0) ** 2)[near]
        short[near, :, k] = (poses[nearest, k] - cells)[near]
        for edge, (parent, child) in enumerate(EDGES):
            if k == parent:
                mid[near, 0, :, edge] = (poses[nearest, child] - cells)[near]
            if k == child:
                mid[near, 1, :, edge] = (poses[nearest, parent] - cells)[near]
    return heatmaps, short.reshape(h, w, -1), mid.reshape(h, w, -1)
