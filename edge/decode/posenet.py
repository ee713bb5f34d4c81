"""The PoseNet family: several people by mid offsets, or one person by the best cell of each heatmap."""

from collections.abc import Iterator
from functools import partial
from typing import TypeAlias

import numpy as np

from edge.decode import bottom_up
from edge.decode.argmax import decode_argmax
from edge.decode.bottom_up import EDGES
from edge.decode.family import Decoding, Family, Options, Shapes, Size, listing
from edge.decode.posenet_outputs import PoseNetOutputs, find_outputs, is_posenet
from edge.errors import ModelError
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Array, Decoded, Floats, RawOutputs, Tensor

Quantization: TypeAlias = tuple[tuple[float, int], tuple[float, int], tuple[float, int]]


def decode_poses(  # noqa: PLR0913 - the three tensors belong together, the rest are options by name
    heatmaps: Array,
    short_offsets: Array,
    mid_offsets: Array,
    *,
    output_stride: int = 16,
    max_poses: int = 10,
    score_threshold: float = 0.2,
    nms_radius_px: float = 10.0,
    quantization: Quantization | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Decode several people from PoseNet's outputs.

    heatmaps: (h, w, 17) logits. short_offsets: (h, w, 34) in input px, all y channels before all x channels.
    mid_offsets: (h, w, 64) in input px: forward y, forward x, backward y, backward x of the sixteen
    `edge.decode.bottom_up.EDGES`. All are floats, or all uint8 or int8 with `quantization`, the (scale, zero point) of
    each. output_stride: input px between neighbouring cells. score_threshold: minimum confidence of a root and minimum
    score of a pose; outside 0..1, no pose is found. nms_radius_px: keypoints of one kind within this distance count as
    the same.
    Returns P poses, best first: keypoints (P, 17, 2) as (y, x) in input px, their confidences (P, 17), and the scores
    of the poses (P,). Raises ValueError if shapes, dtypes or options do not fit.
    """
    if not (output_stride > 0 and max_poses >= 0 and nms_radius_px >= 0):  # false for NaN too
        raise ValueError("output_stride must be more than 0, max_poses and nms_radius_px at least 0")
    logits, short, mid = _checked((heatmaps, short_offsets, mid_offsets), quantization)
    options = Options("multi", max_poses, score_threshold, nms_radius_px)
    found = bottom_up.decode(logits, short, (mid,), output_stride, options)
    return found.keypoints, found.confidences, found.scores


def decode_multi(outputs: RawOutputs, names: PoseNetOutputs, options: Options) -> Decoded:
    """Decode at most `options.max_poses` poses from the outputs of a model."""
    mid = tuple(outputs[name] for name in names.mid_offsets)
    return bottom_up.decode(outputs[names.heatmaps], outputs[names.short_offsets], mid, names.stride, options)


def _checked(arrays: tuple[Array, Array, Array], quantization: Quantization | None) -> Iterator[Tensor]:
    """Check the arguments of `decode_poses`, and make tensors of the arrays."""
    h, w = arrays[0].shape[:2] if arrays[0].ndim == 3 else (0, 0)
    shapes = [array.shape for array in arrays]
    if h == 0 or w == 0 or shapes != [(h, w, KEYPOINT_COUNT), (h, w, 2 * KEYPOINT_COUNT), (h, w, 4 * len(EDGES))]:
        raise ValueError(f"decode_poses needs heatmaps (h, w, 17), short_offsets (h, w, 34) and mid_offsets "
                         f"(h, w, 64), not {shapes}")  # fmt: skip
    if quantization is None:
        if any(array.dtype.kind != "f" for array in arrays):
            raise ValueError("integers need quantization: (scale, zero point) of each tensor")
        return (Tensor(array.astype(np.float32, copy=False)) for array in arrays)
    if any(array.dtype not in (np.uint8, np.int8) for array in arrays):
        raise ValueError("quantization is only for uint8 and int8")
    if len(quantization) != len(arrays) or not all(scale > 0 for scale, _ in quantization):
        raise ValueError("quantization needs three pairs of a scale, which is more than 0, and a zero point")
    # Plain numbers, because arithmetic with numpy's scalars is slow.
    return (Tensor(array, float(scale), int(zero)) for array, (scale, zero) in zip(arrays, quantization, strict=True))


def _open(shapes: Shapes, input_size: Size, options: Options) -> Decoding:
    names = find_outputs(shapes, input_size)
    for side, size in zip(("height", "width"), input_size, strict=True):
        if (size - 1) % names.stride:
            fitting = round((size - 1) / names.stride) * names.stride + 1
            raise ModelError(
                "model.input_size",
                f"{side} {size} does not fit the network, whose heatmap cells are {names.stride} px apart",
                f"use {fitting}",
            )
    if options.mode == "single":
        return Decoding(partial(decode_argmax, names=names))
    if not names.mid_offsets:
        raise ModelError(
            "decode.mode",
            f"this model cannot separate people, because it has no mid offsets: {listing(shapes)}",
            'set "single" or use another model',
        )
    return Decoding(partial(decode_multi, names=names, options=options))


FAMILY = Family(
    "posenet",
    outputs="heatmaps [h, w, 17] and short_offsets [h, w, 34]",
    recognises=is_posenet,
    open=_open,
    stride=lambda shapes, input_size: find_outputs(shapes, input_size).stride,
)
