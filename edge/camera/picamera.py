"""The Pi's own camera, by picamera2 and libcamera: `camera.source = "picamera2"`, or "picamera2:1" for the second."""

import atexit
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from msgspec.structs import replace

from edge.camera import picamera_help
from edge.camera.feed import Feed, Picture, Reader, Skipped, stall_timeout_s, within
from edge.camera.picamera_help import told
from edge.camera.pixel_formats import FORMATS, REC601, REC709, Layout, to_rgb
from edge.config import Camera
from edge.errors import CameraError, ConfigError
from edge.types import CameraMode, Image

os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")  # its C++ part writes past our logging, ten lines an opening
try:
    import libcamera
    from picamera2 import Picamera2
except Exception as exc:  # its compiled parts raise more than ImportError when they do not fit
    raise ConfigError("camera.source", *picamera_help.not_importable(exc)) from exc

log = logging.getLogger(__name__)

Size: TypeAlias = tuple[int, int]  # width, height, px

POLL_S = 0.05  # how long a closed feed may have to wait for its reader
START_S = 2.0  # a camera that was just opened may take its time for the first picture
BACKOFF_S = 0.5  # before the camera is opened again; twice as long after each try without a picture
LONGEST_BACKOFF_S = 8.0
# A restart of the process mends what opening anew does not: a library or driver that is stuck in here. But it costs the
# broker an `offline` and everybody their id, so it comes last.
GIVE_UP_S = 120.0
OLDEST_S = 10.0  # a picture that seems to be older has a clock that we do not know
BUFFERS = 4  # one is read out, one waits, two are filled
SAME_ASPECT = 0.02


def open_picamera(camera: Camera, largest: Size | None = None) -> Feed:
    """The camera that `camera.source` numbers, which is opened when its first frame is asked for.

    Pictures are as large as `camera.width` x `camera.height`, or what of that aspect fits into `largest` (width,
    height); keypoints are reported in `camera.width` x `camera.height`. A camera that fails or is silent for
    `camera.stall_s` is opened again, with growing pauses. Raises ConfigError if there is no number behind the colon;
    the feed raises CameraError when the camera cannot be opened at first, or gave nothing for two minutes.
    """
    _, colon, number = camera.source.partition(":")
    if colon and not re.fullmatch("[0-9]{1,3}", number):
        remedy = 'use "picamera2" for the first camera, "picamera2:1" for the second'
        raise ConfigError("camera.source", f'"{camera.source}" is not a camera', remedy)
    give_up_s = max(GIVE_UP_S, 3 * stall_timeout_s(camera))
    reader = _read(camera, int(number or 0), _even(within((camera.width, camera.height), largest)), give_up_s)
    # Half turns are the camera's own work, or the reader's. The feed's patience is for a driver that never returns, and
    # longer than the reader's own.
    rest = replace(camera, rotation=0) if camera.rotation == 180 else camera
    longer_s = give_up_s + LONGEST_BACKOFF_S + START_S + stall_timeout_s(camera)
    return Feed(reader, rest, live=True, paced=False, timeout_s=longer_s)


def _read(camera: Camera, number: int, size: Size, give_up_s: float) -> Reader:
    """Pictures, for as long as the camera can be brought back."""
    opened, tries, heard_s = False, 0, time.monotonic()
    unclosed: list[Any] = []  # at most the one that could not be closed the last time
    while True:
        try:
            with closing(_session(camera, number, size, unclosed)) as items:
                for item in items:
                    if isinstance(item, Picture):
                        opened, tries, heard_s = True, 0, time.monotonic()
                    yield item
        except CameraError as exc:
            # Who has just started this wants to know now what is wrong; silence may end with the next try.
            if time.monotonic() - heard_s > give_up_s or not (opened or isinstance(exc, _SilentError)):
                raise
            pause_s = min(BACKOFF_S * 2**tries, LONGEST_BACKOFF_S)
            # As text, for with the error a handler that keeps records would keep the buffers of this session.
            log.warning("%s; opening it again in %g s", str(exc), pause_s)
        tries += 1
        yield from _pause(time.monotonic() + pause_s)


class _SilentError(CameraError):
    """The camera was opened, and gives nothing."""


def _session(camera: Camera, number: int, size: Size, unclosed: list[Any]) -> Reader:
    """Open the camera, and give its pictures until it fails. Raises CameraError."""
    name = camera.source
    try:
        with _opened(number, name, unclosed) as picam:
            yield from _pictures(picam, camera, size)
    except CameraError:
        raise
    except Exception as exc:
        text = told(exc)
        if "busy" in text.lower():
            problem = f"{name} is in use by {picamera_help.holders()}"
            raise CameraError("camera.source", problem, "stop that program first") from exc
        raise CameraError("camera.source", f"{name} failed ({text})", picamera_help.failing(exc)) from exc


@contextmanager
def _opened(number: int, name: str, unclosed: list[Any]) -> Iterator[Any]:
    """Camera `number`, ours alone until the block ends. Raises CameraError with the remedy."""
    try:
        _close(unclosed)
    except Exception as exc:
        problem = f"{name} cannot be closed ({told(exc)})"
        raise CameraError("camera.source", problem, picamera_help.failing(exc)) from exc
    found = len(Picamera2.global_camera_info())
    if not found:
        raise CameraError("camera.source", f"no camera was found for {name}", picamera_help.no_camera())
    if number >= found:
        cameras = "is only 1 camera" if found == 1 else f"are only {found} cameras"
        remedy = "numbers begin with 0; rpicam-hello --list-cameras shows them"
        raise CameraError("camera.source", f"there is no {name}: there {cameras}", remedy)
    # In two steps, because a constructor that fails midway has taken the camera.
    picam = Picamera2.__new__(Picamera2)
    unclosed.append(picam)
    try:
        picam.__init__(number)
        # At the end of the process it would close the camera once more, and hang there if its driver does.
        atexit.unregister(picam.close)
        yield picam
    finally:
        try:
            _close(unclosed)
        except Exception as exc:  # noqa: BLE001 - anything may be broken; it is tried once more before the next opening
            log.debug("the camera is not closed: %s", told(exc))


def _close(unclosed: list[Any]) -> None:
    """Let go of the camera, whatever state it is in; what raises stays in the list.

    Not by `stop`, which waits for picamera2's event loop: that may have died with the camera. `close` ends it first.
    """
    while unclosed:
        picam = unclosed[-1]
        try:
            picam.stop_preview()
        except Exception:  # noqa: BLE001 - an event loop that did not begin, or has ended, is as good
            with suppress(AttributeError):
                picam.detach_preview()
        # A start that failed midway does not count as one, and has left libcamera running, which then gives nothing
        # back. To stop it once too often does nothing.
        picam.started = True
        try:
            picam.close()
        except (AttributeError, KeyError):
            if hasattr(picam, "allocator"):
                raise
            # The constructor did not come to its end, so `close` did not either, but has given the camera back.
        picam.is_open = False
        pipe = getattr(picam, "notifymeread", None)
        if pipe is not None and not pipe.closed:  # a descriptor that is closed twice may be somebody else's by then
            pipe.close()
            os.close(picam.notifyme_w)
        unclosed.pop()


@dataclass(frozen=True, slots=True)
class _Stream:
    """What a camera that was started gives."""

    layout: Layout
    least: Size  # px; more is not needed
    mirrored: tuple[bool, bool]  # left and right, top and bottom are still to be exchanged
    autofocus: str | None


def _pictures(picam: Any, camera: Camera, size: Size) -> Reader:
    """Configure and start the camera, and give its pictures. Raises _SilentError."""
    stream = _start(picam, camera, size)
    # Some cameras know nothing of rates, or hold none.
    period_s = 1 / camera.fps if camera.fps else 0.0
    granted, job = False, None
    due_s = heard_s = time.monotonic()
    stall_s = max(stall_timeout_s(camera), START_S)
    try:
        while True:
            yield from _pause(due_s - period_s / 4)  # some unrest is normal
            left_s = heard_s + stall_s - time.monotonic()
            if left_s <= 0:
                problem = f"{camera.source} gave no picture for {stall_s:g} s"
                raise _SilentError("camera.source", problem, "check its cable")
            # The same job until it is done: one that nobody waits for stays queued, and takes a buffer to its grave.
            job = job or picam.capture_request(wait=False)
            try:
                request = job.get_result(timeout=min(left_s, POLL_S))
            except TimeoutError:
                yield Skipped.UNWANTED
                continue
            job = None
            image, metadata, taken_s = _read_out(request, stream)
            if image is None:
                yield Skipped.UNREADABLE
                continue
            heard_s = time.monotonic()
            stall_s = stall_timeout_s(camera)
            due_s = max(due_s + period_s, heard_s)
            if not granted:
                granted = True
                yield _granted(picam, stream, metadata)
            yield Picture(image, camera.width, camera.height, taken_s=taken_s)
    finally:
        # The event loop ends first, so that the job stays as it is. Nothing of this is sure to work by now.
        with suppress(Exception):
            picam.stop_preview()
        if job is not None:
            with suppress(Exception):
                job.get_result(timeout=0).release()


def _start(picam: Any, camera: Camera, size: Size) -> _Stream:
    # Cameras that are not the Pi's own may say that they turned the picture when they did not.
    turns = "ColorFilterArrangement" in picam.camera_properties
    _configure(picam, camera, size, turn=turns and camera.rotation == 180)
    config = picam.camera_configuration()
    controls = _controls(picam.camera_controls, camera)
    picam.set_controls(controls)
    picam.start()
    done = config["transform"]
    if not turns or done.transpose:  # mounted by a quarter, which it cannot undo: then it does nothing at all
        done = libcamera.Transform()
    return _Stream(
        _layout(config),
        size,
        mirrored=(bool(done.hflip) != (camera.rotation == 180), bool(done.vflip) != (camera.rotation == 180)),
        autofocus=camera.autofocus if "AfMode" in controls else None,
    )


def _read_out(request: Any, stream: _Stream) -> tuple[Image | None, Mapping[str, Any], float | None]:
    """Picture, metadata and time.monotonic() of a request, which is given back; None is a picture that is broken."""
    try:
        metadata = request.get_metadata()
        taken_s = _taken_s(metadata)
        image = to_rgb(request.make_buffer("main"), stream.layout, stream.least)
    except Exception as exc:  # noqa: BLE001 - whatever it is: if all pictures are broken, the camera counts as silent
        log.debug("a picture is skipped: %s", told(exc))
        return None, {}, None
    finally:
        request.release()
    if any(stream.mirrored):
        sideways, down = stream.mirrored
        image = np.ascontiguousarray(image[:: -1 if down else 1, :: -1 if sideways else 1])
    return image, metadata, taken_s


def _configure(picam: Any, camera: Camera, size: Size, *, turn: bool) -> None:
    """Ask for pictures of `size`, and if the camera has none of that aspect, for the whole frame."""
    whole = picam.sensor_resolution
    half = whole[0] // 2, whole[1] // 2
    for wanted in dict.fromkeys((size, _even((camera.width, camera.height)))):
        # The main stream alone: on a Pi 4 only that one can be RGB, and on a Pi 5 the other is no better.
        picam.configure(
            picam.create_video_configuration(
                main={"size": wanted, "format": "BGR888"},  # which is R, G, B in memory
                raw=None,
                transform=libcamera.Transform(hflip=turn, vflip=turn),
                colour_space=libcamera.ColorSpace.Sycc(),
                buffer_count=BUFFERS,
                queue=False,  # no picture from before we asked
                # Left alone, it takes a mode that is about as small as `wanted`, which often sees the middle alone. At
                # half the resolution, sensors see all that they can see, and are fast.
                sensor={"output_size": half if wanted <= half and wanted[1] <= half[1] else whole},
            )
        )
        given = picam.camera_configuration()["main"]["size"]
        if abs(given[0] * camera.height / (given[1] * camera.width) - 1) < SAME_ASPECT:
            return
    log.warning("camera.source: %s gives %dx%d, whose aspect is not that of camera.width and camera.height: people are "
                "stretched; set those to a size that it has", camera.source, *given)  # fmt: skip


def _layout(config: Mapping[str, Any]) -> Layout:
    """How the pixels come, which need not be how they were asked for. Raises CameraError."""
    stream, space = config["main"], config["colour_space"]
    if stream["format"] not in FORMATS:
        problem = f"the camera gives {stream['format']}, which cannot be read"
        raise CameraError("camera.source", problem, "if it is a USB camera, use /dev/video0")
    rec709 = space is not None and space.ycbcrEncoding == libcamera.ColorSpace.YcbcrEncoding.Rec709
    full = space is None or space.range == libcamera.ColorSpace.Range.Full
    width, height = stream["size"]
    return Layout(stream["format"], width, height, stream["stride"], REC709 if rec709 else REC601, full)


def _controls(offered: Mapping[str, tuple[Any, ...]], camera: Camera) -> dict[str, Any]:
    """Frame rate and autofocus, where there is such a control: picamera2 refuses any other."""
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


def _granted(picam: Any, stream: _Stream, metadata: Mapping[str, Any]) -> CameraMode:
    duration_us = metadata.get("FrameDuration")
    return CameraMode(
        model=picam.camera_properties.get("Model"),
        format=stream.layout.format,
        width=stream.layout.width,
        height=stream.layout.height,
        fps=round(1e6 / duration_us, 2) if duration_us else None,
        autofocus=stream.autofocus,
    )


def _taken_s(metadata: Mapping[str, Any]) -> float | None:
    """When the sensor took a picture that is in hand now, as time.monotonic(); None if it does not tell.

    By the documentation, it is told in time since boot, but some cameras mean the monotonic clock, which stands still
    while the machine sleeps. By the wrong one, the picture is of the future or very old.
    """
    told_ns = metadata.get("SensorTimestamp")
    if isinstance(told_ns, int) and told_ns:
        for clock in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME):
            age_s = (time.clock_gettime_ns(clock) - told_ns) / 1e9
            if 0 <= age_s < OLDEST_S:
                return time.monotonic() - age_s
    return None


def _even(size: Size) -> Size:
    return max(size[0] // 2 * 2, 2), max(size[1] // 2 * 2, 2)


def _pause(until_s: float) -> Iterator[Skipped]:
    """Wait, but let a feed notice that it was closed."""
    while (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(left_s, POLL_S))
        yield Skipped.UNWANTED
