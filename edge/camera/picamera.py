"""The Pi's own cameras, read with picamera2: `camera.source = "picamera2"`, or "picamera2:1" for the second one."""

import logging
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from msgspec.structs import replace

from edge.camera import picamera_help
from edge.camera.feed import Feed, Notice, Picture, Reader, stall_timeout_s, within
from edge.camera.picamera_device import Picamera2, opened
from edge.camera.picamera_setup import Size, Stream, even, mode, start
from edge.camera.pixel_formats import to_rgb
from edge.camera.reopening import POLL_S, Limits, SilentError, pause, reopening
from edge.config import Camera
from edge.errors import CameraError, ConfigError
from edge.system.clock import LONGEST_GAP_S, RunningClock
from edge.types import Image

__all__ = ["Picamera2", "open_picamera"]

log = logging.getLogger(__name__)

OLDEST_S = 10.0  # a picture that seems older is dated by an unknown clock


def open_picamera(camera: Camera, largest: Size | None = None, limits: Limits | None = None) -> Feed:
    """The camera that `camera.source` numbers. It is opened when its first frame is taken.

    Pictures have the size `camera.width` x `camera.height`, or the one of that aspect that fits into `largest` (width,
    height, px); keypoints are reported in `camera.width` x `camera.height`. A camera that fails, or gives nothing for
    `camera.stall_s`, is opened again, with growing pauses.
    Raises ConfigError if the text after the colon is no number. The feed raises CameraError if the camera cannot be
    opened at first, gave no picture for `limits.give_up_s`, or hangs.
    """
    _, colon, number = camera.source.partition(":")
    if colon and not re.fullmatch("[0-9]{1,3}", number):
        remedy = 'use "picamera2" for the first camera, "picamera2:1" for the second'
        raise ConfigError("camera.source", f'"{camera.source}" is not a camera', remedy)
    size = even(within((camera.width, camera.height), largest))
    limits = limits or Limits.of(camera)
    unclosed: list[Any] = []  # at most one: the camera that the last session could not release
    reader = reopening(
        camera.source, lambda: _session(camera, int(number or 0), size, limits.start_s, unclosed), limits
    )
    # The camera or the reader makes half turns, so the feed must not.
    return Feed(
        reader,
        replace(camera, rotation=0) if camera.rotation == 180 else camera,
        live=True,
        paced=False,
        silence_s=limits.give_up_s,
        hang_s=limits.hang_s,
    )


def _session(camera: Camera, number: int, size: Size, start_s: float, unclosed: list[Any]) -> Reader:
    """Open the camera, and give its pictures until it fails. Raises CameraError."""
    name = camera.source
    try:
        with opened(number, name, unclosed) as picam:
            yield from _pictures(picam, camera, size, start_s)
    except CameraError:
        raise
    except Exception as exc:
        cause = picamera_help.cause_of(exc)
        if picamera_help.is_busy(exc):
            problem = f"{name} is in use by {picamera_help.holders()}"
            raise CameraError("camera.source", problem, "stop that program first") from exc
        raise CameraError("camera.source", f"{name} failed ({cause})", picamera_help.failure_remedy(exc)) from exc


def _pictures(picam: Any, camera: Camera, size: Size, start_s: float) -> Reader:
    """Configure and start the camera, and give its mode and its pictures. Raises SilentError."""
    stream = start(picam, camera, size)
    # Some cameras have no control for the rate, or do not keep it.
    period_s = 1 / camera.fps if camera.fps else 0.0
    due_s = time.monotonic()
    silence_s = max(stall_timeout_s(camera), start_s)
    clock, picture_s = RunningClock(longest_gap_s=min(stall_timeout_s(camera), LONGEST_GAP_S) / 2), 0.0
    has_mode, job = False, None
    try:
        while True:
            yield from pause(due_s - period_s / 4 - time.monotonic(), clock)  # cameras are not perfectly regular
            left_s = picture_s + silence_s - clock.now_s()
            if left_s <= 0:
                problem = f"{camera.source} gave no picture for {silence_s:g} s"
                raise SilentError("camera.source", problem, "check its cable")
            # Ask for a job only when the last one is done: an abandoned job stays queued and keeps a buffer for ever.
            job = job or picam.capture_request(wait=False)
            try:
                request = job.get_result(timeout=min(left_s, POLL_S))
            except TimeoutError:
                yield Notice.UNWANTED
                continue
            job = None
            image, metadata, taken_s = _read_out(request, stream)
            if image is None:
                yield Notice.UNREADABLE
                continue
            picture_s, silence_s = clock.now_s(), stall_timeout_s(camera)
            due_s = max(due_s + period_s, time.monotonic())
            if not has_mode:
                has_mode = True
                yield mode(picam, stream, metadata)
            yield Picture(image, camera.width, camera.height, taken_s=taken_s)
    finally:
        # The event loop ends first, so that the job does not change any more. All of this may fail by now.
        with suppress(Exception):
            picam.stop_preview()
        if job is not None:
            with suppress(Exception):
                job.get_result(timeout=0).release()


def _read_out(request: Any, stream: Stream) -> tuple[Image | None, Mapping[str, Any], float | None]:
    """Picture, metadata and time.monotonic() of the exposure. Releases the request. None: the picture is broken."""
    try:
        metadata = request.get_metadata()
        taken_s = _taken_s(metadata)
        image = to_rgb(request.make_buffer("main"), stream.layout, stream.least)
    except Exception as exc:  # noqa: BLE001 - if all pictures are broken, the camera counts as silent
        log.debug("a picture is skipped: %s", picamera_help.cause_of(exc))
        return None, {}, None
    finally:
        request.release()
    if any(stream.flip):
        horizontally, vertically = stream.flip
        image = np.ascontiguousarray(image[:: -1 if vertically else 1, :: -1 if horizontally else 1])
    return image, metadata, taken_s


def _taken_s(metadata: Mapping[str, Any]) -> float | None:
    """The time of the exposure as time.monotonic(), for a picture that has just arrived; None if it is not reported.

    The documentation promises time since boot, but some cameras use the monotonic clock, which stops while the machine
    sleeps. By the wrong clock, the picture lies in the future or is very old.
    """
    reported_ns = metadata.get("SensorTimestamp")
    if isinstance(reported_ns, int) and reported_ns:
        for clock in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME):
            age_s = (time.clock_gettime_ns(clock) - reported_ns) / 1e9
            if 0 <= age_s < OLDEST_S:
                return time.monotonic() - age_s
    return None
