"""Draw people, zones and lines on black as a PNG, with Pillow. No pixel comes from the camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from edge.config import Line, Zone
from edge.drawing.places import darker, paint_places
from edge.drawing.png_writer import png
from edge.drawing.skeletons import FACE_KEYPOINTS, OUTLINE, PEOPLE, UNCONFIRMED, Colour, draw_tag
from edge.geometry import Position
from edge.skeleton import BONES, INDEX
from edge.types import Person

WIDTH_PX = 640
LARGEST_HEIGHT_PX = 1280  # for a frame more than twice as high as wide
SUPERSAMPLING = 2
BAND_PX = 32 * SUPERSAMPLING
# Brightness: of the inside of a zone, of zones and lines, and of the right side of a person.
INSIDE, PLACES, RIGHT_SIDE = 0.16, 0.75, 0.7
NOTE: Colour = (220, 220, 220)
NOSE, SHOULDERS = INDEX["NOSE"], (INDEX["LEFT_SHOULDER"], INDEX["RIGHT_SHOULDER"])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A PNG file."""

    png: bytes
    width: int  # px
    height: int


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A bone or, with both ends at the same place, a keypoint. Canvas px."""

    start: Position
    end: Position
    width: float
    colour: Colour


def draw_snapshot(
    frame: tuple[int, int], people: Sequence[Person], zones: Sequence[Zone], lines: Sequence[Line], note: str = ""
) -> Snapshot:
    """Draw `people`, who are in pixels of a frame with this width and height. `note` is written in the middle.

    Each person has one colour, chosen by ID; the person's right side is darker.
    """
    width, height = WIDTH_PX, min(max(round(WIDTH_PX * frame[1] / frame[0]), 1), LARGEST_HEIGHT_PX)
    canvas = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    # Zones and lines are dim, so that people stand out.
    paint_places(canvas, zones, lines, brightness=PLACES, inside=INSIDE)
    draw = ImageDraw.Draw(canvas)
    scale = canvas.width / frame[0], canvas.height / frame[1]
    for person in reversed(people):  # the best one on top
        _draw_person(draw, person, scale)
    if note:
        draw_tag(draw, note, NOTE, (canvas.width / 2, canvas.height / 2), canvas.width / 28)
    return Snapshot(png(width, height, _bands(canvas)), width, height)


def _bands(canvas: Image.Image) -> Iterator[bytes]:
    """The RGB pixels of the reduced canvas, a few rows at a time, because Pillow keeps other threads waiting."""
    for top in range(0, canvas.height, BAND_PX):
        box = 0, top, canvas.width, min(top + BAND_PX, canvas.height)
        yield canvas.reduce(SUPERSAMPLING, box).tobytes()


def _draw_person(draw: ImageDraw.ImageDraw, person: Person, scale: tuple[float, float]) -> None:
    own = UNCONFIRMED if person.id is None else PEOPLE[person.id % len(PEOPLE)]
    size_px = max(person.box.width * scale[0], person.box.height * scale[1])
    width = min(max(size_px / 70, 1.3 * SUPERSAMPLING), 6 * SUPERSAMPLING)
    points = [point and ((point.x + 0.5) * scale[0], (point.y + 0.5) * scale[1]) for point in person.keypoints]
    strokes = list(_strokes(points, width, own))
    for stroke in strokes:
        _paint(draw, stroke, stroke.width + 2 * SUPERSAMPLING, OUTLINE)
    for stroke in strokes:
        _paint(draw, stroke, stroke.width, stroke.colour)
    if person.id is not None:
        x, y = min(filter(None, points), key=lambda point: point[1])
        draw_tag(draw, f"#{person.id}", own, (x, y - 4 * width), draw.im.size[0] / 50)


def _strokes(points: Sequence[Position | None], width: float, own: Colour) -> Iterator[_Stroke]:
    """Bones, a neck, and keypoints over them."""
    dark = darker(own, RIGHT_SIDE)
    for a, b in BONES:
        start, end = points[a], points[b]
        if start and end:
            yield _Stroke(start, end, width, dark if _is_right(a) and _is_right(b) else own)
    nose, shoulders = points[NOSE], [point for point in map(points.__getitem__, SHOULDERS) if point]
    if nose and shoulders:
        x, y = (sum(values) / len(shoulders) for values in zip(*shoulders, strict=True))
        yield _Stroke(nose, (x, y), width, own)
    for index, point in enumerate(points):
        if point:
            yield _Stroke(
                point, point, width * (1.3 if index < FACE_KEYPOINTS else 2.2), dark if _is_right(index) else own
            )


def _paint(draw: ImageDraw.ImageDraw, stroke: _Stroke, width: float, colour: Colour) -> None:
    if stroke.start != stroke.end:
        draw.line([stroke.start, stroke.end], colour, round(width))
    else:
        (x, y), radius = stroke.start, width / 2
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], colour)


def _is_right(index: int) -> bool:
    """COCO's even indices are on the person's right; the nose (0) is on neither side."""
    return index != NOSE and index % 2 == 0
