"""Points, polygons and segments in the plane, in plain floats. Coordinates are (x, y) in one unit, y downwards."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TypeAlias

Position: TypeAlias = tuple[float, float]
Polygon: TypeAlias = Sequence[Position]  # its corners in order; the last one joins the first


def contains(polygon: Polygon, point: Position) -> bool:
    """Whether a point is inside, by the even-odd rule. A point exactly on a side may count as either."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in sides(polygon):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def distance(polygon: Polygon, point: Position) -> float:
    """The distance of a point from the polygon; 0 inside it."""
    if contains(polygon, point):
        return 0.0
    return min(distance_to_segment(start, end, point) for start, end in sides(polygon))


def distance_to_segment(start: Position, end: Position, point: Position) -> float:
    (x1, y1), (x2, y2), (x, y) = start, end, point
    dx, dy = x2 - x1, y2 - y1
    length_2 = dx * dx + dy * dy
    along = min(max(((x - x1) * dx + (y - y1) * dy) / length_2, 0.0), 1.0) if length_2 else 0.0
    return math.hypot(x - x1 - along * dx, y - y1 - along * dy)


def side_of(start: Position, end: Position, point: Position) -> float:
    """The distance of a point from the line through `start` and `end`: positive on the right when looking along it.

    Right is as seen on the picture, where y points down. Raises ZeroDivisionError if both points are the same.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    return (dx * (point[1] - start[1]) - dy * (point[0] - start[0])) / math.hypot(dx, dy)


def area(polygon: Polygon) -> float:
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in sides(polygon))) / 2


def sides(polygon: Polygon) -> list[tuple[Position, Position]]:
    return list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))


def crossing_sides(polygon: Polygon) -> tuple[int, int] | None:
    """The indices of two sides that cross each other; None if no two do."""
    following = [*range(1, len(polygon)), 0]
    turns = [_turns(start, end, polygon) for start, end in sides(polygon)]
    for one, other in combinations(range(len(polygon)), 2):
        first, second = turns[one], turns[other]
        if first[other] * first[following[other]] < 0 and second[one] * second[following[one]] < 0:
            return one, other
    return None


def _turns(start: Position, end: Position, corners: Polygon) -> list[float]:
    """For each corner, on which side of the line through `start` and `end` it is, by its sign; 0 on the line."""
    (x, y), dx, dy = start, end[0] - start[0], end[1] - start[1]
    return [dx * (corner_y - y) - dy * (corner_x - x) for corner_x, corner_y in corners]
