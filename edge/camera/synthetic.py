"""Painted scenes: `camera.source = "synthetic:<scene>"`, for the demo and for tests without a camera."""

import itertools
import time
from collections.abc import Iterator

import numpy as np

from edge.camera.feed import Feed, Picture, Reader, within
from edge.config import Camera
from edge.scenes.scenes import SCENE_FPS, open_scene


def open_synthetic(camera: Camera, largest: tuple[int, int] | None = None) -> Feed:
    """Open the scene named in `camera.source`. It never ends. Raises ConfigError if there is no such scene.

    Keypoints are reported in `camera.width` x `camera.height`; the scene is painted smaller if that exceeds `largest`
    (width, height, px). With `camera.fps` 0 the feed is not live: frames come as fast as they are taken, dated by the
    scene's own clock. A live feed shows a scripted scene at its own speed: if it is late, it leaves out frames.
    """
    width, height, live = camera.width, camera.height, camera.fps > 0
    painted = within((width, height), largest)
    scene = open_scene(camera.source.removeprefix("synthetic:"), width=width, height=height, painted=painted)

    def pictures() -> Reader:
        for sequence in numbers():
            image = np.empty((*painted[::-1], 3), np.uint8)
            scene.paint(sequence, image)
            yield Picture(image, width, height, media_s=None if live else sequence / SCENE_FPS)

    def numbers() -> Iterator[int]:
        if not (live and scene.scripted):
            yield from itertools.count()
        start_s, number = time.monotonic(), 0
        while True:
            yield number
            number = max(number + 1, int((time.monotonic() - start_s) * SCENE_FPS))

    return Feed(pictures(), camera, live=live)
