"""Paint the room in which people move: a wall with a window, a floor, and chairs."""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from edge.scenes.figure import Colour, Quad
from edge.types import Image

DARKEST, BRIGHTEST = 16, 214  # painted values; light and noise are added, and uint8 must not wrap around
FLOOR = 0.74  # where the wall ends, as a share of the height


@dataclass(frozen=True, slots=True)
class Chair:
    """A chair for a person of that body height, at a point of the frame on the floor."""

    x_px: int
    ground_px: int
    stature_px: float


def paint_room(width: int, height: int, chairs: list[Chair]) -> tuple[Image, Image]:
    """The room, uint8 (height, width, 3) RGB, and the colours of its rows without furniture, (height, 3)."""
    finer = 2
    h = height * finer
    right = width / height
    y = np.linspace(0, 1, h)[:, None]
    rows = np.where(y < FLOOR, np.array((206, 198, 184)) - 22 * y, np.array((168, 138, 106)) - 40 * (y - FLOOR))
    canvas = Pillow.fromarray(np.repeat(rows.astype(np.uint8)[:, None], width * finer, axis=1))
    draw = ImageDraw.Draw(canvas)

    def box(corners: Quad, colour: Colour, radius: float = 0) -> None:
        """A rectangle with round corners; all lengths are shares of the height of the frame."""
        draw.rounded_rectangle([v * h for v in corners], radius * h, colour)

    box((0, FLOOR - 0.03, right, FLOOR), (204, 198, 188))
    for line in (FLOOR - 0.003, FLOOR + 0.05, FLOOR + 0.11, FLOOR + 0.185):
        box((0, line, right, line + 0.003), (146, 118, 90))
    plain = np.asarray(canvas.reduce(finer))[:, 0]

    window, picture, plant = 0.10, right - 0.36, right - 0.10
    box((window, 0.12, window + 0.30, 0.50), (212, 208, 200))
    for pane in (window + 0.015, window + 0.157):
        box((pane, 0.135, pane + 0.128, 0.485), (168, 196, 212))
        box((pane, 0.36, pane + 0.128, 0.485), (142, 170, 128))
    box((picture, 0.16, picture + 0.22, 0.34), (92, 70, 52))
    box((picture + 0.012, 0.172, picture + 0.208, 0.328), (204, 190, 160))
    box((picture + 0.012, 0.27, picture + 0.208, 0.328), (120, 134, 140))
    box((picture + 0.13, 0.20, picture + 0.17, 0.24), (212, 160, 96), 0.02)
    for dx, top in ((-0.035, 0.52), (0.035, 0.50), (0, 0.46)):
        box((plant + dx - 0.016, top, plant + dx + 0.016, 0.68), (96, 132, 88), 0.016)
    box((plant - 0.05, 0.66, plant + 0.05, 0.77), (182, 120, 88), 0.01)
    for chair in chairs:
        s, x, ground = chair.stature_px / height, chair.x_px / height, chair.ground_px / height - 0.03
        box((x - 0.22 * s, ground - 0.56 * s, x + 0.22 * s, ground - 0.05 * s), (176, 158, 138), 0.05 * s)
        box((x - 0.20 * s, ground - 0.24 * s, x + 0.20 * s, ground - 0.03 * s), (190, 172, 150), 0.03 * s)
        for arm in (x - 0.23 * s, x + 0.23 * s):
            box((arm - 0.04 * s, ground - 0.32 * s, arm + 0.04 * s, ground), (164, 146, 126), 0.03 * s)
    return np.asarray(canvas.reduce(finer)).clip(DARKEST, BRIGHTEST), plain
