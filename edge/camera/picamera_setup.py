"""Configure and start one of the Pi's cameras, and read back what it does."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge.camera.picamera_device import libcamera
from edge.camera.pixel_formats import FORMATS, REC601, REC709, Layout
from edge.config import Camera
from edge.errors import CameraError
from edge.types import CameraMode

log = logging.getLogger(__name__)

Size: TypeAlias = tuple[int, int]  # width, height, px

BUFFERS = 4  # one is read out, one waits, two are filled
SAME_ASPECT = 0.02


@dataclass(frozen=True, slots=True)
class Stream:
    """The pictures of a camera that was started."""

    layout: Layout
    least: Size  # px; a larger picture is not needed
    flip: tuple[bool, bool]  # horizontally, vertically: the camera has not done it
    autofocus: str | None


def start(picam: Any, camera: Camera, size: Size) -> Stream:
    """Configure and start a camera for pictures of `size`. Raises CameraError, and whatever picamera2 raises."""
    # Cameras that are not the Pi's own may claim to have turned the picture when they have not.
    can_turn = "ColorFilterArrangement" in picam.camera_properties
    _configure(picam, camera, size, turn=can_turn and camera.rotation == 180)
    config = picam.camera_configuration()
    controls = _controls(picam.camera_controls, camera)
    picam.set_controls(controls)
    picam.start()
    done = config["transform"]
    if not can_turn or done.transpose:  # a sensor mounted at a quarter turn: the camera then turns nothing at all
        done = libcamera.Transform()
    return Stream(
        _layout(config),
        size,
        flip=(bool(done.hflip) != (camera.rotation == 180), bool(done.vflip) != (camera.rotation == 180)),
        autofocus=camera.autofocus if "AfMode" in controls else None,
    )


def mode(picam: Any, stream: Stream, metadata: Mapping[str, Any]) -> CameraMode:
    """What the camera does, from the metadata of its first picture."""
    duration_us = metadata.get("FrameDuration")
    return CameraMode(
        model=picam.camera_properties.get("Model"),
        format=stream.layout.format,
        width=stream.layout.width,
        height=stream.layout.height,
        fps=round(1e6 / duration_us, 2) if duration_us else None,
        autofocus=stream.autofocus,
    )


def even(size: Size) -> Size:
    """`size` with both sides rounded down to even numbers."""
    return max(size[0] // 2 * 2, 2), max(size[1] // 2 * 2, 2)


def _configure(picam: Any, camera: Camera, size: Size, *, turn: bool) -> None:
    """Ask for pictures of `size` or, if the camera has none of that aspect, of the whole frame."""
    whole = picam.sensor_resolution
    half = whole[0] // 2, whole[1] // 2
    for wanted in dict.fromkeys((size, even((camera.width, camera.height)))):
        # Only the main stream: on a Pi 4 it is the only one that can be RGB, and on a Pi 5 the other is no better.
        picam.configure(
            picam.create_video_configuration(
                main={"size": wanted, "format": "BGR888"},  # which is R, G, B in memory
                raw=None,
                transform=libcamera.Transform(hflip=turn, vflip=turn),
                colour_space=libcamera.ColorSpace.Sycc(),
                buffer_count=BUFFERS,
                queue=False,  # no picture from before it was asked for
                # By default the sensor takes a mode about as small as `wanted`, which often covers only the middle of
                # its view. At half the resolution, sensors cover their whole view and are fast.
                sensor={"output_size": half if wanted <= half and wanted[1] <= half[1] else whole},
            )
        )
        given = picam.camera_configuration()["main"]["size"]
        if abs(given[0] * camera.height / (given[1] * camera.width) - 1) < SAME_ASPECT:
            return
    log.warning(
        "camera.source: %s gives %dx%d, another aspect than camera.width and camera.height: people are stretched; "
        "set those to a size that it has",
        camera.source,
        *given,
    )


def _layout(config: Mapping[str, Any]) -> Layout:
    """The layout of the pixels, which may differ from what was asked for. Raises CameraError."""
    stream, space = config["main"], config["colour_space"]
    if stream["format"] not in FORMATS:
        problem = f"the camera gives {stream['format']}, which cannot be read"
        raise CameraError("camera.source", problem, "if it is a USB camera, use /dev/video0")
    rec709 = space is not None and space.ycbcrEncoding == libcamera.ColorSpace.YcbcrEncoding.Rec709
    full = space is None or space.range == libcamera.ColorSpace.Range.Full
    width, height = stream["size"]
    return Layout(stream["format"], width, height, stream["stride"], REC709 if rec709 else REC601, full)


def _controls(offered: Mapping[str, tuple[Any, ...]], camera: Camera) -> dict[str, Any]:
    """Frame rate and autofocus, if the camera offers them: picamera2 refuses controls that it does not."""
    controls: dict[str, Any] = {}
    if "FrameDurationLimits" in offered:
        shortest_us, longest_us = offered["FrameDurationLimits"][:2]
        if camera.fps:
            shortest_us = longest_us = min(max(round(1e6 / camera.fps), shortest_us), longest_us)
        controls["FrameDurationLimits"] = (shortest_us, longest_us)
    if "AfMode" in offered:
        controls["AfMode"] = getattr(libcamera.controls.AfModeEnum, camera.autofocus.capitalize())
        if camera.autofocus == "auto" and "AfTrigger" in offered:
            controls["AfTrigger"] = libcamera.controls.AfTriggerEnum.Start
    return controls
