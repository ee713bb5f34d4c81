"""The interfaces of the pipeline: where frames come from, and where results go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.rules.rules import Outcome
from edge.types import CameraMode, Frame, Observation, Rejected, Track


class FrameSource(Protocol):
    """Yields frames until it ends or is closed.

    A live source drops frames that are not taken in time; other sources drop none. The frames of a source that is not
    `continuous`, such as a folder of pictures, are unrelated.
    """

    @property
    def live(self) -> bool: ...
    @property
    def continuous(self) -> bool: ...
    @property
    def ready(self) -> bool: ...  # the next frame is available without waiting
    @property
    def description(self) -> str: ...
    @property
    def dropped(self) -> int: ...
    @property
    def unreadable(self) -> int: ...
    @property
    def reopened(self) -> int: ...  # how often a failed camera was opened again
    @property
    def mode(self) -> CameraMode | None: ...  # the mode that the camera runs in, if it reports one
    @property
    def off(self) -> bool: ...  # switched off: frames that are still on the way are not to be reported
    @property
    def waiting(self) -> bool: ...  # the consumer waits for a frame of a live source
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self, timeout_s: float = ...) -> None: ...  # waits at most that long for a reader that hangs


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """The results of one frame. `frame` has no image."""

    frame: Frame
    people: list[Track]  # the people detected in it, best first
    seen: Observation  # the same people as reported
    outcome: Outcome  # of the rules
    started_s: float  # time.monotonic() when inference took the frame
    inference_s: float
    rejected: Sequence[Rejected] = ()  # poses that are not reported


class Sink(Protocol):
    """Takes updates. A slow sink drops updates; it must never delay the frames of a live source."""

    def publish(self, update: Update) -> None: ...
