"""Several people: PoseNet's bottom-up decoding (PersonLab, Papandreou et al. 2018), step by step as libcoral does it.

For every cell of its grid the network tells how likely each keypoint is there (heatmaps), how far from the cell it
really is (short offsets), and how far away its neighbours in the body are (mid offsets). Decoding starts at the surest
keypoint of anybody, its *root*, walks from there along the edges of the body to a whole pose, and begins anew at the
surest keypoint that is nobody's yet. Positions are (y, x) in grid cells until the very end.

Plain Python on purpose: a pose takes some hundred single values, and each depends on the one before. For the few
people of a picture that is several times as fast as arrays of them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.decode.argmax import decode_argmax
from edge.decode.family import Decoding, Family, Options, Shapes, Size, listing
from edge.decode.posenet_outputs import PoseNetOutputs, find_outputs, is_posenet
from edge.decode.sampling import Field, Position, SingleField
from edge.errors import ModelError
from edge.skeleton import INDEX, KEYPOINT_COUNT
from edge.types import Array, Decoded, Floats, RawOutputs, Tensor

Quantization: TypeAlias = tuple[tuple[float, int], tuple[float, int], tuple[float, int]]

# The body as PoseNet was trained on it: a tree with the nose on top. Mid offsets lead along edge number e from the
# first to the second keypoint ("forward"), and back.
EDGES = tuple(
    (INDEX[parent], INDEX[child])
    for parent, child in (
        ("NOSE", "LEFT_EYE"), ("LEFT_EYE", "LEFT_EAR"),
        ("NOSE", "RIGHT_EYE"), ("RIGHT_EYE", "RIGHT_EAR"),
        ("NOSE", "LEFT_SHOULDER"), ("LEFT_SHOULDER", "LEFT_ELBOW"), ("LEFT_ELBOW", "LEFT_WRIST"),
        ("LEFT_SHOULDER", "LEFT_HIP"), ("LEFT_HIP", "LEFT_KNEE"), ("LEFT_KNEE", "LEFT_ANKLE"),
        ("NOSE", "RIGHT_SHOULDER"), ("RIGHT_SHOULDER", "RIGHT_ELBOW"), ("RIGHT_ELBOW", "RIGHT_WRIST"),
        ("RIGHT_SHOULDER", "RIGHT_HIP"), ("RIGHT_HIP", "RIGHT_KNEE"), ("RIGHT_KNEE", "RIGHT_ANKLE"),
    )
)  # fmt: skip
REFINEMENTS = 5  # how often a keypoint that was reached over a mid offset is moved by the short offset where it is
# How near places are one, of a cell: float32, in which libcoral reckons, hardly tells more; and for floats, never.
FINE, EXACT = 2.0**-20, 2.0**-60


@dataclass(frozen=True, slots=True)
class Settings:
    """What counts as a person."""

    max_poses: int = 10
    score_threshold: float = 0.2  # of a root's confidence and of a pose's score
    nms_radius_px: float = 10.0  # keypoints of one kind that are nearer than this are the same


@dataclass(frozen=True, slots=True)
class _Step:
    """From a keypoint to its neighbour in the tree."""

    source: int
    target: int
    edge: int
    forward: bool
    number: int  # of the edge with its direction: 16 forward ones, then 16 backward ones


def _steps_from(root: int) -> tuple[_Step, ...]:
    """Every edge once, in an order that reaches its source before."""
    steps: list[_Step] = []
    reached = [root]
    for source in reached:
        for edge, (parent, child) in enumerate(EDGES):
            target = child if source == parent else parent
            if source in (parent, child) and target not in reached:
                forward = source == parent
                steps.append(_Step(source, target, edge, forward, edge if forward else len(EDGES) + edge))
                reached.append(target)
    return tuple(steps)


_STEPS = tuple(_steps_from(root) for root in range(KEYPOINT_COUNT))


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A pose on the grid."""

    positions: list[Position]  # of all 17 keypoints
    confidences: list[float]
    score: float  # their mean


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
    """Decode everybody from PoseNet's outputs.

    heatmaps: (h, w, 17) logits. short_offsets: (h, w, 34) in input px, first all y, then all x. mid_offsets:
    (h, w, 64) in input px: forward y, forward x, backward y, backward x of the sixteen `EDGES`. All floats, or all
    uint8 or int8 with `quantization`, the (scale, zero point) of each. output_stride: input px from cell to cell.
    score_threshold: of roots and of poses; nothing reaches one that is not in 0..1.
    Returns P poses, best first: keypoints (P, 17, 2) as (y, x) in input px, their confidences (P, 17), and the
    scores of the poses (P,). Raises ValueError if shapes, dtypes or options do not fit.
    """
    if not (output_stride > 0 and max_poses >= 0 and nms_radius_px >= 0):  # nor are they NaN
        raise ValueError("output_stride has to be more than 0, max_poses and nms_radius_px not less than 0")
    logits, short, mid = _checked((heatmaps, short_offsets, mid_offsets), quantization)
    found = _decode(logits, short, (mid,), output_stride, Settings(max_poses, score_threshold, nms_radius_px))
    return found.keypoints, found.confidences, found.scores


def decode_multi(outputs: RawOutputs, names: PoseNetOutputs, settings: Settings) -> Decoded:
    """Everybody whom the outputs of a model show, at most `settings.max_poses`."""
    mid = tuple(outputs[name] for name in names.mid_offsets)
    return _decode(outputs[names.heatmaps], outputs[names.short_offsets], mid, names.stride, settings)


def _decode(heatmaps: Tensor, short: Tensor, mid: tuple[Tensor, ...], stride: int, settings: Settings) -> Decoded:
    forward, backward = mid if len(mid) > 1 else _halves(mid[0])
    short_field = _field(short, stride)
    mid_fields = _field(forward, stride), _field(backward, stride)
    exact = isinstance(short_field, SingleField)
    walker = _Walker(_field(heatmaps), short_field, *mid_fields, fine=EXACT if exact else FINE)
    radius = settings.nms_radius_px / stride
    found: list[_Found] = []
    for root, keypoint in _roots(heatmaps, short_field, settings.score_threshold):
        if len(found) >= settings.max_poses:
            break
        if not _is_claimed(root, keypoint, found, radius):
            pose = walker.pose(root, keypoint)
            if pose.score >= settings.score_threshold:
                found.append(pose)
    return _soft_nms(found, radius, stride, settings.score_threshold)


def _roots(heatmaps: Tensor, short: Field, threshold: float) -> Iterator[tuple[Position, int]]:
    """Where poses may start, and with which keypoint; the surest first, and equals in raster order.

    These are the cells that are sure enough and not less so than any neighbour, moved by their short offsets
    (BuildKeypointWithScoreQueue).
    """
    # The raw values are in the order of the real ones, so that only the threshold has to be quantised.
    values, least = heatmaps.data, _logit(threshold) / heatmaps.scale + heatmaps.zero_point
    if values.dtype.kind != "f" and math.isfinite(least):
        least = math.ceil(least)  # compared with integers, integers need no conversion of them all
    cells = np.flatnonzero((values >= least) & _is_peak(values))
    _, width, kinds = values.shape
    falling = (-level for level in values.reshape(-1)[cells].tolist())
    for _, cell in sorted(zip(falling, cells.tolist(), strict=True)):
        place, keypoint = divmod(cell, kinds)
        row, column = divmod(place, width)
        yield short.moved(row, column, keypoint), keypoint


def _is_peak(values: Array) -> npt.NDArray[np.bool_]:
    """Whether none of the eight neighbours of a cell is higher; equal ones may be, and NaN. Any number of channels."""
    highest = values
    for axis in (0, 1):
        along, out = highest.swapaxes(0, axis), highest.copy().swapaxes(0, axis)
        np.fmax(out[1:], along[:-1], out=out[1:])
        np.fmax(out[:-1], along[1:], out=out[:-1])
        highest = out.swapaxes(0, axis)
    peak: npt.NDArray[np.bool_] = values == highest
    return peak


def _is_claimed(place: Position, keypoint: int, found: list[_Found], radius: float) -> bool:
    """Whether one of these poses has the same keypoint so near that it is this one (PassKeypointNMS)."""
    for pose in found:  # noqa: SIM110 - any() of a generator takes twice the time
        if math.dist(place, pose.positions[keypoint]) <= radius:
            return True
    return False


class _Walker:
    """Walks from a keypoint over the whole body, led by what the network says (BacktrackDecodePose).

    Many roots are in a body that was walked before, and refinement often leads to the very same places. So steps are
    remembered, and taken once.
    """

    def __init__(self, logits: Field, short: Field, forward: Field, backward: Field, *, fine: float) -> None:
        self._logits = logits
        self._short = short  # from a cell to the keypoint near it
        self._forward = forward  # from the first keypoint of an edge to the second
        self._backward = backward
        self._fine = fine
        self._taken: dict[tuple[int, int, int], tuple[Position, float]] = {}

    def pose(self, root: Position, keypoint: int) -> _Found:
        """The pose that has `keypoint` at `root`: along every edge of the tree, away from the root."""
        positions = [root] * KEYPOINT_COUNT  # right for the root; the others follow
        confidences = [self._confidence(root, keypoint)] * KEYPOINT_COUNT
        for step in _STEPS[keypoint]:
            y, x = positions[step.source]
            start = step.number, int(y / self._fine), int(x / self._fine)
            end = self._taken.get(start)
            if end is None:
                end = self._taken[start] = self._end_of(step, (y, x))
            positions[step.target], confidences[step.target] = end
        return _Found(positions, confidences, sum(confidences) / KEYPOINT_COUNT)

    def _end_of(self, step: _Step, source: Position) -> tuple[Position, float]:
        """Where the neighbour of the keypoint at `source` is, and how likely it is there."""
        near = (self._forward if step.forward else self._backward).follow(source, step.edge)
        target = self._short.follow(near, step.target, REFINEMENTS)
        return target, self._confidence(target, step.target)

    def _confidence(self, position: Position, keypoint: int) -> float:
        logit = self._logits.at(position, keypoint)
        # Below, exp() would overflow, and no confidence can be told from 0.
        return 1.0 / (1.0 + math.exp(-logit)) if logit > -700.0 else 0.0


def _soft_nms(found: list[_Found], radius: float, stride: int, threshold: float) -> Decoded:
    """Score the poses without what better ones have as well, and keep the good ones, best first (soft NMS)."""
    found = sorted(found, key=lambda pose: -pose.score)
    kept: list[tuple[float, _Found]] = []
    for rank, pose in enumerate(found):
        better, own = found[:rank], 0.0
        for keypoint, place in enumerate(pose.positions):
            if not _is_claimed(place, keypoint, better, radius):
                own += pose.confidences[keypoint]
        score = own / KEYPOINT_COUNT
        if score >= threshold:
            kept.append((score, pose))
    kept.sort(key=lambda one: -one[0])
    positions = np.array([pose.positions for _, pose in kept], np.float32).reshape(-1, KEYPOINT_COUNT, 2)
    confidences = np.array([pose.confidences for _, pose in kept], np.float32).reshape(-1, KEYPOINT_COUNT)
    return Decoded(positions * np.float32(stride), confidences, np.array([score for score, _ in kept], np.float32))


def _logit(probability: float) -> float:
    """What the sigmoid makes `probability` of, as libcoral reckons it; infinite where there is no such thing."""
    odds = 1.0 / (probability + 1e-6) - 1.0 if probability > -1e-6 else 0.0
    return -math.log(odds) if odds > 0.0 else math.inf


def _field(tensor: Tensor, stride: int = 1) -> Field:
    """Integers need not be walked as exactly as floats, and are read in half the time."""
    return (SingleField if tensor.data.dtype.kind == "f" else Field)(tensor, stride=stride)


def _halves(mid: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward, where the network has both in one tensor."""
    half = mid.data.shape[2] // 2
    return replace(mid, data=mid.data[..., :half]), replace(mid, data=mid.data[..., half:])


def _checked(arrays: tuple[Array, Array, Array], quantization: Quantization | None) -> Iterator[Tensor]:
    """Check what callers from outside give."""
    h, w = arrays[0].shape[:2] if arrays[0].ndim == 3 else (0, 0)
    shapes = [array.shape for array in arrays]
    if h == 0 or w == 0 or shapes != [(h, w, KEYPOINT_COUNT), (h, w, 2 * KEYPOINT_COUNT), (h, w, 4 * len(EDGES))]:
        raise ValueError(f"heatmaps (h, w, 17), short offsets (h, w, 34) and mid offsets (h, w, 64) are wanted, "
                         f"not {shapes}")  # fmt: skip
    if quantization is None:
        if any(array.dtype.kind != "f" for array in arrays):
            raise ValueError("integers need quantization: (scale, zero point) of each tensor")
        return (Tensor(array.astype(np.float32, copy=False)) for array in arrays)
    if any(array.dtype not in (np.uint8, np.int8) for array in arrays):
        raise ValueError("quantization is for uint8 and int8 alone")
    if len(quantization) != len(arrays) or not all(scale > 0 for scale, _ in quantization):
        raise ValueError("quantization takes three pairs of a scale, which is more than 0, and a zero point")
    # Plain numbers, because numpy's own are slow one by one.
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
    settings = Settings(options.max_people, options.min_pose_score, options.nms_radius_px)
    return Decoding(partial(decode_multi, names=names, settings=settings))


FAMILY = Family(
    "posenet",
    outputs="heatmaps [h, w, 17] and short_offsets [h, w, 34]",
    recognises=is_posenet,
    open=_open,
    stride=lambda shapes, input_size: find_outputs(shapes, input_size).stride,
)
