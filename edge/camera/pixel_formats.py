"""What a camera's buffer holds, as RGB: packed colours and the 4:2:0 formats, with the padding of their rows."""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from edge.types import Array, Image

# Named as libcamera names them, which is by the bits of a word and therefore backwards: bytes of a pixel, and which of
# them are red, green and blue.
PACKED = {
    "BGR888": (3, (0, 1, 2)),
    "RGB888": (3, (2, 1, 0)),
    "XBGR8888": (4, (0, 1, 2)),
    "XRGB8888": (4, (2, 1, 0)),
}
PLANAR = ("NV12", "NV21", "YUV420", "YVU420")
FORMATS = (*PACKED, *PLANAR)

# Shares of red and blue in the brightness.
REC601 = 0.299, 0.114
REC709 = 0.2126, 0.0722


@dataclass(frozen=True, slots=True)
class Layout:
    """How pixels lie in a buffer."""

    format: str  # one of FORMATS
    width: int
    height: int
    stride: int  # bytes from one row to the next; of the brightness where colours lie apart
    shares: tuple[float, float] = REC601
    full: bool = True  # brightness from 0 to 255 instead of 16 to 235


def to_rgb(buffer: Array, layout: Layout, least: tuple[int, int]) -> Image:
    """A buffer, uint8 (bytes,), as uint8 (H, W, 3) RGB of its own memory, C-contiguous.

    4:2:0 pictures come out at half their size where that is no smaller than `least` (width, height): there, every
    pixel has a colour of its own, and converting is cheap. Raises ValueError if the buffer is too short.
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
    """Brightness (H, W), and both colours (H/2, W/2), as views."""
    stride, height = layout.stride, layout.height
    rows, columns = height // 2, layout.width // 2
    brightness = buffer[: stride * height].reshape(height, stride)[:, : layout.width]
    rest = buffer[stride * height : stride * height + 2 * rows * (stride // 2)]
    if layout.format in {"NV12", "NV21"}:
        pairs = rest.reshape(rows, stride)
        colours = pairs[:, 0 : 2 * columns : 2], pairs[:, 1 : 2 * columns : 2]
    else:
        both = rest.reshape(2, rows, stride // 2)
        colours = both[0, :, :columns], both[1, :, :columns]
    first, second = colours
    return (brightness, first, second) if layout.format in {"NV12", "YUV420"} else (brightness, second, first)


def _halved(plane: Image) -> Image:
    quads = plane[0::2, 0::2].astype(np.uint16)
    quads += plane[0::2, 1::2]
    quads += plane[1::2, 0::2]
    quads += plane[1::2, 1::2]
    quads += 2
    quads >>= 2
    return quads.astype(np.uint8)


def _matrix(layout: Layout) -> tuple[float, ...]:
    """Y, U, V to R, G, B: three rows of three factors and an offset, as Pillow takes them."""
    red, blue = layout.shares
    green = 1 - red - blue
    black, light, colour = (0, 1.0, 1.0) if layout.full else (16, 255 / 219, 255 / 224)
    v_red, u_blue = 2 * (1 - red) * colour, 2 * (1 - blue) * colour
    u_green, v_green = -u_blue * blue / green, -v_red * red / green
    factors = (0.0, v_red), (u_green, v_green), (u_blue, 0.0)
    return tuple(value for u, v in factors for value in (light, u, v, -light * black - 128 * (u + v)))
