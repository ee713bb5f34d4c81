"""Open a camera or stream again when it breaks off.

Reopening in process is better than a restart: the daemon stays online, and people keep their IDs.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

from edge.camera.feed import Notice, Picture, Reader, stall_timeout_s
from edge.config import Camera
from edge.errors import CameraError
from edge.system.clock import RunningClock

log = logging.getLogger(__name__)

POLL_S = 0.05  # how long a closed feed may have to wait for its reader
GIVE_UP_S = 120.0  # without a picture; then a restart of the process may free a library that is stuck
HANG_S = 20.0  # without any item from the reader; it is stuck in a driver, and only a restart can help

Session: TypeAlias = Callable[[], Reader]  # opens the source, and ends with CameraError when it breaks off


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait before a source is opened again, and when to give up."""

    first_pause_s: float = 0.5  # doubles with each try without a picture
    longest_pause_s: float = 8.0
    start_s: float = 2.0  # a camera that was just opened may take this long for its first picture
    give_up_s: float = GIVE_UP_S
    hang_s: float = HANG_S

    @classmethod
    def of(cls, camera: Camera) -> "Limits":
        """The usual limits; longer ones for a camera with a long stall timeout."""
        longest_s = 3 * stall_timeout_s(camera)
        return cls(give_up_s=max(GIVE_UP_S, longest_s), hang_s=max(HANG_S, longest_s))


class SilentError(CameraError):
    """The source was opened but gives no pictures. The next try may succeed, also if there has been none so far."""


def reopening(name: str, session: Session, limits: Limits) -> Reader:
    """Give the pictures of one session after the other. Never gives up: the feed does.

    The error of the first session is raised, so that a wrong address or an absent camera is reported at once. After a
    picture, and after a SilentError in any case, errors are yielded, and the source is opened again after a pause.
    """
    seen = False  # whether there was a picture in any session
    pause_s = limits.first_pause_s
    while True:
        reopened = seen
        try:
            with closing(session()) as items:
                for item in items:
                    if isinstance(item, Picture):
                        if reopened:
                            log.info("%s gives pictures again", name)
                            yield Notice.REOPENED
                        seen, reopened, pause_s = True, False, limits.first_pause_s
                    yield item
        except CameraError as exc:
            if not (seen or isinstance(exc, SilentError)):
                raise
            # A copy: the traceback of the original keeps the buffers of its session alive.
            failure = CameraError(exc.key, exc.problem, exc.remedy)
        else:
            return
        log.warning("%s; opening it again in %g s", failure, pause_s)
        yield failure
        yield from pause(pause_s)
        pause_s = min(2 * pause_s, limits.longest_pause_s)


def pause(seconds: float, clock: RunningClock | None = None) -> Iterator[Notice]:
    """Wait, and let the feed notice that it was closed. A caller that measures time passes its `clock`."""
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(left_s, POLL_S))
        if clock is not None:
            clock.now_s()
        yield Notice.UNWANTED
