"""A source that can be switched off: then its camera is closed."""

import threading
import time
from collections.abc import Callable, Iterator

from edge.camera.feed import Feed
from edge.errors import CameraError
from edge.types import CameraMode, Frame

# A stream that is silent closes after `camera.stall_s`, which is 5 s by default.
STUCK_S = 10.0


class Switched:
    """Passes on the frames of a feed. Each time the source is switched on, it opens a new one.

    While it is off, an iteration waits. One thread iterates; another one calls `switch`, and either may call `close`.
    """

    def __init__(self, open_feed: Callable[[], Feed], *, on: bool) -> None:
        """Raises ConfigError if the source cannot be used, also while it is off."""
        self._open_feed = open_feed
        self._changed = threading.Condition()  # guards all below
        self._feed = open_feed()  # opens its camera when the first frame is taken
        self._spent = False  # whether the feed has been iterated or closed
        self._on = on
        self._switched_s = 0.0  # on the clock of time.monotonic()
        self._closed = False
        self._dropped = self._unreadable = self._reopened = 0  # of the feeds before this one

    @property
    def off(self) -> bool:
        return not self._on

    @property
    def live(self) -> bool:
        return self._feed.live

    @property
    def continuous(self) -> bool:
        return self._feed.continuous

    @property
    def description(self) -> str:
        return self._feed.description

    @property
    def ready(self) -> bool:
        return self._feed.ready

    @property
    def waiting(self) -> bool:
        return self._feed.waiting

    @property
    def mode(self) -> CameraMode | None:
        return self._feed.mode

    @property
    def dropped(self) -> int:
        with self._changed:
            return self._dropped + self._feed.dropped

    @property
    def unreadable(self) -> int:
        with self._changed:
            return self._unreadable + self._feed.unreadable

    @property
    def reopened(self) -> int:
        with self._changed:
            return self._reopened + self._feed.reopened

    def switch(self, *, on: bool) -> None:
        """Open or close the camera. Does not wait for a driver that is slow to close."""
        with self._changed:
            self._on, self._switched_s = on, time.monotonic()
            if not on:
                self._feed.close(0)
                self._spent = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raises CameraError if the camera is still open some seconds after it was switched off."""
        if self.off and self._feed.reading and time.monotonic() - self._switched_s > STUCK_S:
            problem = f"{self.description} does not close, although it was switched off"
            raise CameraError("camera.source", problem, "check its driver; it closes when this process ends")

    def __iter__(self) -> Iterator[Frame]:
        """The frames, until a feed ends by itself. Raises its errors, and ConfigError if one cannot be opened again."""
        while (feed := self._next_feed()) is not None:
            yield from feed
            ended = not feed.closed
            feed.close()  # the camera must be closed before the next feed opens it
            if ended:
                return

    def close(self, timeout_s: float = 0) -> None:
        with self._changed:
            self._closed = True
            self._feed.close(0)
            self._changed.notify_all()
        self._feed.close(timeout_s)

    def _next_feed(self) -> Feed | None:
        """Wait until the source is on; None if it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._on or self._closed)
            if self._closed:
                return None
            if self._spent:
                feed = self._open_feed()
                feed.next_sequence = self._feed.next_sequence
                self._dropped, self._unreadable, self._reopened = self.dropped, self.unreadable, self.reopened
                self._feed = feed
            self._spent = True
            return self._feed
