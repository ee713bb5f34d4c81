"""Where people were: the grid, and the outlines that are drawn from it."""

import numpy as np
import pytest

from edge.report.contours import outlines
from edge.report.heat import COLUMNS, Heat, place_of
from tests.support.people import STANDING, person


def area(points: list[tuple[float, float]]) -> float:
    """Positive or negative, by the direction of the outline."""
    following = [*points[1:], points[0]]
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, following, strict=True)) / 2


def test_time_is_summed_where_people_are() -> None:
    heat = Heat(640, 480)
    heat.add((0.1, 0.1), 30.0)
    heat.add((0.95, 0.95), 10.0)
    assert heat.grid.sum() == 40.0
    assert heat.parts() == [[0.75, 0, 0], [0, 0, 0], [0, 0, 0.25]]


def test_places_outside_the_picture_count_at_its_edge() -> None:
    heat = Heat(640, 480)
    heat.add((-0.5, 2.0), 1.0)
    assert heat.grid[-1, 0] == 1.0


def test_the_peak_is_the_most_time_in_a_spot() -> None:
    heat = Heat(640, 480)
    for column, seconds in ((20.5, 5.0), (21.5, 7.0), (24.5, 8.0)):
        heat.add((column / COLUMNS, 0.5), seconds)
    assert heat.peak_s() == 12.0


def test_short_and_long_stays_show_on_the_map() -> None:
    heat = Heat(640, 480)
    heat.add((0.2, 0.5), 8 * 3600.0)
    heat.add((0.8, 0.5), 10.0)
    shown = heat.map()
    assert shown.max() == 1.0
    assert shown[heat.rows // 2, round(0.8 * COLUMNS)] > 0.03


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (4096, 16), (1, 1), (16, 4096)])
def test_frames_may_have_any_shape(size: tuple[int, int]) -> None:
    heat = Heat(*size)
    heat.add((0.5, 0.5), 1.0)
    assert heat.map().shape == heat.grid.shape
    assert np.isfinite(heat.map()).all()


def test_a_person_is_at_the_feet_the_hips_or_below_the_box() -> None:
    without_feet = {name: at for name, at in STANDING.items() if "ANKLE" not in name}
    without_hips = {name: at for name, at in without_feet.items() if "HIP" not in name and "KNEE" not in name}
    places = [place_of(person(1, points), 640, 480) for points in (STANDING, without_feet, without_hips)]
    assert places == [(100.5 / 640, 220.5 / 480), (100.5 / 640, 120.5 / 480), (100.5 / 640, 118.5 / 480)]


def test_an_outline_goes_around_what_reaches_the_level() -> None:
    grid = np.zeros((5, 6))
    grid[1:4, 2:4] = 1.0
    (outline,) = outlines(grid, 0.5)
    xs, ys = zip(*outline, strict=True)
    # Halfway between the centres of cells inside and outside.
    assert (min(xs), max(xs), min(ys), max(ys)) == (2.0, 4.0, 1.0, 4.0)


def test_a_hole_has_an_outline_in_the_other_direction() -> None:
    grid = np.ones((7, 7))
    grid[3, 3] = 0.0
    first, second = (area(outline) for outline in outlines(grid, 0.5))
    assert first * second < 0


def test_outlines_at_the_edge_are_closed() -> None:
    (outline,) = outlines(np.ones((3, 4)), 0.5)
    assert abs(area(outline)) == pytest.approx(12.0 - 4 * 0.125)


def test_outlines_of_any_grid_enclose_its_high_part() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        grid = rng.random((12, 15))
        total = sum(area(outline) for outline in outlines(grid, 0.6))
        assert abs(total) == pytest.approx((grid >= 0.6).sum(), rel=0.5)
    assert list(outlines(np.zeros((4, 4)), 0.5)) == []
