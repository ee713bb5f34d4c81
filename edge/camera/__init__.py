"""Where frames come from: `open_source` turns `camera.source` into a feed of frames."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from edge.camera.feed import Feed, Picture, Reader, within
from edge.config import Camera
from edge.errors import CameraError, ConfigError, UsageError

Size: TypeAlias = tuple[int, int]  # width, height, px


def open_source(camera: Camera, *, largest: Size | None = None) -> Feed:
    """Open what `camera.source` names.

    Pictures need not be larger than `largest`: sources that make or scale theirs anyway keep within it. It changes
    nothing about the pixels that keypoints are reported in.
    Raises ConfigError if that is nothing we know or a file that cannot be used. Streams and devices are opened
    when the first frame is asked for, and raise CameraError there.
    """
    for form, opener in SOURCES.items():
        prefix, blank, _ = form.partition("<")
        if camera.source == form or (blank and camera.source.startswith(prefix) and camera.source != prefix):
            return opener(camera, largest[::-1] if largest and camera.rotation % 180 else largest)
        if blank and camera.source == prefix:
            raise ConfigError(f'camera.source: "{prefix}" does not say which one; it is to be {form}')
    if os.path.exists(camera.source):
        raise ConfigError(
            f"camera.source: say what {camera.source} is: images:{camera.source} or video:{camera.source}"
        )
    kind, separator, _ = camera.source.partition(":")  # the rest may hold a password
    raise ConfigError(
        f'camera.source: "{kind}{separator and ":..."}" is not a source that this build has; it has '
        + ", ".join(SOURCES)
    )


def is_live(source: str) -> bool:
    """Whether it is a camera or a stream, which has no end."""
    return "://" in source or source.startswith("/dev/") or source.partition(":")[0] == "picamera2"


@contextmanager
def named_by_option(option: str, source: str) -> Iterator[None]:
    """What is wrong with a source that the command line names is told of that option, and not of camera.source."""
    try:
        yield
    except (ConfigError, CameraError) as exc:
        key, _, problem = str(exc).partition(": ")
        if key != "camera.source":
            raise
        # A camera may be back soon, and a package be installed; a file, or what is no source, is the wrong one.
        mendable = (isinstance(exc, CameraError) and is_live(source)) or isinstance(exc.__cause__, ImportError)
        problem = problem.replace("camera.source", option)
        raise (type(exc) if mendable else UsageError)(f"{option}: {problem}") from exc


# Each import waits until its source is asked for: picamera2 and PyAV are optional, and none of them is light.


def _open_picamera(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.picamera import open_picamera  # noqa: PLC0415 - see above

    return open_picamera(camera, largest)


def _open_synthetic(camera: Camera, largest: Size | None) -> Feed:
    from edge.scenes.scenes import SCENE_FPS, open_scene  # noqa: PLC0415 - see above

    width, height, live = camera.width, camera.height, camera.fps > 0
    painted = within((width, height), largest)
    scene = open_scene(camera.source.removeprefix("synthetic:"), width=width, height=height, painted=painted)

    def pictures() -> Reader:
        for sequence in itertools.count():
            image = np.empty((*painted[::-1], 3), np.uint8)
            scene.paint(sequence, image)
            yield Picture(image, width, height, media_s=None if live else sequence / SCENE_FPS)

    return Feed(pictures(), camera, live=live)


def _open_images(camera: Camera, _largest: Size | None) -> Feed:
    from edge.camera.images import open_images  # noqa: PLC0415 - see above

    return open_images(camera)


def _open_video(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.video import open_file  # noqa: PLC0415 - see above

    return open_file(camera, largest)


def _open_stream(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.video import open_stream  # noqa: PLC0415 - see above

    return open_stream(camera, largest)


SOURCES: dict[str, Callable[[Camera, Size | None], Feed]] = {
    "picamera2": _open_picamera,
    "picamera2:<number>": _open_picamera,
    "synthetic:<scene>": _open_synthetic,
    "images:<file or folder>": _open_images,
    "video:<file>": _open_video,
    "rtsp://<address>": _open_stream,
    "http://<address>": _open_stream,
    "https://<address>": _open_stream,
    "/dev/video<number>": _open_stream,
}
