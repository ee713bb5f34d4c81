"""Zones and lines on pictures."""

from typing import Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.config import Line, Zone
from edge.drawing.places import KINDS, LINE, draw_places
from edge.types import Image
from tests.support.pictures import has_colour

WIDTH, HEIGHT = 640, 480
CORNERS = ((0.1, 0.5), (0.4, 0.5), (0.4, 0.9), (0.1, 0.9))


def drawn(zones: tuple[Zone, ...] = (), lines: tuple[Line, ...] = (), *, mirrored: bool = False) -> Image:
    return np.asarray(draw_places(Pillow.new("RGB", (WIDTH, HEIGHT)), zones, lines, mirrored=mirrored))


def shows(image: Image, colour: tuple[int, int, int], x: float, y: float) -> bool:
    return has_colour(image, colour, np.array((x * WIDTH, y * HEIGHT)), within_px=3)


@pytest.mark.parametrize("kind", ["area", "bed", "exclude"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_zone_has_an_outline_in_the_colour_of_its_kind(
    kind: Literal["area", "bed", "exclude"], mirrored: bool
) -> None:
    image = drawn((Zone(name="here", points=CORNERS, kind=kind),), mirrored=mirrored)
    left, middle, right = (1 - x if mirrored else x for x in (0.1, 0.25, 0.4))
    for x, y in ((left, 0.7), (right, 0.7), (middle, 0.5), (middle, 0.9)):
        assert shows(image, KINDS[kind], x, y)
    inside = image[int(0.55 * HEIGHT) : int(0.85 * HEIGHT), int(0.15 * WIDTH) : int(0.35 * WIDTH)]
    assert not inside.any()


def test_the_side_in_is_on_the_right_of_a_line_from_its_start_to_its_end() -> None:
    up, down = (
        drawn(lines=(Line(name="door", start=(0.5, start), to=(0.5, end)),)) for start, end in ((0.9, 0.5), (0.5, 0.9))
    )
    for image, in_x, out_x in ((up, 0.53, 0.47), (down, 0.47, 0.53)):
        assert shows(image, LINE, 0.5, 0.6)
        assert shows(image, LINE, in_x, 0.7)
        assert not shows(image, LINE, out_x, 0.7)


def test_a_mirrored_line_keeps_its_side_in() -> None:
    """The people who walk to the right in the mirrored picture walk to the left in the picture of the camera."""
    image = drawn(lines=(Line(name="door", start=(0.3, 0.9), to=(0.3, 0.5)),), mirrored=True)
    assert shows(image, LINE, 0.7, 0.6)
    assert shows(image, LINE, 0.67, 0.7)
    assert not shows(image, LINE, 0.73, 0.7)
