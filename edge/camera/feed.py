"""The one kind of frame source: a reader works in a thread of its own and hands pictures over through one slot."""

import re
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np

from edge.config import Camera
from edge.errors import CameraError
from edge.types import CameraMode, Frame, Image, fitted

CLOSE_S = 1.0  # how long `Feed.close` waits, in all, for a reader that is busy inside a library


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a reader yields. The reader must not write into `image` again."""

    image: Image  # uint8 (H, W, 3) RGB, C-contiguous
    width: int  # px that keypoints are reported in; more than W where the picture was reduced
    height: int
    media_s: float | None = None  # position on the medium's own clock, if it has one
    taken_s: float | None = None  # time.monotonic() when the sensor took it, if it tells


class Skipped(Enum):
    """What a reader yields in place of a picture, so that the feed can count it and notice that it was closed."""

    UNREADABLE = auto()
    UNWANTED = auto()  # nothing is wrong, but there are more than `camera.fps`, or it makes no sense alone


# `CameraMode` comes before the first picture of a camera that tells, and once more each time that it was opened again.
Reader: TypeAlias = Generator[Picture | Skipped | CameraMode, None, None]


class Feed:
    """Frames of a reader, which decodes ahead while the consumer works on the frame before.

    A live feed keeps the newest picture for the consumer and counts in `dropped` those which that one replaced. Any
    other feed lets the reader wait, so it is one picture ahead and never drops. `Frame.sequence` counts all pictures of
    the reader; those that are dropped or unreadable leave gaps.

    With `paced`, `camera.fps` pictures a second are taken from the reader (0: as fast as it goes). A live feed that is
    silent for `timeout_s`, or else `camera.stall_s`, has failed.
    """

    def __init__(  # noqa: PLR0913 - four of them are switches with a usual place
        self,
        reader: Reader,
        camera: Camera,
        *,
        live: bool,
        paced: bool = True,
        continuous: bool = True,
        timeout_s: float | None = None,
    ) -> None:
        self.description = redact_url(camera.source)
        self.live = live
        self.continuous = continuous
        self.dropped = 0
        self.unreadable = 0
        self.reopened = 0
        self.mode: CameraMode | None = None
        self.waiting = False  # for a live picture, which has a limit
        self._reader = reader
        period_s = 1 / camera.fps if camera.fps else 0.0
        self._period_s = period_s if paced else 0.0
        self._timeout_s = (timeout_s or stall_timeout_s(camera)) if live else None
        self._quarter_turns = camera.rotation // 90
        self._changed = threading.Condition()  # guards the four below
        self._slot: Frame | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._closed = False
        self._hangs_from_s = float("inf")  # on the clock of time.monotonic(), once it was closed
        # A daemon, because a driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether the next frame is there already."""
        return self._slot is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Start the reader and give its pictures until it ends or the feed is closed.

        Raises whatever the reader raises, and CameraError when a live one is silent for too long.
        """
        with self._changed:
            if self._thread.ident is None and not self._closed:
                self._thread.start()
        while (frame := self._take()) is not None:
            yield frame

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Stop the reader, and end an iteration that waits in another thread. Any number of times is fine.

        Waits for the reader no longer than `timeout_s`, and CLOSE_S since the first time: who has not ended then hangs.
        """
        now_s = time.monotonic()
        with self._changed:
            if not self._closed:
                self._closed, self._hangs_from_s = True, now_s + CLOSE_S
            self._slot = self._error = None  # by its traceback an error keeps the reader's decoder alive
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(max(min(timeout_s, self._hangs_from_s - now_s), 0))

    def _take(self) -> Frame | None:
        with self._changed:
            self.waiting = self.live
            came = self._changed.wait_for(lambda: self._slot or self._ended or self._closed, self._timeout_s)
            self.waiting = False
            if not came:
                raise CameraError(
                    "camera.source",
                    f"{self.description} gave no picture for {self._timeout_s:g} s",
                    "check that it is switched on and connected, or raise camera.stall_s",
                )
            if self._closed:
                return None
            if self._slot is None and self._error is not None:
                raise self._error
            frame, self._slot = self._slot, None
            self._changed.notify_all()
            return frame

    def _read(self) -> None:
        try:
            with closing(self._reader) as pictures:
                start_s = due_s = time.monotonic()
                sequence = 0
                for picture in pictures:
                    if isinstance(picture, CameraMode):
                        self.reopened += self.mode is not None
                        self.mode = picture
                        continue
                    if isinstance(picture, Picture):
                        self._wait_until(due_s)
                        now_s = time.monotonic()
                        late = now_s > due_s + self._period_s  # and then nothing is made up for
                        due_s = (now_s if late else due_s) + self._period_s
                        self._offer(self._frame(picture, sequence, start_s))
                    self.unreadable += picture is Skipped.UNREADABLE
                    sequence += picture is not Skipped.UNWANTED
                    if self._closed:
                        break
        except BaseException as exc:  # noqa: BLE001 - raised again in the consumer, who can act on it
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
    """After how many seconds without a picture a camera is silent: one that is slow on purpose is not."""
    return max(camera.stall_s, 2 / camera.fps if camera.fps else 0.0)


def within(size: tuple[int, int], largest: tuple[int, int] | None) -> tuple[int, int]:
    """`size`, or what of the same aspect fits into `largest`, if that is smaller; (width, height) px."""
    return fitted(size, largest) if largest and (size[0] > largest[0] or size[1] > largest[1]) else size


def redact_url(source: str) -> str:
    """`source` as it may be shown: of a URL only scheme and host, for passwords hide anywhere in the rest."""
    scheme, separator, rest = source.partition("://")
    if not separator:
        return source
    authority, *path = re.split(r"[/?#]", rest, maxsplit=1)
    # An @ further on may belong to a password with a slash in it, and then this is not the host.
    host = "***" if "@" in "".join(path) else authority.rpartition("@")[2]
    return f"{scheme}://{host}"
