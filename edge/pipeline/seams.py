"""The seams of the pipeline: where frames come from, and where results go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.types import CameraMode, Frame, Track


class FrameSource(Protocol):
    """Gives frames until it ends or is closed. A live source drops frames that were not taken in time; others never do.

    Frames of a source that is not `continuous`, like the pictures of a folder, need not belong together.
    """

    @property
    def live(self) -> bool: ...
    @property
    def continuous(self) -> bool: ...
    @property
    def ready(self) -> bool: ...  # the next frame is there already
    @property
    def description(self) -> str: ...
    @property
    def dropped(self) -> int: ...
    @property
    def unreadable(self) -> int: ...
    @property
    def reopened(self) -> int: ...  # times that a camera which had failed was opened again
    @property
    def mode(self) -> CameraMode | None: ...  # how the camera really runs, if it reports that
    @property
    def waiting(self) -> bool: ...  # the consumer waits for a frame of a live source
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self, timeout_s: float = ...) -> None: ...  # waits no longer than that for a reader that hangs


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """Everything known of one frame. The frame carries no pixels."""

    frame: Frame
    people: list[Track]  # the people seen in it, best first
    events: Sequence[Any]  # of the rules
    started_s: float  # time.monotonic() when inference took the frame
    inference_s: float


class Sink(Protocol):
    """Takes updates. A slow sink drops its own; it never holds up a frame of a live source."""

    def publish(self, update: Update) -> None: ...
