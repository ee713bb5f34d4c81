"""Letterbox a frame, or a part of it, into the model's input: keep the aspect, centre it, pad the rest."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.types import Array, Crop, Frame, Image, Letterbox, fitted

# The network sees this as 0.0, the value that its own convolutions pad with.
PADDING = 128
# At this reduction and above, nearest-neighbour sampling loses thin limbs, so pixels are averaged.
AVERAGE_FROM = 2.0
MAX_PLANS = 8

_PIXEL = np.dtype("V3")


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Everything that depends only on sizes and positions, computed once for many frames."""

    letterbox: Letterbox
    pick: npt.NDArray[np.intp]  # input pixel -> index of the image pixel that lies there, margins included
    height: int  # of the whole rotated frame, input px
    width: int
    region: tuple[slice, slice]  # the part of the input that the frame covers
    window: tuple[float, float, float, float]  # the part of the rotated image there: left, top, right, bottom
    part: tuple[slice, slice]  # the window in whole pixels, for images that need no scaling
    margins: list[tuple[slice, slice]]
    scratch: Image  # as large as the input


class Letterboxer:
    """Letterboxes frames into an input tensor.

    `mirror` affects only the mapping back to the frame, which flips x. The network sees the picture unmirrored, so a
    left wrist stays a left wrist. `smooth` scales without jagged edges; it is for pictures and several times slower.
    """

    def __init__(self, *, mirror: bool = False, smooth: bool = False) -> None:
        self._mirror = mirror
        self._smooth = smooth
        self._plans: dict[tuple[int, ...], _Plan] = {}

    def __call__(self, frame: Frame, into: Array, turn: int = 0, crop: Crop | None = None) -> Letterbox:
        """Fill `into`, (h, w, 3) uint8, int8 or float32, with the frame; returns the mapping.

        Pixel values 0..255 become: uint8 value, int8 value - 128, float32 value / 127.5 - 1. The frame is first rotated
        by `turn` quarter turns anticlockwise. With a crop, the input shows that part of the frame. A crop whose centre
        lies outside the frame is ignored: the frame size may have changed since the crop was chosen.
        """
        plan = self._plan(frame, (into.shape[0], into.shape[1]), turn, crop)
        if into.dtype == np.uint8:
            _sample(frame.image, plan, into, smooth=self._smooth)
        else:
            _sample(frame.image, plan, plan.scratch, smooth=self._smooth)
            if into.dtype == np.int8:
                np.bitwise_xor(plan.scratch, 0x80, out=into.view(np.uint8))
            else:
                np.multiply(plan.scratch, np.float32(1 / 127.5), out=into)
                np.subtract(into, np.float32(1), out=into)
        return plan.letterbox

    def _plan(self, frame: Frame, size: tuple[int, int], turn: int, crop: Crop | None) -> _Plan:
        if crop and _centre_is_in(crop, frame):  # crops differ from frame to frame, so their plans are not kept
            return _make_plan(frame, size, self._crop_letterbox(crop, frame, size, turn))
        sizes = (frame.width, frame.height, *frame.image.shape[:2], *size, turn)
        plan = self._plans.get(sizes)
        if plan is None:
            if len(self._plans) == MAX_PLANS:  # each picture in a folder may have its own size
                self._plans.clear()
            plan = self._plans[sizes] = _make_plan(frame, size, self._frame_letterbox(frame, size, turn))
        return plan

    def _frame_letterbox(self, frame: Frame, size: tuple[int, int], turn: int) -> Letterbox:
        turned = (frame.width, frame.height) if turn % 2 else (frame.height, frame.width)
        scale = min(size[0] / turned[0], size[1] / turned[1])
        height, width = fitted(turned, size)
        left, top = (size[1] - width) // 2, (size[0] - height) // 2
        return Letterbox(scale, left, top, self._mirror, turn, (frame.width, frame.height))

    def _crop_letterbox(self, crop: Crop, frame: Frame, size: tuple[int, int], turn: int) -> Letterbox:
        right, below = frame.width - crop.left - crop.side, frame.height - crop.top - crop.side
        left = crop.left
        if self._mirror:
            left, right = right, left
        x, y = ((left, crop.top), (crop.top, right), (right, below), (below, left))[turn]  # in the rotated frame
        scale = min(size) / crop.side
        left_px, top_px = ((side - min(size)) / 2 - at * scale for side, at in ((size[1], x), (size[0], y)))
        return Letterbox(scale, round(left_px), round(top_px), self._mirror, turn, (frame.width, frame.height))


def _make_plan(frame: Frame, size: tuple[int, int], letterbox: Letterbox) -> _Plan:
    h, w = frame.image.shape[:2]
    turn, left, top = letterbox.turn, letterbox.left_px, letterbox.top_px
    # The index of the pixel in the corner of the rotated image, and the steps to the next pixel down and to the right.
    corner, down, right = ((0, w, 1), (w - 1, -1, w), (h * w - 1, -w, -1), ((h - 1) * w, 1, -w))[turn]
    h, w = (w, h) if turn % 2 else (h, w)
    turned = (frame.width, frame.height) if turn % 2 else (frame.height, frame.width)
    height, width = (max(round(side * letterbox.scale), 1) for side in turned)
    rows = _nearest(np.arange(size[0]) - top, height, h)
    columns = _nearest(np.arange(size[1]) - left, width, w)
    covered = slice(max(top, 0), min(top + height, size[0])), slice(max(left, 0), min(left + width, size[1]))
    window = (
        (covered[1].start - left) * w / width,
        (covered[0].start - top) * h / height,
        min((covered[1].stop - left) * w / width, w),
        min((covered[0].stop - top) * h / height, h),
    )
    first_column, first_row, last_column, last_row = map(round, window)
    everything = slice(None)
    margins = [
        (slice(0, covered[0].start), everything),
        (slice(covered[0].stop, size[0]), everything),
        (everything, slice(0, covered[1].start)),
        (everything, slice(covered[1].stop, size[1])),
    ]
    return _Plan(
        letterbox,
        # Pick whole rows, padding included, and paint the padding over: one gather into contiguous memory is faster
        # than one into a window.
        (corner + rows[:, None] * down + columns * right).ravel(),
        height,
        width,
        covered,
        window,
        (slice(first_row, last_row), slice(first_column, last_column)),
        [margin for margin in margins if _is_nonempty(margin)],
        np.empty((*size, 3), np.uint8),
    )


def _sample(image: Image, plan: _Plan, into: Image, *, smooth: bool) -> None:
    turned = np.rot90(image, plan.letterbox.turn) if plan.letterbox.turn else image
    if turned.shape[:2] == (plan.height, plan.width):
        into[plan.region] = turned[plan.part]
    elif smooth or turned.shape[0] >= AVERAGE_FROM * plan.height:
        into[plan.region] = _resample(turned, plan, smooth=smooth)
    else:
        pixels = np.ascontiguousarray(image).reshape(-1).view(_PIXEL)
        # No index is out of bounds: "clip" avoids the buffer that numpy makes for "raise".
        np.take(pixels, plan.pick, out=into.reshape(-1).view(_PIXEL), mode="clip")
    for margin in plan.margins:
        into[margin] = PADDING


def _centre_is_in(crop: Crop, frame: Frame) -> bool:
    x, y = crop.left + crop.side / 2, crop.top + crop.side / 2
    return 0 <= x <= frame.width and 0 <= y <= frame.height


def _is_nonempty(margin: tuple[slice, slice]) -> bool:
    return all(side.start is None or side.start < side.stop for side in margin)


def _nearest(positions: npt.NDArray[np.intp], fitted: int, original: int) -> npt.NDArray[np.intp]:
    """The index of the original pixel under the centre of each fitted one; positions outside are clamped."""
    return np.clip(((positions + 0.5) * original / fitted).astype(np.intp), 0, original - 1)


def _resample(turned: Image, plan: _Plan, *, smooth: bool) -> Image:
    from PIL import Image as Pillow  # noqa: PLC0415 - not needed if the camera delivers the right size

    left, top, right, bottom = plan.window
    x, y = int(left), int(top)
    part = np.ascontiguousarray(turned[y : math.ceil(bottom), x : math.ceil(right)])
    rows, columns = plan.region
    size = (columns.stop - columns.start, rows.stop - rows.start)
    box = (left - x, top - y, right - x, bottom - y)
    kind = Pillow.Resampling.BILINEAR if smooth else Pillow.Resampling.BOX
    return np.asarray(Pillow.fromarray(part).resize(size, kind, box))
