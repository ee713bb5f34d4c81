"""A camera and a network for tests: small classes that behave like the real ones."""

import threading
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from edge.errors import AcceleratorError
from edge.types import Array, Backend, CameraMode, Frame, RawOutputs


class ListSource:
    """A source that yields these frames, and ends early if it is closed."""

    live = False
    continuous = True
    description = "list"
    dropped = 0
    unreadable = 0
    reopened = 0
    mode: CameraMode | None = None
    waiting = off = False

    def __init__(self, frames: Iterable[Frame], *, ready: bool = False) -> None:
        self._frames = frames
        self.ready = ready
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if self.closed.is_set():
                return
            yield frame

    def close(self, timeout_s: float = 0) -> None:  # noqa: ARG002 - nothing hangs
        self.closed.set()


class PaintedRuntime:
    """A runtime that gives the same outputs for every picture, and records the brightness of each picture."""

    name = "painted"

    def __init__(self, outputs: RawOutputs, input_size: tuple[int, int], backend: Backend = "cpu") -> None:
        self.backend = backend
        self.fails_at = -1  # the number of the first invoke that fails; all later ones fail too
        self._outputs = outputs
        self.input_size = input_size
        self._memory = np.zeros((*input_size, 3), np.uint8)
        self.seen: list[int] = []

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {name: tensor.data.shape for name, tensor in self._outputs.items()}

    def input(self) -> Array:
        return self._memory

    def invoke(self) -> None:
        if 0 <= self.fails_at <= len(self.seen):
            raise AcceleratorError("Edge TPU", f"invoke {len(self.seen)} failed", "try again")
        self.seen.append(int(self._memory.max()))

    def outputs(self) -> RawOutputs:
        return self._outputs

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def blank_frame(sequence: int, *, brightness: int = 0, size: tuple[int, int] = (480, 640)) -> Frame:
    height, width = size
    image = np.full((height, width, 3), brightness, np.uint8)
    return Frame(image, width, height, sequence, 100 + sequence / 15, 1_700_000_000 + sequence / 15)
