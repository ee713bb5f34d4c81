"""Lay a frame into the model's input: aspect kept, centred, the rest padded."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.types import Array, Frame, Image, Letterbox, fitted

# 0.0 to the network, which is also what its own convolutions pad with.
PADDING = 128
# From this reduction on, nearest-neighbour sampling loses thin limbs, and averaging is worth its time.
AVERAGE_FROM = 2.0
MOST_PLANS = 8

_PIXEL = np.dtype("V3")


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """All that depends on sizes alone."""

    letterbox: Letterbox
    pick: npt.NDArray[np.intp]  # of every input pixel, which pixel of the image lies there, margins too
    region: tuple[slice, slice]  # of the input, that the frame covers
    margins: list[tuple[slice, slice]]
    scratch: Image  # as large as the input


class Fit:
    """Letterbox frames into an input tensor; what depends on sizes alone is worked out once.

    `mirror` makes the mapping back to the frame flip x: the network sees people as they are, so that their left
    wrist stays the left one, and only the coordinates are mirrored.
    """

    def __init__(self, *, mirror: bool = False) -> None:
        self._mirror = mirror
        self._plans: dict[tuple[int, ...], _Plan] = {}

    def __call__(self, frame: Frame, into: Array, turn: int = 0) -> Letterbox:
        """Fill `into`, (h, w, 3) uint8, int8 or float32, with the frame, and tell how.

        Integers carry pixel values 0..255 (int8: less 128), floats value / 127.5 - 1. `turn` is the number of quarter
        turns, anticlockwise, by which the frame is turned before.
        """
        sizes = (frame.width, frame.height, *frame.image.shape[:2], *into.shape[:2], turn)
        plan = self._plans.get(sizes)
        if plan is None:
            if len(self._plans) == MOST_PLANS:  # pictures of a folder may each have another size
                self._plans.clear()
            plan = self._plans[sizes] = self._plan(frame, (into.shape[0], into.shape[1]), turn)
        if into.dtype == np.uint8:
            _sample(frame.image, plan, into)
        else:
            _sample(frame.image, plan, plan.scratch)
            if into.dtype == np.int8:
                np.bitwise_xor(plan.scratch, 0x80, out=into.view(np.uint8))
            else:
                np.multiply(plan.scratch, np.float32(1 / 127.5), out=into)
                np.subtract(into, np.float32(1), out=into)
        return plan.letterbox

    def _plan(self, frame: Frame, size: tuple[int, int], turn: int) -> _Plan:
        h, w = frame.image.shape[:2]
        # Which pixel of the image is in the corner of the turned one, and how many further the next of a column and
        # of a row are.
        corner, down, right = ((0, w, 1), (w - 1, -1, w), (h * w - 1, -w, -1), ((h - 1) * w, 1, -w))[turn]
        h, w = (w, h) if turn % 2 else (h, w)
        turned = (frame.width, frame.height) if turn % 2 else (frame.height, frame.width)
        scale = min(size[0] / turned[0], size[1] / turned[1])
        height, width = fitted(turned, size)
        left, top = (size[1] - width) // 2, (size[0] - height) // 2
        rows = _nearest(np.arange(size[0]) - top, height, h)
        columns = _nearest(np.arange(size[1]) - left, width, w)
        everything = slice(None)
        margins = [
            (slice(0, top), everything),
            (slice(top + height, size[0]), everything),
            (everything, slice(0, left)),
            (everything, slice(left + width, size[1])),
        ]
        return _Plan(
            Letterbox(scale, left, top, self._mirror, turn, (frame.width, frame.height)),
            # Whole rows are picked, padding too: one gather into contiguous memory beats one into a window, and the
            # padding is painted over.
            (corner + rows[:, None] * down + columns * right).ravel(),
            (slice(top, top + height), slice(left, left + width)),
            [margin for margin in margins if _is_any(margin)],
            np.empty((*size, 3), np.uint8),
        )


def _sample(image: Image, plan: _Plan, into: Image) -> None:
    rows, columns = plan.region
    height, width = rows.stop - rows.start, columns.stop - columns.start
    turned = np.rot90(image, plan.letterbox.turn)
    if turned.shape[:2] == (height, width):
        into[rows, columns] = turned
    elif turned.shape[0] >= AVERAGE_FROM * height:
        into[rows, columns] = _average(turned, width, height)
    else:
        pixels = np.ascontiguousarray(image).reshape(-1).view(_PIXEL)
        # "clip" only because numpy buffers the output of "raise"; no index is out of bounds.
        np.take(pixels, plan.pick, out=into.reshape(-1).view(_PIXEL), mode="clip")
    for margin in plan.margins:
        into[margin] = PADDING


def _is_any(margin: tuple[slice, slice]) -> bool:
    return all(side.start is None or side.start < side.stop for side in margin)


def _nearest(positions: npt.NDArray[np.intp], fitted: int, original: int) -> npt.NDArray[np.intp]:
    """Which of `original` pixels lies under the centre of each of `fitted` ones; positions outside are clamped."""
    return np.clip(((positions + 0.5) * original / fitted).astype(np.intp), 0, original - 1)


def _average(image: Image, width: int, height: int) -> Image:
    from PIL import Image as Pillow  # noqa: PLC0415 - not needed where the camera delivers the right size

    return np.asarray(Pillow.fromarray(np.ascontiguousarray(image)).resize((width, height), Pillow.Resampling.BOX))
