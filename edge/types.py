"""The values that travel through the pipeline, in the order in which they appear.

Three spaces are used, and every array says which one it is in:
*grid* (heatmap cells, as y, x), *input* (pixels of the model's input, as y, x) and *frame* (pixels of the
camera frame, as x, y). A quantity without a mark is in frame space. Pixel centres have whole coordinates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Floats: TypeAlias = npt.NDArray[np.float32]
Array: TypeAlias = npt.NDArray[Any]
Backend: TypeAlias = Literal["cpu", "edgetpu"]

_NO_IMAGE: Image = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of the camera.

    `image` is uint8 (H, W, 3) RGB and only valid until the next frame is taken from the source, which may paint
    into the same memory. It may have fewer pixels than `width` x `height`: huge pictures are reduced while they
    are decoded, but keypoints are reported in the pixels of the original.
    """

    image: Image
    width: int
    height: int
    sequence: int  # counts frames of the source, dropped ones too
    monotonic_s: float  # when it was taken; for tracking
    wall_s: float  # the same moment, for messages only: clock corrections make it jump
    dated: bool = False  # whether the sensor told that moment; else it is when the picture arrived

    def without_image(self) -> "Frame":
        """The same, but with an image of no pixels."""
        # dataclasses.replace() takes ten times as long, once a frame.
        return Frame(_NO_IMAGE, self.width, self.height, self.sequence, self.monotonic_s, self.wall_s, self.dated)


@dataclass(frozen=True, slots=True)
class CameraMode:
    """What a camera really does, which need not be what it was asked for. None is unknown."""

    model: str | None
    format: str  # of the pixels as they come, before they become RGB
    width: int  # px that come, of the whole frame
    height: int
    fps: float | None
    autofocus: str | None  # None: it has none


@dataclass(frozen=True, slots=True)
class Crop:
    """A square part of a frame, px. It may lie partly beyond the edges."""

    left: float
    top: float
    side: float


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a frame was laid into the model's input: turned, scaled by `scale`, then moved by `left_px`, `top_px`.

    These are negative where the input shows a part of the frame alone.
    """

    scale: float  # input px per frame px
    left_px: int
    top_px: int
    mirror: bool = False  # x is to be mirrored on the way back
    turn: int = 0  # quarter turns, anticlockwise
    size: tuple[int, int] = (0, 0)  # width, height of the frame before it was turned; needed to mirror and turn back

    def to_frame(self, keypoints: Floats) -> Floats:
        """Map keypoints (..., 2) as (y, x) in input px to (..., 2) as (x, y) in frame px."""
        # Half a pixel: input pixel i covers [i, i + 1) / scale of the frame, and whole numbers name centres.
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

    It stays uint8 or int8 until someone needs a few real values; float tensors have scale 1 and zero point 0.
    """

    data: Array
    scale: float = 1.0
    zero_point: int = 0

    def real(self, values: Array) -> Floats:
        """Dequantise `values`, which were picked from `data`; any shape, float32 out."""
        if self.data.dtype.kind == "f":
            return values.astype(np.float32, copy=False)
        return (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


def fitted(size: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int]:
    """The largest whole size of the same aspect as `size` that fits into `bounds`; both in one order, px."""
    scale = min(bound / side for side, bound in zip(size, bounds, strict=True))
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


RawOutputs: TypeAlias = Mapping[str, Tensor]  # by the output's name in the model


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """P poses as a decoder finds them, best first, in input space."""

    keypoints: Floats  # (P, 17, 2) as (y, x) input px
    confidences: Floats  # (P, 17), 0..1
    scores: Floats  # (P,), 0..1


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One person in a frame. Keypoints that are not `visible` are never reported."""

    xy: Floats  # (17, 2) frame px
    confidence: Floats  # (17,), 0..1
    visible: npt.NDArray[np.bool_]  # (17,)
    score: float  # 0..1
    turn: int = 0  # quarter turns, anticlockwise, by which the frame was turned when this was seen


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A person who is followed from frame to frame, as last seen."""

    id: int | None  # None until seen often enough to be believed; never given to anyone else
    pose: Pose
    first_seen_s: float  # on the clock of `Frame.monotonic_s`
    last_seen_s: float


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    expiry_s: int | None = None  # MQTT 5 only
