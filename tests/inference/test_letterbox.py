from itertools import product

import numpy as np
import pytest

from edge.inference.letterbox import PADDING, Letterboxer
from edge.types import Array, Crop, Frame, Image


def frame(image: Image, size: tuple[int, int] | None = None) -> Frame:
    width, height = size or (image.shape[1], image.shape[0])
    return Frame(image, width, height, 0, 0.0, 0.0)


def dotted(height: int, width: int, y: int, x: int, radius: int) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    image[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1] = 255
    return image


SIZES = [(480, 640), (640, 480), (353, 481), (100, 1000), (1080, 1920), (48, 64), (706, 962), (481, 353)]


@pytest.mark.parametrize(
    ("size", "at", "smooth"), list(product(SIZES, [(0.5, 0.5), (0.2, 0.7), (0.85, 0.1)], (False, True)))
)
def test_a_point_of_the_frame_maps_back_to_its_place(
    size: tuple[int, int], at: tuple[float, float], smooth: bool
) -> None:
    """A dot's centre in the input, mapped back, is the dot's centre in the frame."""
    height, width = size
    y, x = round(at[0] * height), round(at[1] * width)
    into = np.empty((353, 481, 3), np.uint8)
    letterbox = Letterboxer(smooth=smooth)(frame(dotted(height, width, y, x, max(height, width) // 60)), into)
    bright = np.argwhere(into[:, :, 0] > 190)
    found = letterbox.to_frame(bright.mean(axis=0).astype(np.float32))
    assert found == pytest.approx((x, y), abs=0.75 / letterbox.scale)


@pytest.mark.parametrize(("size", "turn", "mirror"), list(product(SIZES, (1, 2, 3), (False, True))))
def test_a_point_of_a_rotated_frame_maps_back_to_its_place(size: tuple[int, int], turn: int, mirror: bool) -> None:
    height, width = size
    y, x = round(0.2 * height), round(0.7 * width)
    into = np.empty((353, 481, 3), np.uint8)
    letterbox = Letterboxer(mirror=mirror)(frame(dotted(height, width, y, x, max(height, width) // 60)), into, turn)
    found = letterbox.to_frame(np.argwhere(into[:, :, 0] > 190).mean(axis=0).astype(np.float32))
    assert found == pytest.approx((width - 1 - x if mirror else x, y), abs=0.75 / letterbox.scale)


@pytest.mark.parametrize(
    ("size", "turn", "mirror", "side"), list(product(SIZES, (0, 1, 2, 3), (False, True), (0.3, 0.9)))
)
def test_a_point_of_a_crop_maps_back_to_its_place(size: tuple[int, int], turn: int, mirror: bool, side: float) -> None:
    """Also if the image was reduced to two thirds. The crop is around the dot, but not centred on it."""
    height, width = size
    y, x, side_px = round(0.2 * height), round(0.7 * width), side * min(size)
    for part in (1, 1.5):
        image = dotted(round(height / part), round(width / part), round(y / part), round(x / part), min(size) // 40)
        into = np.empty((192, 256, 3), np.uint8)
        shown_x = width - 1 - x if mirror else x
        crop = Crop(shown_x - 0.3 * side_px, y - 0.6 * side_px, side_px)
        letterbox = Letterboxer(mirror=mirror, smooth=turn == 1)(frame(image, (width, height)), into, turn, crop)
        assert letterbox.scale == pytest.approx(192 / side_px)
        bright = np.argwhere(into[:, :, 0] > 190)
        assert len(bright)
        found = letterbox.to_frame(bright.mean(axis=0).astype(np.float32))
        assert found == pytest.approx((shown_x, y), abs=1.1 / letterbox.scale + part)


@pytest.mark.parametrize("scale", [0.3, 1, 2.5])
def test_a_crop_shows_that_part_and_padding_beyond_the_frame(scale: float) -> None:
    side = round(192 / scale)
    size = side * 2
    image = np.full((size, size, 3), 7, np.uint8)
    image[: side // 2, : side // 2] = 200
    into = np.empty((192, 192, 3), np.uint8)
    fit = Letterboxer()
    for left, top in ((-0.5, -0.5), (0.0, 0.0), (1.5, 1.5), (-0.5, 1.0)):
        fit(frame(image), into, 0, Crop(left * side, top * side, side))
        shown = into[::8, ::8, 0].astype(int)
        rows, columns = (np.arange(0, 192, 8) / 192 + at for at in (top, left))
        inside = ((rows >= 0) & (rows < 2))[:, None] & ((columns >= 0) & (columns < 2))
        white = ((rows >= 0) & (rows < 0.5))[:, None] & ((columns >= 0) & (columns < 0.5))
        assert (shown == np.where(white, 200, np.where(inside, 7, PADDING))).mean() > 0.9
        assert set(np.unique(shown[~inside])) <= {7, 200, PADDING}
    for elsewhere in (None, Crop(2.0 * size, 0, side), Crop(0, -2.0 * side, side)):
        fit(frame(image), into, 0, elsewhere)
        assert np.array_equal(
            into[::8, ::8, 0] == 200, np.arange(0, 192, 8)[:, None] // 48 + np.arange(0, 192, 8) // 48 == 0
        )


@pytest.mark.parametrize("size", [(353, 481), (480, 640), (1080, 1920)])
def test_turns_are_anticlockwise_as_in_numpy(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    fit = Letterboxer()
    for turn in range(4):
        into, again = np.empty((353, 481, 3), np.uint8), np.empty((353, 481, 3), np.uint8)
        fit(frame(picture), into, turn)
        Letterboxer()(frame(np.ascontiguousarray(np.rot90(picture, turn))), again)
        assert np.array_equal(into, again)


@pytest.mark.parametrize("size", SIZES)
def test_the_aspect_is_kept_and_the_rest_is_padding(size: tuple[int, int]) -> None:
    height, width = size
    into = np.zeros((353, 481, 3), np.uint8)
    letterbox = Letterboxer()(frame(np.full((height, width, 3), 7, np.uint8)), into)
    assert letterbox.scale == pytest.approx(min(353 / height, 481 / width))
    covered = into[:, :, 1] == 7
    assert set(np.unique(into[~covered])) <= {PADDING}
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    assert covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert (rows[0], columns[0]) == (letterbox.top_px, letterbox.left_px)
    assert (len(rows), len(columns)) == (round(height * letterbox.scale), round(width * letterbox.scale))


def test_a_picture_that_was_reduced_is_reported_in_the_pixels_of_the_original() -> None:
    into = np.empty((353, 481, 3), np.uint8)
    small, large = dotted(600, 800, 450, 200, 12), (8000, 6000)
    letterbox = Letterboxer()(frame(small, large), into)
    bright = np.argwhere(into[:, :, 0] > 190).mean(axis=0).astype(np.float32)
    assert letterbox.to_frame(bright) == pytest.approx((2005, 4505), abs=10)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 2)])
def test_tiny_and_thin_pictures_fit(size: tuple[int, int]) -> None:
    into = np.zeros((353, 481, 3), np.uint8)
    letterbox = Letterboxer()(frame(np.full((*size, 3), 200, np.uint8)), into)
    centre = letterbox.to_frame(np.array((176, 240), np.float32))
    assert centre == pytest.approx(((size[1] - 1) / 2, (size[0] - 1) / 2), abs=1 / letterbox.scale + 0.5)
    assert (into == 200).any()


def test_inputs_of_all_dtypes_hold_the_same_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    inputs: dict[type, Array] = {kind: np.empty((353, 481, 3), kind) for kind in (np.uint8, np.int8, np.float32)}
    letterboxes = {Letterboxer()(frame(picture), into) for into in inputs.values()}
    assert len(letterboxes) == 1
    pixels = inputs[np.uint8]
    assert np.array_equal(inputs[np.int8], pixels.astype(int) - 128)
    assert inputs[np.float32] == pytest.approx(pixels / 127.5 - 1, abs=1e-6)


def test_one_letterboxer_serves_frames_of_changing_size() -> None:
    fit = Letterboxer()
    into, again = np.empty((353, 481, 3), np.uint8), np.empty((353, 481, 3), np.uint8)
    rng = np.random.default_rng(0)
    for size in ((480, 640), (640, 480), (480, 640)):
        picture = rng.integers(0, 256, (*size, 3), np.uint8)
        assert fit(frame(picture), into) == Letterboxer()(frame(picture), again)
        assert np.array_equal(into, again)


def test_frames_may_be_numpy_views() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    turned = np.rot90(picture)
    into, again = np.empty((353, 481, 3), np.uint8), np.empty((353, 481, 3), np.uint8)
    Letterboxer()(frame(turned), into)
    Letterboxer()(frame(turned.copy()), again)
    assert np.array_equal(into, again)


def test_strong_reduction_averages() -> None:
    """Stripes of one pixel become grey; nearest-neighbour sampling would make them black or white."""
    stripes = np.zeros((1412, 1924, 3), np.uint8)
    stripes[:, ::2] = 255
    into = np.empty((353, 481, 3), np.uint8)
    Letterboxer()(frame(stripes), into)
    assert np.ptp(into.astype(int)) < 10
    assert abs(int(into[100, 100, 0]) - 127) < 6


def test_smooth_scaling_blends_edges_at_any_scale() -> None:
    """A slanting edge gets grey pixels; nearest-neighbour sampling makes them black or white."""
    rows, columns = np.mgrid[:480, :640]
    edge = np.repeat(np.where(3 * rows > 2 * columns, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    for size in ((353, 481), (721, 961)):
        picked, smooth = np.empty((*size, 3), np.uint8), np.empty((*size, 3), np.uint8)
        letterbox = Letterboxer()(frame(edge), picked)
        assert Letterboxer(smooth=True)(frame(edge), smooth) == letterbox
        assert set(np.unique(picked)) <= {0, 255, PADDING}
        assert np.count_nonzero((smooth > 0) & (smooth < 255)) > np.count_nonzero(picked == PADDING) + 1000
        assert np.abs(smooth.astype(int) - picked).mean() < 2
