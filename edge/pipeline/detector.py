"""From frames to poses: a thread letterboxes and runs the network, the caller's thread decodes.

`invoke()` releases the GIL, so decoding and everything after it overlap the next inference.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edge.decode.families import Decoder
from edge.errors import AcceleratorError
from edge.inference.letterbox import Letterboxer
from edge.inference.network import Network, Selector
from edge.people.agreement import merge_networks
from edge.people.filtering import Thresholds, keep_visible
from edge.people.rotation import merge_views
from edge.pipeline.handoff import Handoff
from edge.pipeline.seams import FrameSource
from edge.pipeline.views import UPRIGHT, View, Views
from edge.types import Frame, Letterbox, Pose, RawOutputs

# How long a thread waits for the GIL before it requests it. With Python's default of 5 ms, the inference thread idles
# after each invoke() while the other thread decodes, which cost 3 % of the frame rate on two cores.
SWITCH_INTERVAL_S = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """The poses in one frame, best first. The frame has no image: pixels do not leave the inference thread."""

    frame: Frame
    poses: list[Pose]
    started_s: float  # time.monotonic() when inference took the frame
    inference_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _ViewOutputs:
    """The outputs of the network for one view."""

    letterbox: Letterbox
    outputs: RawOutputs
    decode: Decoder  # of the network that computed these outputs
    second: bool  # whether that is the second network


@dataclass(frozen=True, slots=True, eq=False)
class _Inferred:
    """What the inference thread hands over."""

    frame: Frame
    views: list[_ViewOutputs]
    started_s: float
    inference_s: float


@dataclass(frozen=True, slots=True, eq=False)
class SecondNetwork:
    """Another network, whose scores and confidences have another scale."""

    network: Network
    thresholds: Thresholds


MIN_CHECKABLE_PX = 50  # size of a person in the input of the second network, below which it may miss the person


class Detector:
    """Runs the selected network on every frame of a source."""

    def __init__(  # noqa: PLR0913 - the parts of a detector
        self,
        selector: Selector,
        letterboxer: Letterboxer,
        thresholds: Thresholds,
        *,
        max_poses: int,
        second: SecondNetwork | None = None,
        tick_s: float = 0.25,
    ) -> None:
        """While no frame comes, `results` yields None every `tick_s`. `second` is needed for views of it only.

        `max_poses` is how many poses the decoders return at most.
        """
        self._second = second
        self._selector = selector
        self._letterboxer = letterboxer
        self._thresholds = thresholds
        self._max_poses = max_poses
        self._tick_s = tick_s
        self._handoff: Handoff[_Inferred | BaseException | None] = Handoff()
        self._stopping = threading.Event()
        self._done: _Inferred | None = None  # not handed over yet; only the inference thread uses it
        self._source: FrameSource | None = None
        self._thread: threading.Thread | None = None

    def use(self, thresholds: Thresholds, second: Thresholds | None) -> None:
        """Apply other thresholds from the next frame on; `second` to the poses of the second network."""
        self._thresholds = thresholds
        if self._second and second:
            self._second = SecondNetwork(self._second.network, second)

    def results(
        self, source: FrameSource, views: Views, admits: Callable[[Frame], bool] = lambda _: True
    ) -> Iterator[Detection | None]:
        """The poses of each frame that `admits` allows, until the source ends; None whenever `tick_s` passed without.

        Raises any error of the source or the network, after the frames before it.
        """
        self._source = source
        # A daemon thread, because a camera driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._infer_all, args=(source, views, admits), name="inference", daemon=True
        )
        self._thread.start()
        while not self._stopping.is_set():
            try:
                item = self._handoff.get(self._tick_s)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield self._decode(item)

    def detect(self, frame: Frame, views: Sequence[View] = (UPRIGHT,)) -> Detection:
        """The poses of one frame, computed in this thread."""
        return self._decode(self._infer(frame, views))

    def close(self, timeout_s: float = 0.5) -> None:
        """Stop the thread and the source; wait at most `timeout_s` for both. May be called more than once."""
        deadline_s = time.monotonic() + timeout_s
        self._stopping.set()
        if self._source is None or self._thread is None:
            return
        self._source.close(0)
        while self._thread.is_alive() and time.monotonic() < deadline_s:
            with suppress(queue.Empty):  # the thread may be waiting to hand over
                self._handoff.get(0)
            self._thread.join(0.01)
        self._source.close(max(deadline_s - time.monotonic(), 0))

    def _infer_all(self, source: FrameSource, views: Views, admits: Callable[[Frame], bool]) -> None:
        def is_admitted(frame: Frame) -> bool:
            admitted = admits(frame)
            if not admitted:
                views.rest()
                self._hand_over()
            return admitted

        try:
            # `map` binds the frame to no name that outlives the call, so that its image is freed at once.
            for inferred in map(  # noqa: C417
                lambda frame: self._infer(frame, views.next(frame.monotonic_s)), filter(is_admitted, source)
            ):
                self._done = inferred
                # If the next frame is available already, hand over just before its invoke(): before that, the two
                # threads would only compete for the GIL.
                if not source.ready:
                    self._hand_over()
                if self._stopping.is_set():
                    return
            self._hand_over()
        except BaseException as exc:  # noqa: BLE001 - raised again in the thread that can act on it
            self._hand_over()
            self._handoff.put(exc)
        else:
            self._handoff.put(None)

    def _hand_over(self) -> None:
        if self._done is not None:
            self._handoff.put(self._done)
            self._done = None

    def _infer(self, frame: Frame, views: Sequence[View]) -> _Inferred:
        """Run the network on all views; if it fails and another one takes over, that one runs on all views too."""
        started_s = time.monotonic()
        while True:
            try:
                outputs, inference_s = self._run(self._selector.network(), frame, views)
            except AcceleratorError as exc:
                self._selector.failed(exc)
            else:
                return _Inferred(frame.without_image(), outputs, started_s, inference_s)

    def _run(self, network: Network, frame: Frame, views: Sequence[View]) -> tuple[list[_ViewOutputs], float]:
        """The outputs of each view, and the seconds spent in invoke(). Raises AcceleratorError."""
        outputs: list[_ViewOutputs] = []
        inference_s = 0.0
        for view in views:
            used = self._second.network if view.second and self._second else network
            runtime = used.runtime
            letterbox = self._letterboxer(frame, runtime.input(), view.turn, view.crop)
            self._hand_over()
            before_s = time.perf_counter()
            runtime.invoke()
            inference_s += time.perf_counter() - before_s
            outputs.append(_ViewOutputs(letterbox, runtime.outputs(), used.decoding.decode, view.second))
        return outputs, inference_s

    def _decode(self, inferred: _Inferred) -> Detection:
        seen = [
            keep_visible(
                view.decode(view.outputs),
                view.letterbox,
                self._second.thresholds if view.second and self._second else self._thresholds,
            )
            for view in inferred.views
        ]
        if self._second:
            checkable_px = sum(MIN_CHECKABLE_PX / view.letterbox.scale for view in inferred.views if view.second)
            poses = merge_networks(seen, checkable_px, self._max_poses)
        else:
            poses = merge_views(seen)
        return Detection(inferred.frame, poses, inferred.started_s, inferred.inference_s)
