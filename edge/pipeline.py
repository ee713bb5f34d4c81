"""The seams between the stages, and the loop that drives a frame through them.

The inference thread runs source -> fit -> invoke and hands copies of the outputs over; whoever iterates over
`results` runs decode -> filter -> (publish) while the next invoke is under way, because invoke releases the GIL.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from edge.filtering import Thresholds, keep_visible
from edge.types import Array, Backend, Decoded, Frame, Image, Letterbox, Pose, RawOutputs


class FrameSource(Protocol):
    """Gives frames until it ends or is closed. A live one drops what nobody took in time; others never drop."""

    @property
    def live(self) -> bool: ...
    @property
    def description(self) -> str: ...
    @property
    def dropped(self) -> int: ...
    @property
    def unreadable(self) -> int: ...
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...


class Runtime(Protocol):
    """Runs a model: fill `input()`, `invoke()`, take `outputs()`."""

    @property
    def name(self) -> str: ...
    @property
    def backend(self) -> Backend: ...
    @property
    def input_size(self) -> tuple[int, int]: ...
    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]: ...
    def input(self) -> Array: ...
    def invoke(self) -> None: ...
    def outputs(self) -> RawOutputs: ...


_NO_IMAGE: Image = np.empty((0, 0, 3), np.uint8)

Fitter = Callable[[Frame, Array], Letterbox]
Decoder = Callable[[RawOutputs], Decoded]


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """What the inference thread hands over. The frame's picture is gone: it goes no further than this thread."""

    frame: Frame
    letterbox: Letterbox
    outputs: RawOutputs
    started_s: float  # time.monotonic() when the frame was in hand
    inference_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything known of one frame."""

    frame: Frame
    poses: list[Pose]
    started_s: float
    inference_s: float


class Pipeline:
    """Two stages, one hand-off."""

    def __init__(
        self, source: FrameSource, runtime: Runtime, *, fit: Fitter, decode: Decoder, thresholds: Thresholds
    ) -> None:
        self._source = source
        self._runtime = runtime
        self._fit = fit
        self._decode = decode
        self._thresholds = thresholds
        self._handoff: queue.Queue[Inferred | BaseException | None] = queue.Queue(maxsize=1)
        self._stopping = threading.Event()
        # A daemon, because a camera driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._infer, name="inference", daemon=True)

    def results(self, tick_s: float) -> Iterator[Result | None]:
        """Start, and give the result of each frame; None whenever `tick_s` passed without one. Ends with the source.

        Raises what the source or the runtime raised.
        """
        self._thread.start()
        while not self._stopping.is_set():
            try:
                item = self._handoff.get(timeout=tick_s)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield Result(item.frame, self._decoded(item.outputs, item.letterbox), item.started_s, item.inference_s)

    def poses(self, frame: Frame) -> list[Pose]:
        """The poses of one frame, here and now; for those who have no stream of them."""
        letterbox = self._fit(frame, self._runtime.input())
        self._runtime.invoke()
        return self._decoded(self._runtime.outputs(), letterbox)

    def close(self, timeout_s: float = 0.5) -> None:
        """Stop both stages, but wait no longer than `timeout_s` for a frame that is on its way."""
        self._stopping.set()
        self._source.close()
        deadline = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline:
            with suppress(queue.Empty):  # the thread may be waiting to hand over
                self._handoff.get_nowait()
            self._thread.join(0.01)

    def _decoded(self, outputs: RawOutputs, letterbox: Letterbox) -> list[Pose]:
        return keep_visible(self._decode(outputs), letterbox, self._thresholds)

    def _infer(self) -> None:
        runtime = self._runtime
        try:
            for frame in self._source:
                started_s = time.monotonic()
                letterbox = self._fit(frame, runtime.input())
                before_s = time.perf_counter()
                runtime.invoke()
                inference_s = time.perf_counter() - before_s
                frame = replace(frame, image=_NO_IMAGE)  # noqa: PLW2901 - or a picture would outlive its turn
                self._handoff.put(Inferred(frame, letterbox, runtime.outputs(), started_s, inference_s))
                if self._stopping.is_set():
                    return
        except BaseException as exc:  # noqa: BLE001 - raised again in the thread that can act on it
            self._handoff.put(exc)
        else:
            self._handoff.put(None)
