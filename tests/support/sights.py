"""Pictures of rooms under bad light and through bad cameras, as cells of `coarse`."""

from collections.abc import Callable
from io import BytesIO
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from edge.pipeline.coarse import coarse
from edge.scenes.figure import Outfit, paint_figure
from edge.scenes.motions import STRIDE_FRAMES, walking_posture
from edge.scenes.scenes import Scene, open_scene
from edge.types import Array, Floats, Image

SIZE = WIDTH, HEIGHT = 470, 352  # as a camera of 640 x 480 delivers pictures for the included models
EMPTY = open_scene("empty", width=640, height=480, painted=SIZE)
Light: TypeAlias = npt.NDArray[np.float32]
y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)


class Visitor:
    """An empty room, and a person of `size_px` (of 640 x 480) who walks in from the left at frame `wait`."""

    def __init__(self, size_px: float, wait: int, statures_per_s: float = 0.8) -> None:
        outfit = Outfit((206, 160, 130), (58, 40, 30), (60, 95, 160), (150, 132, 105), (60, 44, 36))
        self._size = size_px * WIDTH / 640
        self._stride = [paint_figure(walking_posture(n, 48), outfit, self._size) for n in range(STRIDE_FRAMES)]
        self._ground = round((0.42 + 0.64 * size_px / 480) * HEIGHT)
        self._step = statures_per_s * self._size / 15
        self._wait = wait
        self.inside = wait + round(self._size * 0.25 / self._step)  # the frame in which half of the person is visible

    def paint(self, number: int, into: Image) -> None:
        EMPTY.paint(number, into)
        if number < self._wait:
            return
        figure = self._stride[number % STRIDE_FRAMES]
        left = round((number - self._wait) * self._step - self._size * 0.25) + figure.left_px
        if left >= WIDTH:
            return
        top = self._ground + figure.top_px
        seen = figure.image[: HEIGHT - top, max(-left, 0) : WIDTH - left].astype(np.float32)
        place = into[top : top + seen.shape[0], max(left, 0) : max(left, 0) + seen.shape[1]]
        place += ((seen[..., :3] - place) * seen[..., 3:] / 255).astype(np.int16).astype(np.uint8)


def lamp(left: float = 120, top: float = 60, radius: float = 110) -> Light:
    """The share of its light that a lamp throws on each pixel, (height, width, 1)."""
    share: Light = np.exp(-(((x - left) / radius) ** 2 + ((y - top) / radius) ** 2) / 2)[..., None]
    return share


class Camera:
    """Adds noise to pictures, and compresses them."""

    def __init__(self, noise: float = 2.0, quality: int | None = None, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = noise * self._rng.normal(size=(HEIGHT + 100, WIDTH + 100, 3)).astype(np.float32)
        self._quality = quality

    def __call__(self, picture: Array) -> Image:
        top, left = self._rng.integers(0, 100, 2)
        noisy: Array = picture + self._noise[top : top + HEIGHT, left : left + WIDTH]
        image: Image = noisy.clip(0, 255).astype(np.uint8)
        if self._quality is None:
            return image
        file = BytesIO()
        Pillow.fromarray(image).save(file, "jpeg", quality=self._quality)
        return np.asarray(Pillow.open(file), np.uint8)


def painted(scene: Scene | Visitor, number: int) -> Image:
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    scene.paint(number, image)
    return image


def watched(
    scene: Scene | Visitor, camera: Camera, light: Callable[[float], Light | float], frames: range
) -> list[Floats]:
    """The cells of frames of a scene, 15 per second, under that light at each second."""
    return [coarse(camera(painted(scene, n) * np.float32(light(n / 15)))) for n in frames]
