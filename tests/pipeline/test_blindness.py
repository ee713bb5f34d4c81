"""Pictures in which nothing is visible are distinguished from dim, foggy and plain rooms."""

import os
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.pipeline.blindness import BLIND_S, SEEING_FROM, UNUSABLE_S, Blindness, share_of_edges
from edge.pipeline.coarse import coarse
from edge.scenes.scenes import SCENES, open_scene
from edge.types import Array, Image
from tests.support.sights import HEIGHT, SIZE, WIDTH, Camera, painted, x, y
from tests.support.videos import av

DATA = Path(os.environ.get("EDGE_POSE_DATA", Path(__file__).parents[3] / "shared/data"))
SHAPE = (HEIGHT, WIDTH, 3)
rng = np.random.default_rng(5)
ROOM = painted(open_scene("wave", width=640, height=480, painted=SIZE), 0)


def level(value: float) -> Array:
    """A picture of floats, (HEIGHT, WIDTH, 3), which a camera cuts off at 0 and 255."""
    return np.full(SHAPE, value)


def vignetted(value: float, darker: float) -> Array:
    """Darker towards the corners."""
    picture: Array = level(value) - darker * 2.0 * ((x / WIDTH - 0.5) ** 2 + (y / HEIGHT - 0.5) ** 2)[..., None]
    return picture


def leaking() -> Array:
    """A covered lens, with light that leaks in at one side."""
    picture: Array = level(70) - 240.0 * ((x / WIDTH - 0.1) ** 2 + (y / HEIGHT - 0.2) ** 2)[..., None]
    return picture


def blotches(strength: float) -> Array:
    """Smooth noise, as after the noise reduction of a camera."""
    small = Pillow.fromarray(rng.normal(size=(HEIGHT // 5, WIDTH // 5)).astype(np.float32))
    wide = np.asarray(small.resize(SIZE, Pillow.Resampling.BICUBIC))
    picture: Array = (strength * wide / wide.std())[..., None]
    return picture


FIXED = rng.normal(0, 3, (1, WIDTH, 1)) + rng.normal(0, 2, (HEIGHT, 1, 1)) + rng.normal(0, 4, SHAPE)
HOT = 200.0 * (rng.random((HEIGHT, WIDTH, 1)) < 1e-4)
LAMP = 200 * np.exp(-(((x - 300) / 6) ** 2 + ((y - 100) / 6) ** 2))[..., None]

NOTHING: dict[str, Callable[[], Array]] = {
    "black": lambda: level(0),
    "dark grey": lambda: level(16),
    "grey": lambda: level(128),
    "vignetted grey": lambda: vignetted(128, 60),
    "overexposed": lambda: level(255),
    "overexposed except the corners": lambda: vignetted(275, 90),
    "covered with a leak": leaking,
    "fixed pattern": lambda: 20 + FIXED,
    "hot pixels": lambda: 8 + HOT,
    "smooth noise in the dark": lambda: 20 + blotches(3),
    "smooth noise in the light": lambda: 150 + blotches(8),
    "the light of a standby lamp": lambda: 5 + LAMP,
}
CAMERAS = {"clean": Camera(0), "noisy": Camera(5), "very noisy": Camera(25), "compressed": Camera(4, quality=40)}


def unusable(images: Iterable[Image]) -> bool:
    """Whether four pictures a second are unusable in the end."""
    blindness = Blindness()
    for n, image in enumerate(images):
        blindness.update(image, n / 4)
    return blindness.unusable


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("picture", NOTHING)
def test_a_picture_of_nothing_is_unusable(picture: str, camera: str) -> None:
    assert unusable(CAMERAS[camera](NOTHING[picture]()) for _ in range(12))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
def test_pixels_at_random_are_unusable(colours: int, frozen: bool) -> None:
    pictures = [
        rng.integers(0, 256, (HEIGHT, WIDTH, colours), np.uint8).repeat(3 // colours, axis=2) for _ in range(12)
    ]
    assert unusable(pictures[:1] * 12 if frozen else pictures)


def plain_wall() -> Array:
    """A white wall with the edge of a door."""
    wall = level(210)
    wall[60:, 300:304] = 150
    return wall


def room_under(contrast: float, brightness: float) -> Array:
    picture: Array = brightness + contrast * (ROOM - ROOM.mean())
    return picture


SOMETHING: dict[str, Callable[[], Array]] = {
    "dim": lambda: room_under(0.15, 20),
    "foggy": lambda: room_under(0.15, 170),
    "against the light": lambda: np.where(ROOM > 180, 255.0, ROOM * 0.3),
    "a white wall with a door": plain_wall,
    "unfocused": lambda: np.asarray(Pillow.fromarray(ROOM).reduce(8).resize(SIZE), float),
}


@pytest.mark.parametrize("camera", ["clean", "noisy", "compressed"])
@pytest.mark.parametrize("picture", SOMETHING)
def test_a_picture_in_which_people_can_be_seen_is_usable(picture: str, camera: str) -> None:
    assert not unusable(CAMERAS[camera](SOMETHING[picture]()) for _ in range(12))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [(470, 352), (1280, 720), (160, 120)])
def test_painted_rooms_have_far_more_edges_than_needed(name: str, size: tuple[int, int]) -> None:
    image = np.empty((size[1], size[0], 3), np.uint8)
    open_scene(name, width=size[0], height=size[1]).paint(0, image)
    assert share_of_edges(coarse(image), grain=3.0) > 3 * SEEING_FROM


@pytest.mark.parametrize("clips", ["rooms/*.mp4", "scenes/0[0-9]5_*.mp4"])
def test_real_and_rendered_rooms_have_far_more_edges_than_needed(clips: str) -> None:
    files = sorted(DATA.glob(clips))
    if not files:
        pytest.skip(f"NO REFERENCE DATA in {DATA}: name another folder with EDGE_POSE_DATA")
    for file in files:
        with av.open(str(file)) as container:
            frame = next(container.decode(video=0))
            image = frame.reformat(640, round(640 * frame.height / frame.width), "rgb24").to_ndarray()
        assert share_of_edges(coarse(image), grain=5.0) > 3 * SEEING_FROM, file.name


def test_a_picture_too_small_to_judge_is_usable() -> None:
    assert not unusable([np.zeros((12, 200, 3), np.uint8)] * 12)
    assert not unusable([np.zeros((1, 1, 3), np.uint8)] * 12)


DARK = Camera(5)(level(4))


class Night:
    """Judges ten pictures a second."""

    def __init__(self) -> None:
        self.blindness = Blindness()
        self._numbers = count()

    def passes(self, image: Image, seconds: float) -> tuple[bool, bool]:
        for _ in range(round(10 * seconds)):
            self.blindness.update(image, next(self._numbers) / 10)
        return self.blindness.unusable, self.blindness.blind


def test_a_camera_is_blind_after_ten_seconds_and_sees_again_within_a_second_of_light() -> None:
    night = Night()
    assert night.passes(ROOM, 5) == (False, False)
    assert night.passes(DARK, UNUSABLE_S) == (False, False)
    assert night.passes(DARK, 5) == (True, False)
    assert night.passes(DARK, BLIND_S - UNUSABLE_S - 5) == (True, False)
    assert night.passes(DARK, 5) == (True, True)
    assert night.passes(ROOM, 0.5) == (False, False)


def test_a_dim_lamp_is_enough() -> None:
    night = Night()
    assert night.passes(DARK, BLIND_S + 3) == (True, True)
    assert night.passes(Camera(5)(room_under(0.3, 30)), 1) == (False, False)


def test_a_clock_that_goes_back_does_not_make_the_camera_blind() -> None:
    blindness = Blindness()
    for now_s in (100.0, 100.4, 100.9, 3.0, 3.4):
        blindness.update(DARK, now_s)
    assert (blindness.unusable, blindness.blind) == (False, False)
    for now_s in (3.9, 4.4):
        blindness.update(DARK, now_s)
    assert (blindness.unusable, blindness.blind) == (True, False)


def test_time_without_pictures_is_no_darkness() -> None:
    """A camera that restarts often shows a black picture first."""
    blindness = Blindness()
    for now_s in (100.0, 120.0):
        blindness.update(DARK, now_s)
    assert (blindness.unusable, blindness.blind) == (False, False)
    for now_s in (140.0, 160.0):
        blindness.update(DARK, now_s)
    assert (blindness.unusable, blindness.blind) == (True, False)
