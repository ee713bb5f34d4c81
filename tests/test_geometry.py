"""Points, polygons and segments."""

import math
import random
from itertools import combinations

import pytest

from edge.geometry import Position, area, contains, crossing_sides, distance, side_of, sides

SQUARE = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]
U_SHAPE = [(0.0, 0.0), (1.0, 0.0), (1.0, 3.0), (3.0, 3.0), (3.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]


@pytest.mark.parametrize(
    ("point", "inside"), [((2, 3.5), True), ((2, 1), False), ((0.5, 1), True), ((3.5, 0.5), True), ((5, 3.5), False)]
)
def test_a_point_is_inside_a_polygon_that_is_not_convex(point: Position, inside: bool) -> None:
    assert contains(U_SHAPE, point) == inside
    assert contains(U_SHAPE[::-1], point) == inside


@pytest.mark.parametrize(
    ("point", "away"), [((2, 2), 0), ((6, 2), 2), ((7, 8), 5), ((-1, -1), math.sqrt(2)), ((2, 4.5), 0.5)]
)
def test_the_distance_of_a_point_from_a_polygon(point: Position, away: float) -> None:
    assert distance(SQUARE, point) == pytest.approx(away)


def test_the_right_side_is_the_right_one_on_the_picture() -> None:
    up = ((2.0, 9.0), (2.0, 1.0))
    assert side_of(*up, (5, 4)) == pytest.approx(3)
    assert side_of(*up, (1, 20)) == pytest.approx(-1)
    assert side_of((0, 0), (9, 0), (4, 2)) == pytest.approx(2), "y points down"


def test_sides_that_cross_are_found() -> None:
    assert crossing_sides(SQUARE) is None
    assert crossing_sides(U_SHAPE) is None
    assert crossing_sides([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]]) == (0, 2)


@pytest.mark.parametrize("seed", range(20))
def test_sides_cross_if_each_has_the_ends_of_the_other_on_both_sides(seed: int) -> None:
    numbers = random.Random(seed)
    corners = [(numbers.random(), numbers.random()) for _ in range(5)]

    def crosses(first: tuple[Position, Position], second: tuple[Position, Position]) -> bool:
        return all(
            side_of(*line, ends[0]) * side_of(*line, ends[1]) < 0 for line, ends in ((first, second), (second, first))
        )

    pairs = combinations(enumerate(sides(corners)), 2)
    expected = next(((one, other) for (one, first), (other, second) in pairs if crosses(first, second)), None)
    assert crossing_sides(corners) == expected


def test_the_area_does_not_depend_on_the_direction() -> None:
    assert area(SQUARE) == area(SQUARE[::-1]) == 16
    assert area(U_SHAPE) == 10
    assert area([(0, 0), (1, 1), (3, 3)]) == 0
