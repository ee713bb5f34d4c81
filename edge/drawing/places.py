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
    draw = ImageDraw.Draw(image)
    width, size = max(2, round(image.height / 240)), max(11, image.height / 40)

    def place(x: float, y: float) -> tuple[float, float]:
        return (1 - x if mirrored else x) * (image.width - 1), y * (image.height - 1)

    def stroke(points: Sequence[tuple[float, float]], colour: Colour) -> None:
        for fill, extra in ((OUTLINE, 2), (colour, 0)):
            draw.line(points, fill, width + extra, joint="curve")

    for zone in zones:
        corners = [place(*point) for point in zone.points]
        stroke([*corners, corners[0]], KINDS[zone.kind])
        draw_tag(draw, zone.name, KINDS[zone.kind], min(corners, key=lambda corner: corner[1]), size)
    for line in lines:
        (ax, ay), (bx, by) = start, end = place(*line.start), place(*line.to)
        stroke([start, end], LINE)
        # In a picture, whose y runs down, the right of (x, y) is (-y, x).
        turn = (-1 if mirrored else 1) * IN_LENGTH * image.height / max(abs(complex(bx - ax, by - ay)), 1)
        middle = (ax + bx) / 2, (ay + by) / 2
        tip = middle[0] - (by - ay) * turn, middle[1] + (bx - ax) * turn
        stroke([middle, tip], LINE)
        draw_tag(draw, "in", LINE, tip, size)
        draw_tag(draw, line.name, LINE, end, size)
    return image
