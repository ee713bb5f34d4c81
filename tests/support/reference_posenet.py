"""A second decoder for several people, slow and literal, written from the paper.

It shares no code with `edge.decode`, so that both can be compared on any input. It computes in the dtype of its
arguments: where vectors differ much from cell to cell, every dtype leads to other poses.
"""

import heapq
import math
from typing import Any

import numpy as np

from edge.types import Array

# The tree of the paper, with COCO's keypoint indices.
TREE = [(0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11), (11, 13), (13, 15), (0, 6), (6, 8), (8, 10),
        (6, 12), (12, 14), (14, 16)]  # fmt: skip


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -80 else 0.0


def bilinear(tensor: Array, y: Any, x: Any, channel: int) -> Any:
    h, w = tensor.shape[:2]
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(math.ceil(y), h - 1), min(math.ceil(x), w - 1)
    one = tensor.dtype.type(1)
    fy, fx = y % one, x % one
    top = (one - fx) * tensor[y0, x0, channel] + fx * tensor[y0, x1, channel]
    bottom = (one - fx) * tensor[y1, x0, channel] + fx * tensor[y1, x1, channel]
    return (one - fy) * top + fy * bottom


def reference(  # noqa: C901, PLR0912 - one recipe on purpose
    heatmaps: Array, short: Array, mid: Array, *, stride: int, max_poses: int, threshold: float, radius_px: float
) -> tuple[Array, Array, Array]:
    """Keypoints (P, 17, 2) as (y, x) px, confidences (P, 17), scores (P,)."""
    h, w, _ = heatmaps.shape
    real = heatmaps.dtype.type
    short, mid = short * real(1 / stride), mid * real(1 / stride)
    radius2 = (radius_px / stride) ** 2

    def clamp(y: Any, x: Any) -> tuple[Any, Any]:
        return min(max(y, real(0)), real(h - 1)), min(max(x, real(0)), real(w - 1))

    least = -math.log(1 / (threshold + 1e-6) - 1)
    queue: list[tuple[float, int, int, int, tuple[Any, Any]]] = []
    for row in range(h):
        for column in range(w):
            window = heatmaps[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            for k in range(17):
                logit = float(heatmaps[row, column, k])
                if logit >= least and logit >= window[..., k].max():
                    place = clamp(real(row) + short[row, column, k], real(column) + short[row, column, k + 17])
                    heapq.heappush(queue, (-logit, row, column, k, place))

    found: list[tuple[Array, Array, float]] = []
    while queue and len(found) < max_poses:
        *_, root, place = heapq.heappop(queue)
        if any(np.sum((pose[root] - place) ** 2) <= radius2 for pose, _, _ in found):
            continue
        pose = np.full((17, 2), np.nan, real)
        pose[root] = place
        while np.isnan(pose).any():
            for edge, (a, b) in enumerate(TREE):
                for source, target, channel in ((a, b, edge), (b, a, 32 + edge)):
                    if np.isnan(pose[source, 0]) or not np.isnan(pose[target, 0]):
                        continue
                    y, x = pose[source]
                    y, x = clamp(y + bilinear(mid, y, x, channel), x + bilinear(mid, y, x, channel + 16))
                    for _ in range(5):
                        y, x = clamp(y + bilinear(short, y, x, target), x + bilinear(short, y, x, target + 17))
                    pose[target] = y, x
        confidence = np.array([sigmoid(bilinear(heatmaps, y, x, k)) for k, (y, x) in enumerate(pose)])
        if confidence.mean() >= threshold:
            found.append((pose, confidence, float(confidence.mean())))

    found.sort(key=lambda one: -one[2])
    rescored = []
    for rank, (pose, confidence, _) in enumerate(found):
        score = 0.0
        for k in range(17):
            if all(np.sum((pose[k] - other[k]) ** 2) > radius2 for other, _, _ in found[:rank]):
                score += confidence[k] / 17
        rescored.append((pose, confidence, score))
    rescored.sort(key=lambda one: -one[2])
    kept = [one for one in rescored if one[2] >= threshold]
    return (
        np.array([pose * stride for pose, _, _ in kept]).reshape(-1, 17, 2),
        np.array([confidence for _, confidence, _ in kept]).reshape(-1, 17),
        np.array([score for _, _, score in kept]),
    )
