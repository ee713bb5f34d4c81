"""Verdicts about a painted person, seen by the real networks in pictures that a badly aimed camera would take."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from edge.config import Config, Inference
from edge.rules.aim import Aim
from edge.scenes.motions import walk
from edge.scenes.scenes import SCENE_FPS, Actor, Scene
from edge.types import Frame, Image
from tests.support.pipelines import configured

FPS, SECONDS = 5, 9
NEAR, FAR = Actor(walk), Actor(walk, size=0.11)


def dark(image: Image) -> Image:
    """As a camera sees it at night: the noise is as strong as the picture."""
    noise = np.random.default_rng(1).normal(0, 8, image.shape)
    return (image * 0.04 + noise).clip(0, 255).astype(np.uint8)


CHANGES: dict[str, tuple[Actor, Callable[[Image], Image], set[str]]] = {
    "well aimed": (NEAR, lambda image: image, {"good"}),
    "too high, at the shins": (NEAR, lambda image: image[:385], {"feet_cut"}),
    "too high, at the knees": (NEAR, lambda image: image[:330], {"feet_cut"}),
    "too high, at the hips": (NEAR, lambda image: image[:260], {"feet_cut"}),
    "too low": (NEAR, lambda image: image[130:], {"head_cut"}),
    "too close": (NEAR, lambda image: image[120:330], {"too_close"}),
    "too far away": (FAR, lambda image: image, {"small", "no_people"}),
    "upside down": (NEAR, lambda image: np.rot90(image, 2), {"upside_down"}),
    "on its right side": (NEAR, np.rot90, {"turned_left"}),
    "on its left side": (NEAR, lambda image: np.rot90(image, 3), {"turned_right"}),
    "in the dark": (NEAR, dark, {"unsure", "no_people", "too_little"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_painted_person_shows_how_the_camera_is_aimed(change: str) -> None:
    actor, changed, expected = CHANGES[change]
    scene = Scene((actor,), 640, 480, seed=0)
    config = msgspec.structs.replace(Config(), inference=Inference(device="cpu", threads=1))
    _, pipeline = configured(config)
    aim, canvas = Aim(), np.empty((480, 640, 3), np.uint8)
    for number in range(FPS * SECONDS):
        scene.paint(number * SCENE_FPS // FPS, canvas)
        image = np.ascontiguousarray(changed(canvas))
        now_s = 100 + number / FPS
        update = pipeline.update(Frame(image, image.shape[1], image.shape[0], number, now_s, now_s))
        aim.observe(update.seen, update.rejected)
    first = aim.verdicts("ok", now_s)[0]
    assert first.code in expected
