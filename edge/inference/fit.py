"""Lay a frame into the model's input: aspect kept, centred, the rest padded."""

import numpy as np
import numpy.typing as npt

from edge.types import Array, Frame, Image, Letterbox

# 0.0 to the network, which is also what its own convolutions pad with.
PADDING = 128
# From this reduction on, nearest-neighbour sampling loses thin limbs, and averaging is worth its time.
AVERAGE_FROM = 2.0

_PIXEL = np.dtype("V3")


class Fit:
    """Letterbox frames into an input tensor; what depends on sizes alone is worked out once.

    `mirror` makes the mapping back to the frame flip x: the network sees people as they are, so that their left
    wrist stays the left one, and only the coordinates are mirrored.
    """

    def __init__(self, *, mirror: bool = False) -> None:
        self._mirror = mirror
        self._sizes: tuple[int, ...] = ()
        self._scratch: Image = np.empty((0, 0, 3), np.uint8)
        self._pick: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._region = (slice(0), slice(0))
        self._margins: list[tuple[slice, slice]] = []
        self._letterbox = Letterbox(1.0, 0, 0)

    def __call__(self, frame: Frame, into: Array) -> Letterbox:
        """Fill `into`, (h, w, 3) uint8, int8 or float32, with the frame, and tell how.

        Integers carry pixel values 0..255 (int8: less 128), floats value / 127.5 - 1.
        """
        sizes = (frame.width, frame.height, *frame.image.shape[:2], *into.shape[:2])
        if sizes != self._sizes:
            self._plan(frame, (into.shape[0], into.shape[1]))
            self._sizes = sizes
        if into.dtype == np.uint8:
            self._sample(frame.image, into)
        else:
            self._sample(frame.image, self._scratch)
            if into.dtype == np.int8:
                np.bitwise_xor(self._scratch, 0x80, out=into.view(np.uint8))
            else:
                np.multiply(self._scratch, np.float32(1 / 127.5), out=into)
                np.subtract(into, np.float32(1), out=into)
        return self._letterbox

    def _plan(self, frame: Frame, size: tuple[int, int]) -> None:
        scale = min(size[1] / frame.width, size[0] / frame.height)
        width, height = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
        left, top = (size[1] - width) // 2, (size[0] - height) // 2
        rows = _nearest(np.arange(size[0]) - top, height, frame.image.shape[0])
        columns = _nearest(np.arange(size[1]) - left, width, frame.image.shape[1])
        # Whole rows are picked, padding too: one gather into contiguous memory beats one into a window, and the
        # padding is painted over.
        self._pick = (rows[:, None] * frame.image.shape[1] + columns).ravel()
        self._region = (slice(top, top + height), slice(left, left + width))
        everything = slice(None)
        margins = [
            (slice(0, top), everything),
            (slice(top + height, size[0]), everything),
            (everything, slice(0, left)),
            (everything, slice(left + width, size[1])),
        ]
        self._margins = [margin for margin in margins if _is_any(margin)]
        self._scratch = np.empty((*size, 3), np.uint8)
        self._letterbox = Letterbox(scale, left, top, frame.width if self._mirror else None)

    def _sample(self, image: Image, into: Image) -> None:
        rows, columns = self._region
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if image.shape[:2] == (height, width):
            into[rows, columns] = image
        elif image.shape[0] >= AVERAGE_FROM * height:
            into[rows, columns] = _average(image, width, height)
        else:
            pixels = np.ascontiguousarray(image).reshape(-1).view(_PIXEL)
            # "clip" only because numpy buffers the output of "raise"; no index is out of bounds.
            np.take(pixels, self._pick, out=into.reshape(-1).view(_PIXEL), mode="clip")
        for margin in self._margins:
            into[margin] = PADDING


def _is_any(margin: tuple[slice, slice]) -> bool:
    return all(side.start is None or side.start < side.stop for side in margin)


def _nearest(positions: npt.NDArray[np.intp], fitted: int, original: int) -> npt.NDArray[np.intp]:
    """Which of `original` pixels lies under the centre of each of `fitted` ones; positions outside are clamped."""
    return np.clip(((positions + 0.5) * original / fitted).astype(np.intp), 0, original - 1)


def _average(image: Image, width: int, height: int) -> Image:
    from PIL import Image as Pillow  # noqa: PLC0415 - not needed where the camera delivers the right size

    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BOX))
