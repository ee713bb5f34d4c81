"""PoseNet for several people: bottom-up decoding (PersonLab, Papandreou et al. 2018), step by step as in libcoral.

For every cell of its grid, the network gives the probability of each keypoint there (heatmaps), the vector from the
cell to the keypoint (short offsets), and the vectors to the keypoint's neighbours in the body (mid offsets). Decoding
starts at the most confident keypoint of all, the *root*, walks from there along the edges of the body to a whole pose,
and starts again at the most confident keypoint that belongs to no pose yet. Positions are (y, x) in grid cells until
the end.

This is plain Python on purpose: a pose takes a few hundred single values, each of which depends on the one before. For
the few people in a picture, plain Python is several times as fast as numpy.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.decode.family import Options
from edge.decode.sampling import Float32Sampler, Position, Sampler
from edge.skeleton import INDEX, KEYPOINT_COUNT
from edge.types import Array, Decoded, Tensor

# The tree on which PoseNet was trained, with the nose as its root. Mid offsets lead along an edge from its first
# keypoint to the second ("forward") and back.
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
_REFINEMENTS = 5  # steps along the short offsets after each step along a mid offset
# Into how many parts each side of a cell is divided: steps that start in the same part share one result. libcoral
# computes in float32, which resolves little more; for float tensors, whose roundings have to match, only equal
# positions share a result.
_COARSE, _EXACT = 2.0**20, 2.0**60


@dataclass(frozen=True, slots=True)
class _Step:
    """A step from one keypoint to its neighbour in the tree."""

    source: int
    target: int
    edge: int
    forward: bool
    number: int  # of the edge with its direction: 16 forward, then 16 backward


def _steps_from(root: int) -> tuple[_Step, ...]:
    """Every edge once, in an order in which a walk from `root` reaches its source first."""
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
class _GridPose:
    """A pose in grid cells."""

    positions: list[Position]  # of all 17 keypoints
    confidences: list[float]
    score: float  # their mean


def decode(heatmaps: Tensor, short: Tensor, mid: tuple[Tensor, ...], stride: int, options: Options) -> Decoded:
    """Decode at most `options.max_poses` poses.

    heatmaps: (h, w, 17) logits. short: (h, w, 34) in input px, all y channels before all x channels. mid: forward and
    backward (h, w, 32) in input px, or both in one tensor (h, w, 64). stride: input px between cells.
    """
    forward, backward = mid if len(mid) > 1 else _halves(mid[0])
    short_offsets = _sampler(short, stride)
    walker = _Walker(_sampler(heatmaps), short_offsets, _sampler(forward, stride), _sampler(backward, stride))
    radius = options.nms_radius_px / stride
    found: list[_GridPose] = []
    for root, keypoint in _roots(heatmaps, short_offsets, options.min_pose_score):
        if len(found) >= options.max_poses:
            break
        if not _is_claimed(root, keypoint, found, radius):
            pose = walker.pose(root, keypoint)
            if pose.score >= options.min_pose_score:
                found.append(pose)
    return _soft_nms(found, radius, stride, options.min_pose_score)


def _roots(heatmaps: Tensor, short: Sampler, threshold: float) -> Iterator[tuple[Position, int]]:
    """Position and keypoint of the roots, the most confident first, equal ones in raster order.

    A root is a cell that reaches the threshold and that no neighbour exceeds, moved by its short offset
    (BuildKeypointWithScoreQueue in libcoral).
    """
    # Quantisation keeps the order of values, so only the threshold has to be quantised.
    values, least = heatmaps.data, _logit(threshold) / heatmaps.scale + heatmaps.zero_point
    if values.dtype.kind != "f" and math.isfinite(least):
        least = math.ceil(least)  # comparing integers with an integer converts no array
    cells = np.flatnonzero((values >= least) & _is_peak(values))
    _, width, kinds = values.shape
    descending = (-level for level in values.reshape(-1)[cells].tolist())
    for _, cell in sorted(zip(descending, cells.tolist(), strict=True)):
        place, keypoint = divmod(cell, kinds)
        row, column = divmod(place, width)
        yield short.from_cell(row, column, keypoint), keypoint


def _is_peak(values: Array) -> npt.NDArray[np.bool_]:
    """Whether none of the eight neighbours of a cell is greater; NaN is not. For any number of channels."""
    highest = values
    for axis in (0, 1):
        along, out = highest.swapaxes(0, axis), highest.copy().swapaxes(0, axis)
        np.fmax(out[1:], along[:-1], out=out[1:])
        np.fmax(out[:-1], along[1:], out=out[:-1])
        highest = out.swapaxes(0, axis)
    peak: npt.NDArray[np.bool_] = values == highest
    return peak


def _is_claimed(place: Position, keypoint: int, found: list[_GridPose], radius: float) -> bool:
    """Whether one of these poses has the same keypoint within `radius` cells (PassKeypointNMS in libcoral)."""
    for pose in found:  # noqa: SIM110 - any() of a generator takes twice the time
        if math.dist(place, pose.positions[keypoint]) <= radius:
            return True
    return False


class _Walker:
    """Walks from a root along the tree to all keypoints (BacktrackDecodePose in libcoral).

    Many roots belong to a body that was already walked, and refinement often leads to the same positions, so the result
    of each step is cached.
    """

    def __init__(self, logits: Sampler, short: Sampler, forward: Sampler, backward: Sampler) -> None:
        self._logits = logits
        self._short = short  # from a cell to the keypoint near it
        self._forward = forward  # from the first keypoint of an edge to the second
        self._backward = backward
        self._parts = _EXACT if isinstance(short, Float32Sampler) else _COARSE
        self._ends: dict[tuple[int, int, int], tuple[Position, float]] = {}

    def pose(self, root: Position, keypoint: int) -> _GridPose:
        """The pose that has `keypoint` at `root`."""
        positions = [root] * KEYPOINT_COUNT  # all but the root's are overwritten
        confidences = [self._confidence(root, keypoint)] * KEYPOINT_COUNT
        ends, parts = self._ends, self._parts
        for step in _STEPS[keypoint]:
            y, x = positions[step.source]
            start = step.number, int(y * parts), int(x * parts)
            end = ends.get(start)
            if end is None:
                end = ends[start] = self._end_of(step, (y, x))
            positions[step.target], confidences[step.target] = end
        return _GridPose(positions, confidences, sum(confidences) / KEYPOINT_COUNT)

    def _end_of(self, step: _Step, source: Position) -> tuple[Position, float]:
        """Position and confidence of the neighbour of the keypoint at `source`."""
        near = (self._forward if step.forward else self._backward).follow(source, step.edge)
        target = self._short.follow(near, step.target, _REFINEMENTS)
        return target, self._confidence(target, step.target)

    def _confidence(self, position: Position, keypoint: int) -> float:
        logit = self._logits.at(position, keypoint)
        # exp() would overflow below -700, where the confidence is 0 in any case.
        return 1.0 / (1.0 + math.exp(-logit)) if logit > -700.0 else 0.0


def _soft_nms(found: list[_GridPose], radius: float, stride: int, threshold: float) -> Decoded:
    """Score each pose without the keypoints of better poses, and keep those that reach the threshold, best first."""
    found = sorted(found, key=lambda pose: -pose.score)
    kept: list[tuple[float, _GridPose]] = []
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
    """The inverse of the sigmoid, with libcoral's constant; infinite outside 0..1."""
    odds = 1.0 / (probability + 1e-6) - 1.0 if probability > -1e-6 else 0.0
    return -math.log(odds) if odds > 0.0 else math.inf


def _sampler(tensor: Tensor, stride: int = 1) -> Sampler:
    """The sampler for a tensor: integers do not need libcoral's float32 roundings, and are read twice as fast."""
    return (Float32Sampler if tensor.data.dtype.kind == "f" else Sampler)(tensor, stride=stride)


def _halves(mid: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward offsets of a network that has both in one tensor."""
    half = mid.data.shape[2] // 2
    return replace(mid, data=mid.data[..., :half]), replace(mid, data=mid.data[..., half:])
