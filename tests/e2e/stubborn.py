"""`edge-pose` with a camera that fails: `camera.source = "stubborn:<how>"`.

"silent" delivers ten pictures and then none, "close" delivers pictures forever, and "bug" raises an unexpected
exception after ten. "silent" and "close" also hang when they are closed.
"""

import threading

import numpy as np

from edge.__main__ import main
from edge.camera import SOURCES
from edge.camera.feed import Feed, Picture, Reader
from edge.config import Camera

FRAMES = 10


def open_stubborn(camera: Camera, _largest: tuple[int, int] | None) -> Feed:
    never = threading.Event()

    def pictures() -> Reader:
        try:
            for _ in range(FRAMES):
                yield Picture(np.zeros((480, 640, 3), np.uint8), 640, 480)
            while camera.source == "stubborn:close":
                yield Picture(np.zeros((480, 640, 3), np.uint8), 640, 480)
            if camera.source == "stubborn:bug":
                raise LookupError("a bug in a library")
            never.wait()
        finally:
            if camera.source != "stubborn:bug":
                never.wait()

    return Feed(pictures(), camera, live=True)


if __name__ == "__main__":
    SOURCES["stubborn:<how>"] = open_stubborn
    main()
