"""The picture of the virtual camera: one painted person who stands still."""

import sys
from pathlib import Path

from PIL import Image as Pillow

from edge.scenes.scenes import Scene, open_scene
from edge.types import Image
from tests.support.scenes import picture_of

FRAME = (1280, 768)  # width, height, px
NUMBER = 20  # of the frame of the scene


def scene() -> Scene:
    return open_scene("walk", width=FRAME[0], height=FRAME[1])


def still() -> Image:
    return picture_of(scene(), NUMBER)


if __name__ == "__main__":
    # The virtual camera plays these files in a loop.
    folder = Path(sys.argv[1])
    for number in range(10):
        Pillow.fromarray(still()).save(folder / f"{number}.jpg", quality=95)
