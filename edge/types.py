"""The values that pass through the pipeline, in order of appearance.

Every array names its coordinate space: *grid* (heatmap cells, as y, x), *input* (pixels of the model's input, as y, x)
or *frame* (pixels of the camera frame, as x, y). The default is frame space. Pixel centres have integer coordinates.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Floats: TypeAlias = npt.NDArray[np.float32]
Array: TypeAlias = npt.NDArray[Any]
Backend: TypeAlias = Literal["cpu", "edgetpu"]
Opinion: TypeAlias = Literal["agrees", "denies", "unsure"]

_NO_IMAGE: Image = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera frame.

    `image` is uint8 (H, W, 3) RGB. It is valid only until the next frame is taken from the source, which may reuse the
    memory. It may have fewer pixels than `width` x `height`, because large pictures are reduced while they are decoded;
    keypoints are reported in pixels of the original.
    """

    image: Image
    width: int
    height: int
    sequence: int  # frame number; dropped frames are counted
    monotonic_s: float  # capture time on the clock of time.monotonic(), for tracking
    wall_s: float  # capture time on the wall clock; only for messages, because clock corrections make it jump
    dated: bool = False  # whether both times come from the camera; otherwise they are arrival times

    def without_image(self) -> "Frame":
        """A copy with an empty image."""
        # dataclasses.replace() takes ten times as long.
        return Frame(_NO_IMAGE, self.width, self.height, self.sequence, self.monotonic_s, self.wall_s, self.dated)


@dataclass(frozen=True, slots=True)
class CameraMode:
    """The mode that a camera actually runs in, which may differ from the requested one. None means unknown."""

    model: str | None
    format: str  # pixel format before the conversion to RGB
    width: int  # px of the delivered frames
    height: int
    fps: float | None
    autofocus: str | None  # None: no autofocus


@dataclass(frozen=True, slots=True)
class Crop:
    """A square part of a frame, px. It may extend beyond the edges of the frame."""

    left: float
    top: float
    side: float


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a frame was fitted into the model's input: rotated, scaled by `scale`, then moved by `left_px` and `top_px`.

    The offsets are negative if the input shows only a part of the frame.
    """

    scale: float  # input px per frame px
    left_px: int
    top_px: int
    mirror: bool = False  # whether `to_frame` mirrors x
    turn: int = 0  # quarter turns anticlockwise
    size: tuple[int, int] = (0, 0)  # width and height of the frame before the rotation, px

    def to_frame(self, keypoints: Floats) -> Floats:
        """Map keypoints (..., 2) as (y, x) in input px to (..., 2) as (x, y) in frame px."""
        # Halves, because input pixel i covers [i, i + 1) / scale of the frame, and whole coordinates are pixel centres.
        centre = [(0.5 - offset) / self.scale - 0.5 for offset in (self.left_px, self.top_px)]
        xy: Floats = keypoints[..., ::-1] * np.float32(1 / self.scale) + np.array(centre, np.float32)
        right, bottom = self.size[0] - 1, self.size[1] - 1
        x, y = xy[..., 0], xy[..., 1]
        if self.turn:
            x, y = ((right - y, x), (right - x, bottom - y), (y, bottom - x))[self.turn - 1]
        if self.mirror:
            x = right - x
        if self.turn or self.mirror:
            xy = np.stack((x, y), axis=-1)
        return xy


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An output of the model without its batch dimension, (h, w, channels): real = (data - zero_point) * scale.

    Quantised data stays uint8 or int8, because decoders need the real values of only a few elements. Float tensors have
    scale 1 and zero point 0.
    """

    data: Array
    scale: float = 1.0
    zero_point: int = 0

    def real(self, values: Array) -> Floats:
        """Dequantise values picked from `data`, of any shape, to float32."""
        if self.data.dtype.kind == "f":
            return values.astype(np.float32, copy=False)
        return (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


def fitted(size: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int]:
    """The largest integer size with the aspect ratio of `size` that fits into `bounds`; both in the same order, px."""
    scale = min(bound / side for side, bound in zip(size, bounds, strict=True))
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


RawOutputs: TypeAlias = Mapping[str, Tensor]  # output name in the model -> tensor


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The P poses that a decoder found, best first, in input space."""

    keypoints: Floats  # (P, 17, 2) as (y, x) input px
    confidences: Floats  # (P, 17), 0..1
    scores: Floats  # (P,), 0..1


class Box(NamedTuple):
    """A rectangle, px."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def size_px(self) -> float:
        """The diagonal, at least 1. Tracking and smoothing use it as the size of a person."""
        return max(math.hypot(self.right - self.left, self.bottom - self.top), 1.0)


def box_around(points: Iterable[Iterable[float]]) -> Box:
    """The smallest box that holds all points (x, y). Raises ValueError if there are none."""
    xs, ys = zip(*points, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))


@dataclass(frozen=True, eq=False)  # without slots, because `box` is kept: several stages need it
class Pose:
    """One person in a frame. Keypoints that are not `visible` are never reported."""

    xy: Floats  # (17, 2) frame px
    confidence: Floats  # (17,), 0..1
    visible: npt.NDArray[np.bool_]  # (17,)
    score: float  # 0..1
    turn: int = 0  # quarter turns anticlockwise by which the frame was rotated when this pose was detected
    by_multipose: bool = False  # whether MoveNet MultiPose detected it, which rarely takes furniture for people
    weak: bool = False  # whether its score is enough to continue a track, but not to start one
    opinion: Opinion | None = None  # of the other network on the same frame; None: it was not asked

    @cached_property
    def box(self) -> Box:
        """The box around the visible keypoints, frame px. Raises ValueError if no keypoint is visible."""
        return box_around(self.xy[self.visible].tolist())  # for 17 points, plain floats are faster than numpy


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A person followed from frame to frame, with the last pose."""

    id: int | None  # None until accepted as a person; never reused
    pose: Pose
    first_seen_s: float  # on the clock of `Frame.monotonic_s`
    last_seen_s: float
    rejected: str | None = None  # why it is not reported as a person, in words


@dataclass(frozen=True, slots=True, eq=False)
class Rejected:
    """A pose that is not reported as a person."""

    pose: Pose
    reason: str


class Point(NamedTuple):
    """A keypoint, rounded as on the wire."""

    x: float  # frame px, one decimal
    y: float
    confidence: float  # 0..1, three decimals


@dataclass(frozen=True, slots=True)
class Person:
    """A person in one frame, as rules, recordings and messages see it: every value is rounded as on the wire."""

    id: int | None
    score: float  # 0..1, three decimals
    box: Box  # around the visible keypoints, frame px
    keypoints: tuple[Point | None, ...]  # 17, in COCO order; None = not visible


@dataclass(frozen=True, slots=True)
class Observation:
    """What the sensor reports of one frame. Rules read nothing else, so a recording of it repeats their events."""

    sequence: int
    monotonic_s: float  # capture time on the clock of time.monotonic(), rounded to ms
    wall_s: float  # capture time on the wall clock, rounded to ms; only for messages
    width: int  # of the frame, px
    height: int
    people: tuple[Person, ...]  # best first


@dataclass(frozen=True, slots=True)
class Message:
    """An MQTT message to publish."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    expiry_s: int | None = None  # MQTT 5 only
