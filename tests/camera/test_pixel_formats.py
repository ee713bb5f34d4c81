"""Camera buffers of every format become RGB."""

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.camera.pixel_formats import PACKED, PLANAR, REC601, REC709, Layout, to_rgb
from edge.types import Array, Image

WIDTH, HEIGHT = 24, 16
FULL_SIZE = (10**6, 10**6)  # a `least` that no picture reaches, so that none is halved


def coloured(block: int = 2) -> Image:
    """Blocks of random colours that every format can carry."""
    colours = np.random.default_rng(7).integers(30, 220, (HEIGHT // block, WIDTH // block, 3), dtype=np.uint8)
    return colours.repeat(block, axis=0).repeat(block, axis=1)


def packed(image: Image, kind: str, stride: int) -> Array:
    size, order = PACKED[kind]
    rows = np.full((HEIGHT, stride), 9, np.uint8)
    for channel, place in enumerate(order):
        rows[:, place : WIDTH * size : size] = image[..., channel]
    return rows.ravel()


def planar(image: Image, layout: Layout) -> Array:
    """Convert with floats, by the definitions of the standards."""
    red, blue = layout.weights
    r, g, b = np.moveaxis(image.astype(np.float64), 2, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    if not layout.full_range:
        y, u, v = 16 + y * 219 / 255, u * 224 / 255, v * 224 / 255
    u, v = u[::2, ::2] + 128, v[::2, ::2] + 128
    if layout.format in {"NV21", "YVU420"}:
        u, v = v, u
    rows = np.full((HEIGHT * 3 // 2, layout.stride), 9, np.uint8)
    rows[:HEIGHT, :WIDTH] = y.round()
    if layout.format in {"NV12", "NV21"}:
        rows[HEIGHT:, 0:WIDTH:2], rows[HEIGHT:, 1:WIDTH:2] = u.round(), v.round()
    else:
        planes = rows[HEIGHT:].reshape(2, HEIGHT // 2, layout.stride // 2)
        planes[0, :, : WIDTH // 2], planes[1, :, : WIDTH // 2] = u.round(), v.round()
    return np.concatenate((rows.ravel(), np.full(50, 9, np.uint8)))  # padded at the end, as to a page of memory


@pytest.mark.parametrize("padding", [0, 40])
@pytest.mark.parametrize("kind", PACKED)
def test_packed_pixels_lose_their_padding_and_nothing_else(kind: str, padding: int) -> None:
    image, stride = coloured(), WIDTH * PACKED[kind][0] + padding
    buffer = packed(image, kind, stride)
    out = to_rgb(buffer, Layout(kind, WIDTH, HEIGHT, stride), FULL_SIZE)
    np.testing.assert_array_equal(out, image)
    assert out.flags.c_contiguous
    assert not np.shares_memory(out, buffer)


@pytest.mark.parametrize("padding", [0, 40])
@pytest.mark.parametrize(("weights", "full_range"), [(REC601, True), (REC601, False), (REC709, True), (REC709, False)])
@pytest.mark.parametrize("kind", PLANAR)
def test_planes_become_the_original_colours(
    kind: str, weights: tuple[float, float], full_range: bool, padding: int
) -> None:
    layout = Layout(kind, WIDTH, HEIGHT, WIDTH + padding, weights, full_range)
    image = coloured()
    out = to_rgb(planar(image, layout), layout, FULL_SIZE)
    assert out.shape == image.shape
    assert np.abs(out.astype(int) - image).max() <= 2  # rounding errors
    assert out.flags.c_contiguous


@pytest.mark.parametrize("kind", PLANAR)
def test_planes_are_converted_at_half_size_if_that_is_enough(kind: str) -> None:
    layout = Layout(kind, WIDTH, HEIGHT, WIDTH)
    image = coloured()
    buffer = planar(image, layout)
    out = to_rgb(buffer, layout, (WIDTH // 2, HEIGHT // 2))
    assert out.shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert np.abs(out.astype(int) - image[::2, ::2]).max() <= 2
    assert to_rgb(buffer, layout, (WIDTH // 2 + 1, 1)).shape == image.shape


def test_halving_averages_the_luma() -> None:
    y = np.zeros((HEIGHT, WIDTH), np.uint8)
    y[::2, ::2] = 200
    buffer = np.concatenate((y.ravel(), np.full(WIDTH * HEIGHT // 2, 128, np.uint8)))
    out = to_rgb(buffer, Layout("NV12", WIDTH, HEIGHT, WIDTH), (1, 1))
    assert np.unique(out).tolist() == [50]


def test_the_colours_of_a_jpeg_are_kept() -> None:
    """The virtual camera copies the planes of a JPEG."""
    image = Pillow.fromarray(coloured())
    y, u, v = (np.asarray(plane) for plane in image.convert("YCbCr").split())
    buffer = np.concatenate((y.ravel(), u[::2, ::2].ravel(), v[::2, ::2].ravel()))
    out = to_rgb(buffer, Layout("YUV420", WIDTH, HEIGHT, WIDTH), FULL_SIZE)
    assert np.abs(out.astype(int) - np.asarray(image)).max() <= 4  # Pillow truncates instead of rounding


@pytest.mark.parametrize("kind", [*PACKED, *PLANAR])
def test_a_short_buffer_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="reshape"):
        to_rgb(np.zeros(WIDTH * HEIGHT - 1, np.uint8), Layout(kind, WIDTH, HEIGHT, WIDTH * 4), FULL_SIZE)
