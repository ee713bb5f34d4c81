"""Sources of frames: `open_source` turns `camera.source` into a feed.

Each kind of source has one file in this folder and one or more lines in SOURCES.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from edge.camera.feed import Feed
from edge.config import Camera
from edge.errors import CameraError, ConfigError, UsageError

Size: TypeAlias = tuple[int, int]  # width, height, px


def open_source(camera: Camera, *, largest: Size | None = None) -> Feed:
    """Open the source that `camera.source` names.

    `largest` (width, height, px) is the largest picture that is useful to the caller. Sources that scale their pictures
    stay within it; keypoints are reported in the same pixels with and without it.
    Raises ConfigError if the source is unknown or its file cannot be used. Streams and devices are opened when the
    first frame is taken, and raise CameraError then.
    """
    for form, opener in SOURCES.items():
        prefix, has_value, _ = form.partition("<")
        if camera.source == form or (has_value and camera.source.startswith(prefix) and camera.source != prefix):
            return opener(camera, largest[::-1] if largest and camera.rotation % 180 else largest)
        if has_value and camera.source == prefix:
            raise ConfigError("camera.source", f'"{prefix}" is incomplete', f"write {form}")
    if os.path.exists(camera.source):
        problem = f'"{camera.source}" has no kind'
        raise ConfigError("camera.source", problem, f'write "images:{camera.source}" or "video:{camera.source}"')
    kind, separator, _ = camera.source.partition(":")  # the rest may hold a password
    problem = f'"{kind}{separator and ":..."}" is not a known source'
    raise ConfigError("camera.source", problem, f"use one of {', '.join(SOURCES)}")


def is_live(source: str) -> bool:
    """Whether `source` is a camera or a stream, which has no end."""
    return "://" in source or source.startswith("/dev/") or source.partition(":")[0] == "picamera2"


@contextmanager
def named_by_option(option: str, source: str) -> Iterator[None]:
    """Report errors of `camera.source` as errors of a command-line option, such as "--source".

    An unknown source or a bad file becomes a UsageError. The error of a camera that may come back, or of a missing
    package, keeps its type.
    """
    try:
        yield
    except (ConfigError, CameraError) as exc:
        if exc.key != "camera.source":
            raise
        may_pass = (isinstance(exc, CameraError) and is_live(source)) or isinstance(exc.__cause__, ImportError)
        kind = type(exc) if may_pass else UsageError
        raise kind(option, exc.problem, exc.remedy) from exc


# Each opener imports its module when it is called: picamera2 and PyAV are optional, and slow to import.


def _open_picamera(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.picamera import open_picamera  # noqa: PLC0415 - see above

    return open_picamera(camera, largest)


def _open_synthetic(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.synthetic import open_synthetic  # noqa: PLC0415 - see above

    return open_synthetic(camera, largest)


def _open_images(camera: Camera, _largest: Size | None) -> Feed:
    from edge.camera.images import open_images  # noqa: PLC0415 - see above

    return open_images(camera)


def _open_video(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.video import open_file  # noqa: PLC0415 - see above

    return open_file(camera, largest)


def _open_stream(camera: Camera, largest: Size | None) -> Feed:
    from edge.camera.stream import open_stream  # noqa: PLC0415 - see above

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
