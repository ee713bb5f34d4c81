"""Lay a frame, or a part of it, into the model's input: aspect kept, centred, the rest padded."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.types import Array, Crop, Frame, Image, Letterbox, fitted

# 0.0 to the network, which is also what its own convolutions pad with.
PADDING = 128
# From this reduction on, nearest-neighbour sampling loses thin limbs, and averaging is worth its time.
AVERAGE_FROM = 2.0
MOST_PLANS = 8

_PIXEL = np.dtype("V3")


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """All that depends on sizes and places alone."""

    letterbox: Letterbox
    pick: npt.NDArray[np.intp]  # of every input pixel, which pixel of the image lies there, margins too
    height: int  # of the whole turned frame, in input px
    width: int
    region: tuple[slice, slice]  # of the input, that the frame covers
    window: tuple[float, float, float, float]  # of the turned image, that lies there: left, top, right, bottom
    part: tuple[slice, slice]  # the same in whole pixels, for images that need no scaling
    margins: list[tuple[slice, slice]]
    scratch: Image  # as large as the input


class Letterboxer:
    """Letterbox frames into an input tensor; what depends on sizes alone is worked out once.

    `mirror` makes the mapping back to the frame flip x: the network sees people as they are, so that their left
    wrist stays the left one, and only the coordinates are mirrored. `smooth` scales without jagged edges, which is
    for pictures: it takes several times as long.
    """

    def __init__(self, *, mirror: bool = False, smooth: bool = False) -> None:
        self._mirror = mirror
        self._smooth = smooth
        self._plans: dict[tuple[int, ...], _Plan] = {}

    def __call__(self, frame: Frame, into: Array, turn: int = 0, crop: Crop | None = None) -> Letterbox:
        """Fill `into`, (h, w, 3) uint8, int8 or float32, with the frame, and tell how.

        Integers carry pixel values 0..255 (int8: less 128), floats value / 127.5 - 1. `turn` is the number of quarter
        turns, anticlockwise, by which the frame is turned before. With a crop, the input shows that part of the frame;
        one whose middle is not in it, as after a change of the frame's size, is passed over.
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
        if crop and _is_in(crop, frame):  # there is another one for every frame
            return _planned(frame, size, self._around(crop, frame, size, turn))
        sizes = (frame.width, frame.height, *frame.image.shape[:2], *size, turn)
        plan = self._plans.get(sizes)
        if plan is None:
            if len(self._plans) == MOST_PLANS:  # pictures of a folder may each have another size
                self._plans.clear()
            plan = self._plans[sizes] = _planned(frame, size, self._whole(frame, size, turn))
        return plan

    def _whole(self, frame: Frame, size: tuple[int, int], turn: int) -> Letterbox:
        turned = (frame.width, frame.height) if turn % 2 else (frame.height, frame.width)
        scale = min(size[0] / turned[0], size[1] / turned[1])
        height, width = fitted(turned, size)
        left, top = (size[1] - width) // 2, (size[0] - height) // 2
        return Letterbox(scale, left, top, self._mirror, turn, (frame.width, frame.height))

    def _around(self, crop: Crop, frame: Frame, size: tuple[int, int], turn: int) -> Letterbox:
        right, below = frame.width - crop.left - crop.side, frame.height - crop.top - crop.side
        left = crop.left
        if self._mirror:
            left, right = right, left
        x, y = ((left, crop.top), (crop.top, right), (right, below), (below, left))[turn]  # in the turned frame
        scale = min(size) / crop.side
        left_px, top_px = ((side - min(size)) / 2 - at * scale for side, at in ((size[1], x), (size[0], y)))
        return Letterbox(scale, round(left_px), round(top_px), self._mirror, turn, (frame.width, frame.height))


def _planned(frame: Frame, size: tuple[int, int], letterbox: Letterbox) -> _Plan:
    h, w = frame.image.shape[:2]
    turn, left, top = letterbox.turn, letterbox.left_px, letterbox.top_px
    # Which pixel of the image is in the corner of the turned one, and how many further the next of a column and
    # of a row are.
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
        # Whole rows are picked, padding too: one gather into contiguous memory beats one into a window, and the
        # padding is painted over.
        (corner + rows[:, None] * down + columns * right).ravel(),
        height,
        width,
        covered,
        window,
        (slice(first_row, last_row), slice(first_column, last_column)),
        [margin for margin in margins if _is_any(margin)],
        np.empty((*size, 3), np.uint8),
    )


def _sample(image: Image, plan: _Plan, into: Image, *, smooth: bool) -> None:
    turned = np.rot90(image, plan.letterbox.turn) if plan.letterbox.turn else image
    if turned.shape[:2] == (plan.height, plan.width):
        into[plan.region] = turned[plan.part]
    elif smooth or turned.shape[0] >= AVERAGE_FROM * plan.height:
        into[plan.region] = _resampled(turned, plan, smooth=smooth)
    else:
        pixels = np.ascontiguousarray(image).reshape(-1).view(_PIXEL)
        # "clip" only because numpy buffers the output of "raise"; no index is out of bounds.
        np.take(pixels, plan.pick, out=into.reshape(-1).view(_PIXEL), mode="clip")
    for margin in plan.margins:
        into[margin] = PADDING


def _is_in(crop: Crop, frame: Frame) -> bool:
    x, y = crop.left + crop.side / 2, crop.top + crop.side / 2
    return 0 <= x <= frame.width and 0 <= y <= frame.height


def _is_any(margin: tuple[slice, slice]) -> bool:
    return all(side.start is None or side.start < side.stop for side in margin)


def _nearest(positions: npt.NDArray[np.intp], fitted: int, original: int) -> npt.NDArray[np.intp]:
    """Which of `original` pixels lies under the centre of each of `fitted` ones; positions outside are clamped."""
    return np.clip(((positions + 0.5) * original / fitted).astype(np.intp), 0, original - 1)


def _resampled(turned: Image, plan: _Plan, *, smooth: bool) -> Image:
    from PIL import Image as Pillow  # noqa: PLC0415 - not needed where the camera delivers the right size

    left, top, right, bottom = plan.window
    x, y = int(left), int(top)
    part = np.ascontiguousarray(turned[y : math.ceil(bottom), x : math.ceil(right)])
    rows, columns = plan.region
    size = (columns.stop - columns.start, rows.stop - rows.start)
    box = (left - x, top - y, right - x, bottom - y)
    kind = Pillow.Resampling.BILINEAR if smooth else Pillow.Resampling.BOX
    return np.asarray(Pillow.fromarray(part).resize(size, kind, box))
