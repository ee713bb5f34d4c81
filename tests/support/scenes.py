"""Painted people: scenes of 640x480 px, their pictures, and frames as a camera gives them."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from edge.scenes.scenes import SCENE_FPS, Scene, open_scene
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Frame, Image, Pose

WIDTH, HEIGHT = 640, 480


def scene(name: str, seed: int = 0) -> Scene:
    return open_scene(name, width=WIDTH, height=HEIGHT, seed=seed)


def picture_of(of: Scene, number: int) -> Image:
    """Frame `number` of a scene, uint8 (height, width, 3) RGB."""
    image = np.full((of.height, of.width, 3), 255, np.uint8)
    of.paint(number, image)
    return image


def frame_of(of: Scene, number: int) -> Frame:
    """Frame `number` of a scene at the time at which the scene shows it."""
    return Frame(picture_of(of, number), of.width, of.height, number, number / SCENE_FPS, 0.0)


def poses_of(of: Scene, number: int) -> list[Pose]:
    """The painted people of a frame as poses in frame px."""
    return [Pose(one.xy, np.ones(KEYPOINT_COUNT, np.float32), one.visible, 1.0) for one in of.truth(number)]


def save_pictures(folder: Path, count: int, name: str = "walk") -> list[Path]:
    """Every fifth frame of a scene as a PNG file."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Pillow.fromarray(picture_of(scene(name), number * 5)).save(path)
    return paths
