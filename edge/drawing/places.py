"""Draw the zones and lines of the configuration on pictures, with Pillow."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from edge.config import Line, Zone
from edge.drawing.skeletons import OUTLINE, Colour, draw_tag

KINDS: dict[str, Colour] = {"area": (130, 225, 130), "bed": (150, 190, 255), "exclude": (255, 110, 110)}
LINE: Colour = (255, 215, 80)
IN_LENGTH = 0.06  # of the arrow that points to the side "in", as a share of the picture's height


def draw_places(
    image: Image.Image, zones: Sequence[Zone], lines: Sequence[Line], *, mirrored: bool = False
) -> Image.Image:
    """A copy of an RGB image with the outlines of `zones`, and each of `lines` with an arrow to its side "in".

    Coordinates are fractions of the picture; with `mirrored`, of the picture as in a mirror.
    """
    image = image.copy()
    paint_places(image, zones, lines, mirrored=mirrored)
    return image


def paint_places(  # noqa: PLR0913 - what to draw, and how
    image: Image.Image,
    zones: Sequence[Zone],
    lines: Sequence[Line],
    *,
    mirrored: bool = False,
    brightness: float = 1.0,
    inside: float | None = None,
) -> None:
    """The same on the image itself, with darker colours. `inside` is the brightness that zones are filled with."""
    draw = ImageDraw.Draw(image)
    width, size = max(2, round(image.height / 240)), max(11, image.height / 40)

    def place(x: float, y: float) -> tuple[float, float]:
        return (1 - x if mirrored else x) * (image.width - 1), y * (image.height - 1)

    def stroke(points: Sequence[tuple[float, float]], colour: Colour) -> None:
        for fill, extra in ((OUTLINE, 2), (colour, 0)):
            draw.line(points, fill, width + extra, joint="curve")

    outlines = [[place(*point) for point in zone.points] for zone in zones]
    if inside is not None:
        for zone, corners in zip(zones, outlines, strict=True):
            draw.polygon(corners, darker(KINDS[zone.kind], inside))
    for zone, corners in zip(zones, outlines, strict=True):
        colour = darker(KINDS[zone.kind], brightness)
        stroke([*corners, corners[0]], colour)
        draw_tag(draw, zone.name, colour, min(corners, key=lambda corner: corner[1]), size)
    colour = darker(LINE, brightness)
    for line in lines:
        (ax, ay), (bx, by) = start, end = place(*line.start), place(*line.to)
        stroke([start, end], colour)
        # In a picture, whose y runs down, the right of (x, y) is (-y, x).
        turn = (-1 if mirrored else 1) * IN_LENGTH * image.height / max(abs(complex(bx - ax, by - ay)), 1)
        middle = (ax + bx) / 2, (ay + by) / 2
        tip = middle[0] - (by - ay) * turn, middle[1] + (bx - ax) * turn
        stroke([middle, tip], colour)
        draw_tag(draw, "in", colour, tip, size)
        draw_tag(draw, line.name, colour, end, size)


def darker(colour: Colour, brightness: float) -> Colour:
    red, green, blue = (round(value * brightness) for value in colour)
    return red, green, blue
