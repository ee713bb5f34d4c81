"""Bad light and bad cameras are no change; people who come in are, however small or slow."""

from collections.abc import Callable

import numpy as np
import pytest

from edge.pipeline.change import LEARNING_S, MEMORY_S, ChangeMeter
from edge.scenes.scenes import Scene, open_scene
from edge.types import Floats
from tests.support.sights import EMPTY, SIZE, Camera, Light, Visitor, lamp, watched, y

CAMERAS = {"quiet": Camera(2), "noisy": Camera(12), "compressed": Camera(5, quality=30)}
random = np.random.default_rng(3)
on = random.random(2000) < 0.7


def changes(cells: list[Floats]) -> list[bool]:
    """Whether each of these pictures, 15 per second, shows a change."""
    meter = ChangeMeter()
    return [meter.changed(one, n / 15) for n, one in enumerate(cells)]


def noticed(
    scene: Scene | Visitor,
    camera: str = "quiet",
    light: Callable[[float], Light | float] = lambda _: 1.0,
    *,
    frames: range,
) -> list[int]:
    """The frames that show a change, apart from the ones at the start."""
    found = changes(watched(scene, CAMERAS[camera], light, frames))
    return [n for n, changed in zip(frames, found, strict=True) if changed and n - frames.start > 15 * LEARNING_S]


@pytest.mark.parametrize("camera", CAMERAS)
def test_an_empty_room_does_not_change(camera: str) -> None:
    assert noticed(EMPTY, camera, frames=range(150)) == []


LIGHTS: dict[str, Callable[[float], Light | float]] = {
    "dawn": lambda s: min(0.3 + s / 30, 1.0),
    "clouds": lambda s: 1 + 0.3 * np.sin(s / 3) * lamp(300, 200, 90),
    "exposure in steps": lambda s: 1 + 0.15 * (int(s / 5) % 2),
    "a lamp that flickers slowly": lambda s: 0.7 + 0.3 * np.sin(2 * s) * lamp(),
    "a lamp that flickers at random": lambda s: 0.6 + 0.4 * on[int(s * 15)] * lamp(),
    "mains hum": lambda s: (1 + 0.12 * np.sin(2 * np.pi * (y / 107 + 1.7 * s)))[..., None],
}


@pytest.mark.parametrize("light", LIGHTS)
def test_changing_light_is_no_change_after_some_seconds(light: str) -> None:
    assert [n for n in noticed(EMPTY, "quiet", LIGHTS[light], frames=range(225)) if n > 75] == []


@pytest.mark.parametrize("camera", ["noisy", "compressed"])
@pytest.mark.parametrize("light", ["constant", "a lamp that flickers slowly"])
@pytest.mark.parametrize("size_px", [40, 400])
def test_a_person_who_walks_in_is_noticed_before_half_of_the_body_is_visible(
    size_px: int, light: str, camera: str
) -> None:
    visitor = Visitor(size_px, wait=100)
    found = noticed(visitor, camera, LIGHTS.get(light, lambda _: 1.0), frames=range(visitor.inside + 3))
    assert found
    assert found[0] >= 100


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_person_who_comes_in_very_slowly_is_noticed(camera: str) -> None:
    scene = open_scene("slow", width=640, height=480, painted=SIZE, seed=2)
    inside = next(n for n in range(1200) if scene.truth(n)[0].visible.sum() > 8)
    found = noticed(scene, camera, frames=range(inside - 200, inside))
    assert found
    assert not any(scene.truth(n)[0].visible.any() for n in range(found[0] - 60)), "no change before it"


def test_a_moved_chair_is_noticed_and_then_part_of_the_room() -> None:
    cells = [one.copy() for one in watched(EMPTY, CAMERAS["quiet"], lambda _: 1.0, range(75)) * 7]
    for one in cells[75:]:
        one[30:40, 20:28] *= 0.5
    found = changes(cells)
    assert all(found[75:85])
    assert not any(found[75 + round(15 * 2 * MEMORY_S) :])


def test_pictures_of_another_size_and_a_clock_that_goes_back_start_a_new_comparison() -> None:
    meter = ChangeMeter()
    small, large = np.full((20, 30), 90, np.float32), np.full((40, 60), 90, np.float32)
    assert [meter.changed(small, n / 10) for n in range(15)][-1] is False
    assert meter.changed(large, 1.5)
    assert [meter.changed(large, 1.6 + n / 10) for n in range(15)][-1] is False
    assert meter.changed(large, 0.0)
