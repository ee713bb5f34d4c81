"""The multi-person decoding once more, from the description and not from the code: slow and literal.

It shares nothing with `edge.decode.posenet`, so that the two can be held against each other on any input.
"""

import heapq
import math

import numpy as np

from edge.types import Array, Floats

# Names as in the paper; the numbers are COCO's.
TREE = [(0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11), (11, 13), (13, 15), (0, 6), (6, 8), (8, 10),
        (6, 12), (12, 14), (14, 16)]  # fmt: skip


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -80 else 0.0


def bilinear(tensor: Array, y: float, x: float, channel: int) -> float:
    h, w = tensor.shape[:2]
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(math.ceil(y), h - 1), min(math.ceil(x), w - 1)
    fy, fx = y - y0, x - x0
    top = (1 - fx) * tensor[y0, x0, channel] + fx * tensor[y0, x1, channel]
    bottom = (1 - fx) * tensor[y1, x0, channel] + fx * tensor[y1, x1, channel]
    return float((1 - fy) * top + fy * bottom)


def reference(  # noqa: C901, PLR0912 - as one recipe, on purpose
    heatmaps: Floats, short: Floats, mid: Floats, *, stride: int, max_poses: int, threshold: float, radius_px: float
) -> tuple[Array, Array, Array]:
    """Keypoints (P, 17, 2) as (y, x) px, confidences (P, 17), scores (P,)."""
    h, w, _ = heatmaps.shape
    short, mid = short / np.float32(stride), mid / np.float32(stride)
    radius2 = (radius_px / stride) ** 2

    def clamp(y: float, x: float) -> tuple[float, float]:
        return min(max(y, 0.0), h - 1.0), min(max(x, 0.0), w - 1.0)

    least = -math.log(1 / (threshold + 1e-6) - 1)
    queue: list[tuple[float, int, int, int, tuple[float, float]]] = []
    for row in range(h):
        for column in range(w):
            window = heatmaps[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            for k in range(17):
                logit = float(heatmaps[row, column, k])
                if logit >= least and logit >= window[..., k].max():
                    place = clamp(row + float(short[row, column, k]), column + float(short[row, column, k + 17]))
                    heapq.heappush(queue, (-logit, row, column, k, place))

    found: list[tuple[Array, Array, float]] = []
    while queue and len(found) < max_poses:
        *_, root, place = heapq.heappop(queue)
        if any(np.sum((pose[root] - place) ** 2) <= radius2 for pose, _, _ in found):
            continue
        pose = np.full((17, 2), np.nan)
        pose[root] = place
        while np.isnan(pose).any():
            for edge, (a, b) in enumerate(TREE):
                # libcoral forgets to add 16 to the number of the first backward edge, so it reads channels 16 and 32.
                for source, target, channel in ((a, b, edge), (b, a, 32 + edge if edge else 16)):
                    if np.isnan(pose[source, 0]) or not np.isnan(pose[target, 0]):
                        continue
                    y, x = pose[source]
                    y, x = clamp(y + bilinear(mid, y, x, channel), x + bilinear(mid, y, x, channel + 16))
                    for _ in range(5):
                        y, x = clamp(y + bilinear(short, y, x, target), x + bilinear(short, y, x, target + 17))
                    pose[target] = y, x
        confidence = np.array([sigmoid(bilinear(heatmaps, y, x, k)) for k, (y, x) in enumerate(pose.tolist())])
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
