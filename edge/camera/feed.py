"""The frame source of the pipeline: a reader works in its own thread and hands pictures over through one slot."""

import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np

from edge.config import Camera
from edge.errors import CameraError
from edge.system.clock import LONGEST_GAP_S, RunningClock
from edge.types import CameraMode, Frame, Image, fitted

CLOSE_S = 1.0  # how long `Feed.close` waits in total for a reader that is busy inside a library


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of a reader, which must not write into `image` again."""

    image: Image  # uint8 (H, W, 3) RGB, C-contiguous
    width: int  # px in which keypoints are reported; more than W if the picture was reduced
    height: int
    media_s: float | None = None  # position on the medium's own clock, if it has one
    taken_s: float | None = None  # time.monotonic() of the exposure, if the sensor reports it


class Notice(Enum):
    """What a reader yields when it has no picture. It also gives the feed a chance to notice that it was closed."""

    UNREADABLE = auto()  # a picture that cannot be decoded; counted
    UNWANTED = auto()  # nothing yet, or a picture beyond `camera.fps`
    REOPENED = auto()  # the source broke off before, and its next picture follows; counted


# A camera that reports its mode yields it before the first picture, and again each time it is opened.
# A CameraError that is yielded, not raised, says why the source is silent while the reader opens it again.
Reader: TypeAlias = Generator[Picture | Notice | CameraMode | CameraError, None, None]


class Feed:
    """Frames of a reader, which decodes the next picture while the consumer works on the last one.

    A live feed keeps only the newest picture, and counts the pictures it replaced in `dropped`. Any other feed makes
    the reader wait, so that it is one picture ahead and drops none. `Frame.sequence` counts all pictures of the reader;
    dropped and unreadable ones leave gaps.

    With `paced`, `camera.fps` pictures per second are taken from the reader (0: as many as it gives). A live feed fails
    when it gets no picture for `silence_s`, by default the stall timeout of the camera, or no item at all for `hang_s`.
    Both limits count only time in which this process ran.
    """

    def __init__(  # noqa: PLR0913 - the keyword arguments are independent switches
        self,
        reader: Reader,
        camera: Camera,
        *,
        live: bool,
        paced: bool = True,
        continuous: bool = True,
        silence_s: float | None = None,
        hang_s: float = float("inf"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.off = False
        self.description = redact_url(camera.source)
        self.live = live
        self.continuous = continuous
        self.dropped = 0
        self.unreadable = 0
        self.reopened = 0
        self.mode: CameraMode | None = None
        self.next_sequence = 0  # may be set before the iteration; then the reader sets it
        self.waiting = False  # for a picture of a live source, which has a limit
        self._reader = reader
        period_s = 1 / camera.fps if camera.fps else 0.0
        self._period_s = period_s if paced else 0.0
        self._silence_s = silence_s or stall_timeout_s(camera)
        self._hang_s = hang_s
        self._monotonic = monotonic
        self._items = 0  # how many the reader has yielded
        self._failure: CameraError | None = None  # of the last try to open the source, until a picture comes
        self._quarter_turns = camera.rotation // 90
        self._changed = threading.Condition()  # guards the four below
        self._slot: Frame | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._closed = False
        self._close_deadline_s = float("inf")  # time.monotonic(); set by the first `close`
        # A daemon thread, because a driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    @property
    def reading(self) -> bool:
        """Whether the reader runs: its device may be open."""
        return self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether the next frame is already here."""
        return self._slot is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Start the reader and give its frames until it ends or the feed is closed.

        Raises the error of the reader, and CameraError if a live source is silent or hangs.
        """
        with self._changed:
            if self._thread.ident is None and not self._closed:
                self._thread.start()
        while (frame := self._take()) is not None:
            yield frame
            del frame  # or its image would stay in memory until the next one comes

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Stop the reader, and end an iteration that waits in another thread. May be called any number of times.

        Waits for the reader at most `timeout_s`, and over all calls at most CLOSE_S: after that, the reader hangs.
        """
        now_s = time.monotonic()
        with self._changed:
            if not self._closed:
                self._closed, self._close_deadline_s = True, now_s + CLOSE_S
            self._slot = self._error = None  # the traceback of an error keeps the reader's decoder alive
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(max(min(timeout_s, self._close_deadline_s - now_s), 0))

    def _take(self) -> Frame | None:
        with self._changed:
            self.waiting = self.live
            try:
                self._wait_for_frame()
            finally:
                self.waiting = False
            if self._closed:
                return None
            if self._slot is None and self._error is not None:
                raise self._error
            frame, self._slot = self._slot, None
            self._changed.notify_all()
            return frame

    def _wait_for_frame(self) -> None:
        """Wait for a frame, the end or the closing. Raises CameraError if a live source is silent or hangs."""

        def is_over() -> bool:
            return bool(self._slot or self._ended or self._closed)

        if is_over():
            return
        if not self.live:
            self._changed.wait_for(is_over)
            return
        slice_s = min(self._silence_s, LONGEST_GAP_S) / 4
        # A suspension counts as two slices, so that it never uses up the limit.
        clock = RunningClock(self._monotonic, longest_gap_s=2 * slice_s)
        items, item_s = self._items, 0.0
        while not self._changed.wait_for(is_over, min(self._silence_s - clock.now_s(), slice_s)):
            now_s = clock.now_s()
            if items != self._items:
                items, item_s = self._items, now_s
            if now_s >= self._silence_s:
                raise self._failure or self._silent(f"gave no picture for {self._silence_s:g} s")
            if now_s - item_s >= self._hang_s:
                raise self._silent(f"has hung for {self._hang_s:g} s")

    def _silent(self, problem: str) -> CameraError:
        remedy = "check that it is switched on and connected, or raise camera.stall_s"
        return CameraError("camera.source", f"{self.description} {problem}", remedy)

    def _read(self) -> None:
        try:
            with closing(self._reader) as items:
                start_s = due_s = time.monotonic()
                for item in items:
                    self._items += 1
                    if isinstance(item, CameraMode):
                        self.mode = item
                    elif isinstance(item, CameraError):
                        self._failure = item
                    elif isinstance(item, Picture):
                        self._failure = None
                        self._wait_until(due_s)
                        now_s = time.monotonic()
                        late = now_s > due_s + self._period_s  # then the lost time is not made up for
                        due_s = (now_s if late else due_s) + self._period_s
                        self._offer(self._frame(item, self.next_sequence, start_s))
                        self.next_sequence += 1
                    else:
                        self.reopened += item is Notice.REOPENED
                        self.unreadable += item is Notice.UNREADABLE
                        self.next_sequence += item is Notice.UNREADABLE
                    if self._closed:
                        break
        except BaseException as exc:  # noqa: BLE001 - raised again in the thread of the consumer
            self._error = exc
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait_until(self, due_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, due_s - time.monotonic())

    def _frame(self, picture: Picture, sequence: int, start_s: float) -> Frame:
        image, width, height = picture.image, picture.width, picture.height
        if self._quarter_turns:
            image = np.ascontiguousarray(np.rot90(image, -self._quarter_turns))  # rot90 turns anticlockwise
        if self._quarter_turns % 2:
            width, height = height, width
        now_s = time.monotonic()
        if picture.taken_s is not None:
            return Frame(
                image, width, height, sequence, picture.taken_s, time.time() + picture.taken_s - now_s, dated=True
            )
        taken_s = now_s if picture.media_s is None else start_s + picture.media_s
        return Frame(image, width, height, sequence, taken_s, time.time())

    def _offer(self, frame: Frame) -> None:
        with self._changed:
            if self.live:
                self.dropped += self._slot is not None
            else:
                self._changed.wait_for(lambda: self._slot is None or self._closed)
            if not self._closed:
                self._slot = frame
            self._changed.notify_all()


def stall_timeout_s(camera: Camera) -> float:
    """Seconds without a picture after which a camera counts as stalled: longer for one with a low frame rate."""
    return max(camera.stall_s, 2 / camera.fps if camera.fps else 0.0)


def within(size: tuple[int, int], largest: tuple[int, int] | None) -> tuple[int, int]:
    """`size`, or the size of the same aspect that fits into `largest` if that is smaller; (width, height) px."""
    return fitted(size, largest) if largest and (size[0] > largest[0] or size[1] > largest[1]) else size


def redact_url(source: str) -> str:
    """`source` as it may be shown: only scheme and host of a URL, because the rest may contain passwords."""
    scheme, separator, rest = source.partition("://")
    if not separator:
        return source
    authority, *path = re.split(r"[/?#]", rest, maxsplit=1)
    # An @ in the path may belong to a password that contains a slash; then `authority` is not the host.
    host = "***" if "@" in "".join(path) else authority.rpartition("@")[2]
    return f"{scheme}://{host}"
