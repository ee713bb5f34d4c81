"""Convert a camera buffer to RGB: packed colours and 4:2:0 formats, whose rows may be padded."""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from edge.types import Array, Image

# Bytes per pixel, and the indices of red, green and blue. libcamera names formats by the bits of a little-endian word,
# so the order in memory is the reverse of the name.
PACKED = {
    "BGR888": (3, (0, 1, 2)),
    "RGB888": (3, (2, 1, 0)),
    "XBGR8888": (4, (0, 1, 2)),
    "XRGB8888": (4, (2, 1, 0)),
}
PLANAR = ("NV12", "NV21", "YUV420", "YVU420")
FORMATS = (*PACKED, *PLANAR)

# Weights of red and blue in the luma.
REC601 = 0.299, 0.114
REC709 = 0.2126, 0.0722


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of the pixels in a buffer."""

    format: str  # one of FORMATS
    width: int
    height: int
    stride: int  # bytes from one row to the next; of the luma plane in planar formats
    weights: tuple[float, float] = REC601
    full_range: bool = True  # luma from 0 to 255 instead of 16 to 235


def to_rgb(buffer: Array, layout: Layout, least: tuple[int, int]) -> Image:
    """Convert a buffer, uint8 (bytes,), to a new C-contiguous array, uint8 (H, W, 3) RGB.

    A 4:2:0 picture is converted at half its size if that is not smaller than `least` (width, height, px): at that
    size each pixel has its own chroma, and the conversion is cheap. Raises ValueError if the buffer is too short.
    """
    if layout.format in PACKED:
        size, order = PACKED[layout.format]
        rows = buffer[: layout.stride * layout.height].reshape(layout.height, layout.stride)
        pixels = rows[:, : layout.width * size].reshape(layout.height, layout.width, size)
        if order == (0, 1, 2):
            return np.array(pixels[..., :3], np.uint8, order="C")
        return np.ascontiguousarray(pixels[..., list(order)])
    y, u, v = _planes(buffer, layout)
    if layout.width >= 2 * least[0] and layout.height >= 2 * least[1]:
        y = _halved(y[: 2 * len(u), : 2 * u.shape[1]])
    else:
        u, v = (plane.repeat(2, axis=0).repeat(2, axis=1)[: layout.height, : layout.width] for plane in (u, v))
    merged = Pillow.fromarray(np.stack((y, u, v), axis=-1))
    return np.asarray(merged.convert("RGB", _matrix(layout)))


def _planes(buffer: Array, layout: Layout) -> tuple[Image, Image, Image]:
    """Luma (H, W), and both chroma planes (H/2, W/2): blue difference, red difference. All are views."""
    stride, height = layout.stride, layout.height
    rows, columns = height // 2, layout.width // 2
    luma = buffer[: stride * height].reshape(height, stride)[:, : layout.width]
    rest = buffer[stride * height : stride * height + 2 * rows * (stride // 2)]
    if layout.format in {"NV12", "NV21"}:
        pairs = rest.reshape(rows, stride)
        chroma = pairs[:, 0 : 2 * columns : 2], pairs[:, 1 : 2 * columns : 2]
    else:
        both = rest.reshape(2, rows, stride // 2)
        chroma = both[0, :, :columns], both[1, :, :columns]
    first, second = chroma
    return (luma, first, second) if layout.format in {"NV12", "YUV420"} else (luma, second, first)


def _halved(plane: Image) -> Image:
    """The means of 2 x 2 pixels, rounded."""
    quads = plane[0::2, 0::2].astype(np.uint16)
    quads += plane[0::2, 1::2]
    quads += plane[1::2, 0::2]
    quads += plane[1::2, 1::2]
    quads += 2
    quads >>= 2
    return quads.astype(np.uint8)


def _matrix(layout: Layout) -> tuple[float, ...]:
    """The matrix from Y, U, V to R, G, B: three rows of three factors and an offset, as Pillow takes it."""
    red, blue = layout.weights
    green = 1 - red - blue
    black, luma_gain, chroma_gain = (0, 1.0, 1.0) if layout.full_range else (16, 255 / 219, 255 / 224)
    v_red, u_blue = 2 * (1 - red) * chroma_gain, 2 * (1 - blue) * chroma_gain
    u_green, v_green = -u_blue * blue / green, -v_red * red / green
    factors = (0.0, v_red), (u_green, v_green), (u_blue, 0.0)
    return tuple(value for u, v in factors for value in (luma_gain, u, v, -luma_gain * black - 128 * (u + v)))
