"""Take one of the Pi's cameras and release it, whatever state picamera2 is in."""

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from edge.camera import picamera_help
from edge.errors import CameraError, ConfigError

os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")  # libcamera writes ten lines to stderr each time it opens
try:
    import libcamera
    from picamera2 import Picamera2
except Exception as exc:  # the compiled parts raise more than ImportError when they do not fit
    raise ConfigError("camera.source", *picamera_help.not_importable(exc)) from exc

__all__ = ["Picamera2", "libcamera", "opened"]

log = logging.getLogger(__name__)


@contextmanager
def opened(number: int, name: str, unclosed: list[Any]) -> Iterator[Any]:
    """Camera `number` as a Picamera2, released at the end of the block. Raises CameraError.

    A camera that cannot be released stays in `unclosed`; the next call releases it first.
    """
    try:
        _close(unclosed)
    except Exception as exc:
        problem = f"{name} cannot be closed ({picamera_help.cause_of(exc)})"
        raise CameraError("camera.source", problem, picamera_help.failure_remedy(exc)) from exc
    count = len(Picamera2.global_camera_info())
    if not count:
        raise CameraError("camera.source", f"no camera was found for {name}", picamera_help.absence_remedy())
    if number >= count:
        cameras = "is only 1 camera" if count == 1 else f"are only {count} cameras"
        remedy = "numbers begin with 0; rpicam-hello --list-cameras shows them"
        raise CameraError("camera.source", f"there is no {name}: there {cameras}", remedy)
    # In two steps, because a constructor that fails midway has already taken the camera.
    picam = Picamera2.__new__(Picamera2)
    unclosed.append(picam)
    try:
        picam.__init__(number)
        # At exit picamera2 would close the camera once more, and hang if its driver does.
        atexit.unregister(picam.close)
        yield picam
    finally:
        try:
            _close(unclosed)
        except Exception as exc:  # noqa: BLE001 - anything may be broken; the next opening tries again
            log.debug("the camera is not closed: %s", picamera_help.cause_of(exc))


def _close(unclosed: list[Any]) -> None:
    """Release the cameras in the list. One that raises stays in it.

    Not with `stop`, which waits for picamera2's event loop: that may have died with the camera. `close` ends it first.
    """
    while unclosed:
        picam = unclosed[-1]
        try:
            picam.stop_preview()
        except Exception:  # noqa: BLE001 - the event loop has not started, or has ended
            with suppress(AttributeError):
                picam.detach_preview()
        # After a start that failed midway picamera2 counts as stopped, but libcamera runs and returns no buffers.
        # Stopping it once too often has no effect.
        picam.started = True
        try:
            picam.close()
        except (AttributeError, KeyError):
            if hasattr(picam, "allocator"):
                raise
            # The constructor did not finish, so `close` did not either, but it has released the camera.
        picam.is_open = False
        pipe = getattr(picam, "notifymeread", None)
        if pipe is not None and not pipe.closed:  # closing a descriptor twice may close one of other code
            pipe.close()
            os.close(picam.notifyme_w)
        unclosed.pop()
