"""Draw where people were: a heat map over the outline of the picture, with zones and lines."""

from collections.abc import Sequence
from itertools import pairwise

from edge.config import Line, Zone
from edge.geometry import Position
from edge.report.collect import Day
from edge.report.contours import outlines
from edge.report.heat import COLUMNS, Grid
from edge.report.markup import Html, el
from edge.report.words import duration, share

LEVELS = 0.03, 0.08, 0.17, 0.3, 0.5, 0.75  # of the map
HIGHEST_REM = 34.0  # of the map
ARROW = 0.05  # length of the arrow of a line, as a share of the picture's height
_PLACES = (
    ("top left", "top", "top right"),
    ("left", "middle", "right"),
    ("bottom left", "bottom", "bottom right"),
)


def room(day: Day) -> Html:
    """The figure with its legend, and the same as a table."""
    width, height = day.width, day.height
    grid, peak_s = day.heat.map(), day.heat.peak_s()
    unit = max(width, height) / 100
    shapes = [_level(grid, level, number, (width, height)) for number, level in enumerate(LEVELS)] if peak_s else []
    svg = el(
        "svg",
        el(
            "title",
            f"Where people were: most in the {_busiest(day)} of the picture" if peak_s else "No people were seen",
        ),
        el("rect", width=width, height=height, class_="floor"),
        shapes,
        [_zone(zone, (width, height), unit) for zone in day.watched.zones],
        [_line(line, (width, height), unit) for line in day.watched.lines],
        viewBox=f"0 0 {width} {height}",
        role="img",
        class_="room",
        style=f"max-width:{HIGHEST_REM * width / height:.1f}rem",
    )
    caption = "Where people stood, sat and lay, as the camera sees the room"
    return el(
        "figure", svg, el("figcaption", caption, _legend(peak_s) if peak_s else None), _table(day) if peak_s else None
    )


def _level(grid: Grid, level: float, number: int, size: tuple[int, int]) -> Html | None:
    scale = size[0] / COLUMNS, size[1] / grid.shape[0]
    path = "".join(_smooth([(x * scale[0], y * scale[1]) for x, y in outline]) for outline in outlines(grid, level))
    return el("path", d=path, class_=f"heat h{number}", fill_rule="evenodd") if path else None


def _smooth(points: Sequence[Position]) -> str:
    """A closed curve that touches the middle of each side of a polygon."""
    middles = [((ax + bx) / 2, (ay + by) / 2) for (ax, ay), (bx, by) in pairwise([*points, points[0]])]
    curve = [
        f"Q{_at(corner)} {_at(middle)}"
        for corner, middle in zip([*points[1:], points[0]], [*middles[1:], middles[0]], strict=True)
    ]
    return f"M{_at(middles[0])}{''.join(curve)}Z"


def _at(point: Position) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


def _zone(zone: Zone, size: tuple[int, int], unit: float) -> Html:
    corners = [(x * size[0], y * size[1]) for x, y in zone.points]
    x, y = min(corners, key=lambda corner: (corner[1], corner[0]))
    return el(
        "g",
        el("path", d="M" + "L".join(map(_at, corners)) + "Z"),
        _name(zone.name, (x, y + 3.5 * unit), size, unit),
        class_=f"place {zone.kind}",
    )


def _line(line: Line, size: tuple[int, int], unit: float) -> Html:
    (ax, ay), (bx, by) = ((x * size[0], y * size[1]) for x, y in (line.start, line.to))
    length = max(abs(complex(bx - ax, by - ay)), 1.0)
    reach = ARROW * size[1]
    middle = (ax + bx) / 2, (ay + by) / 2
    # In a picture, whose y runs down, the right of (x, y) is (-y, x). Crossing to the right is "in".
    along, right = ((bx - ax) / length, (by - ay) / length), (-(by - ay) / length, (bx - ax) / length)
    tip = middle[0] + right[0] * reach, middle[1] + right[1] * reach
    barbs = [
        (
            tip[0] - right[0] * unit * 1.4 + side * along[0] * unit,
            tip[1] - right[1] * unit * 1.4 + side * along[1] * unit,
        )
        for side in (-1, 1)
    ]
    path = f"M{_at((ax, ay))}L{_at((bx, by))}M{_at(middle)}L{_at(tip)}M{_at(barbs[0])}L{_at(tip)}L{_at(barbs[1])}"
    # The name is on the other side of the line than the arrow.
    name = _name(
        line.name, (middle[0] - right[0] * 3 * unit, middle[1] - right[1] * 3 * unit + unit), size, unit, "middle"
    )
    return el("g", el("path", d=path), name, class_="place line")


def _name(text: str, place: Position, size: tuple[int, int], unit: float, anchor: str = "start") -> Html:
    """A name beside a place, inside the picture."""
    letters = 1.6 * unit * len(text)  # about as long as the text is
    left = place[0] + unit if anchor == "start" else place[0] - letters / 2
    x = min(max(left, unit), max(size[0] - letters - unit, unit)) + (0 if anchor == "start" else letters / 2)
    y = min(max(place[1], 3.5 * unit), size[1] - unit)
    return el("text", text, x=x, y=y, font_size=2.9 * unit, text_anchor=anchor)


def _legend(peak_s: float) -> Html:
    """The colours from little to much time."""
    ramp = el("span", [el("i", class_=f"h{number}") for number in range(len(LEVELS))], class_="ramp")
    return el("div", "little ", ramp, f" {duration(peak_s)} in a spot of 1/20 of the picture's width")


def _busiest(day: Day) -> str:
    parts = day.heat.parts()
    row, column = max(((row, column) for row in range(3) for column in range(3)), key=lambda at: parts[at[0]][at[1]])
    return _PLACES[row][column]


def _table(day: Day) -> Html:
    rows = [
        el("tr", [el("td", f"{share(part, 1)} ", el("small", name)) for part, name in zip(parts, names, strict=True)])
        for parts, names in zip(day.heat.parts(), _PLACES, strict=True)
    ]
    legend = "Shares of the time in each ninth of the picture."
    return el("details", el("summary", "The map as a table"), el("table", el("caption", legend), el("tbody", rows)))
