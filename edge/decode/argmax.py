"""PoseNet for one person: the best cell of each heatmap, moved by the short offset of that cell."""

import numpy as np

from edge.decode.heatmaps import argmax2d, sigmoid
from edge.decode.posenet_outputs import PoseNetOutputs
from edge.skeleton import KeyPoint
from edge.types import Array, Decoded, Floats, RawOutputs, Tensor


def get_keypoints(heatmaps: Array, offsets: Array, output_stride: int = 32) -> list[KeyPoint]:
    """Decode one person from PoseNet's outputs.

    heatmaps: (h, w, k) logits. offsets: (h, w, 2 k) in input px, all y channels before all x channels. output_stride:
    input px between neighbouring cells; `edge.decode.heatmaps.output_stride` derives it from the sizes.
    Returns k KeyPoints in input px. Raises ValueError if the shapes do not fit each other.
    """
    if heatmaps.ndim != 3 or offsets.shape != (*heatmaps.shape[:2], 2 * heatmaps.shape[2]):
        raise ValueError(
            f"get_keypoints needs heatmaps (h, w, k) and offsets (h, w, 2 k), not {heatmaps.shape} and {offsets.shape}"
        )
    positions, logits = _best_positions(Tensor(heatmaps), Tensor(offsets), output_stride)
    return [KeyPoint(k, yx, v) for k, (yx, v) in enumerate(zip(positions, sigmoid(logits), strict=True))]


def decode_argmax(outputs: RawOutputs, names: PoseNetOutputs) -> Decoded:
    """Decode exactly one pose, however low its score, which is the mean confidence of its keypoints."""
    positions, logits = _best_positions(outputs[names.heatmaps], outputs[names.short_offsets], names.stride)
    confidences = sigmoid(logits)
    score = confidences.sum(keepdims=True) / np.float32(len(confidences))  # mean() takes twice the time
    return Decoded(positions[None], confidences[None], score)


def _best_positions(heatmaps: Tensor, offsets: Tensor, stride: int) -> tuple[Floats, Floats]:
    """Positions (k, 2) as (y, x) in input px, and logits (k,), of the best cell of each heatmap.

    Dequantising keeps the order of values, so the search reads the raw tensor and only 3 k values are dequantised.
    """
    cells = argmax2d(heatmaps.data)
    y_and_x = np.arange(offsets.data.shape[2]).reshape(2, -1)  # channels of the offsets
    logits = heatmaps.real(heatmaps.data[*cells, y_and_x[0]])
    moved = offsets.real(offsets.data[*cells, y_and_x])
    return (np.array(cells, np.float32) * stride + moved).T, logits
