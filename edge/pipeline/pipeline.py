"""The seams between the stages, and the loop that drives a frame through them.

The inference thread runs source -> fit -> invoke and hands copies of the outputs over; whoever iterates over
`results` runs decode -> filter -> track -> smooth -> (publish) while the next invoke is under way, because invoke
releases the GIL. Nothing flows back, but for one hint: how to turn the next frame (`edge.people.rotation`).
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from edge.decode.families import Decoder
from edge.errors import AcceleratorError
from edge.people.filtering import Thresholds, keep_visible
from edge.people.rotation import RotationPlanner, merge_views
from edge.people.smoothing import Smoother
from edge.people.tracking import Tracker
from edge.pipeline.handoff import Handoff
from edge.types import Array, Backend, CameraMode, Crop, Frame, Letterbox, Pose, RawOutputs, Track


class FrameSource(Protocol):
    """Gives frames until it ends or is closed. A live one drops what nobody took in time; others never drop.

    Frames that are not `continuous` need not have anything to do with each other, like the pictures of a folder.
    """

    @property
    def live(self) -> bool: ...
    @property
    def continuous(self) -> bool: ...
    @property
    def ready(self) -> bool: ...  # whether the next frame need not be waited for, as far as is known
    @property
    def description(self) -> str: ...
    @property
    def dropped(self) -> int: ...
    @property
    def unreadable(self) -> int: ...
    @property
    def reopened(self) -> int: ...  # times that a camera which had failed could be opened
    @property
    def mode(self) -> CameraMode | None: ...  # what the camera really does, if there is one that tells
    @property
    def waiting(self) -> bool: ...  # whether somebody waits for a frame that comes or fails by itself
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self, timeout_s: float = ...) -> None: ...  # waits no longer than that for a reader that hangs


class Runtime(Protocol):
    """Runs a model: fill `input()`, `invoke()`, take `outputs()`. That of an accelerator may raise AcceleratorError."""

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
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A model that is loaded, and the decoder that understands its outputs."""

    runtime: Runtime
    decode: Decoder


class Choice(Protocol):
    """Which network is to be used, where there is more than one."""

    def network(self) -> Network: ...  # for the next frame
    def failed(self, error: AcceleratorError) -> None: ...  # of the network; raises it where there is no other one


class Fitter(Protocol):
    """Lays a frame, turned by so many quarters, or a part of it, into the model's input."""

    def __call__(self, frame: Frame, into: Array, turn: int = 0, crop: Crop | None = None) -> Letterbox: ...


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """What is done with a frame, in this order. Those that may be None are left out."""

    fit: Fitter
    decode: Decoder
    thresholds: Thresholds
    max_people: int
    tracker: Tracker | None = None
    smoother: Smoother | None = None
    lookout: RotationPlanner | None = None  # says how to turn the next frames
    crop: Callable[[Pose, int, int], Crop | None] | None = None  # says which part of them the best one is in


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A frame as the network was shown it, and what the network said."""

    letterbox: Letterbox
    outputs: RawOutputs
    decode: Decoder  # the one for these outputs


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """What the inference thread hands over. The frame's picture is gone: it goes no further than this thread."""

    frame: Frame
    looks: list[Look]
    started_s: float  # time.monotonic() when the frame was in hand
    inference_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything known of one frame."""

    frame: Frame
    people: list[Track]  # who was seen in it, best first
    started_s: float
    inference_s: float


class Pipeline:
    """Two stages, one hand-off."""

    def __init__(self, source: FrameSource, runtime: Runtime, stages: Stages, choice: Choice | None = None) -> None:
        """Frames go to `runtime`, and its outputs to `stages.decode`; with a `choice`, both are as that says."""
        self._source = source
        self._network = Network(runtime, stages.decode)
        self._choice = choice
        self._stages = stages
        self._handoff: Handoff[Inferred | BaseException | None] = Handoff()
        self._stopping = threading.Event()
        self._crop: Crop | None = None  # of the next frame; one value, because it goes from thread to thread
        self._done: Inferred | None = None  # and not handed over yet; of the inference thread alone
        self._busy_since_s: float | None = None  # time.monotonic(), while the network is at work
        # A daemon, because a camera driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._infer, name="inference", daemon=True)

    @property
    def busy_s(self) -> float:
        """For how long the network has been at work on what it was shown last; 0 while it is not."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def results(self, tick_s: float) -> Iterator[Result | None]:
        """Start, and give the result of each frame; None whenever `tick_s` passed without one. Ends with the source.

        Raises what the source or the runtime raised.
        """
        self._thread.start()
        while not self._stopping.is_set():
            try:
                item = self._handoff.get(tick_s)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield self._followed(item)

    def result(self, frame: Frame) -> Result:
        """The result of the next frame, here and now; for those who have frames but no source."""
        return self._followed(self._inferred(frame))

    def poses(self, frame: Frame) -> list[Pose]:
        """The poses in one frame by itself: looked at once, and nobody is followed."""
        (look,), _ = self._looks(frame, [0], None)
        return self._seen(look)

    def close(self, timeout_s: float = 0.5) -> None:
        """Stop both stages and the source, but wait no longer than `timeout_s` for all of them; again, if wanted."""
        deadline_s = time.monotonic() + timeout_s
        self._stopping.set()
        self._source.close(0)
        while self._thread.is_alive() and time.monotonic() < deadline_s:
            with suppress(queue.Empty):  # the thread may be waiting to hand over
                self._handoff.get(0)
            self._thread.join(0.01)
        self._source.close(max(deadline_s - time.monotonic(), 0))

    def _infer(self) -> None:
        try:
            for inferred in map(self._inferred, self._source):  # no name for the frame: its picture is let go at once
                self._done = inferred
                # Where the next frame is there already, this one goes over just before the next invoke: until then, the
                # two threads would only take turns on the interpreter.
                if not self._source.ready:
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

    def _inferred(self, frame: Frame) -> Inferred:
        """The first stage."""
        started_s = time.monotonic()
        lookout = self._stages.lookout
        turns, crop = lookout.turns(frame.monotonic_s) if lookout else [0], self._crop
        looks, inference_s = self._looks(frame, turns, crop)
        return Inferred(frame.without_image(), looks, started_s, inference_s)

    def _looks(self, frame: Frame, turns: list[int], crop: Crop | None) -> tuple[list[Look], float]:
        """What the network says of a frame, and in how many seconds; of the same frame if another one takes over."""
        while self._choice is not None:
            try:
                return self._looks_of(self._choice.network(), frame, turns, crop)
            except AcceleratorError as exc:
                self._busy_since_s = time.monotonic()
                try:
                    self._choice.failed(exc)
                finally:
                    self._busy_since_s = None
        return self._looks_of(self._network, frame, turns, crop)

    def _looks_of(
        self, network: Network, frame: Frame, turns: list[int], crop: Crop | None
    ) -> tuple[list[Look], float]:
        runtime, looks, inference_s = network.runtime, [], 0.0
        for turn in turns:
            letterbox = self._stages.fit(frame, runtime.input(), turn, crop)
            self._hand_over()
            before_s = time.perf_counter()
            self._busy_since_s = time.monotonic()
            runtime.invoke()
            self._busy_since_s = None
            inference_s += time.perf_counter() - before_s
            looks.append(Look(letterbox, runtime.outputs(), network.decode))
        return looks, inference_s

    def _followed(self, inferred: Inferred) -> Result:
        """The second stage."""
        stages, now_s = self._stages, inferred.frame.monotonic_s
        poses = merge_views([self._seen(look) for look in inferred.looks])[: stages.max_people]
        if stages.crop:
            self._crop = stages.crop(poses[0], inferred.frame.width, inferred.frame.height) if poses else None
        people = [Track(None, pose, now_s, now_s) for pose in poses]
        if stages.tracker:
            people = stages.tracker.update(poses, now_s)
        if stages.tracker and stages.lookout:
            stages.lookout.observe(people, stages.tracker.lost, now_s)
        if stages.smoother:
            people = stages.smoother.smooth(people, now_s)
        return Result(inferred.frame, people, inferred.started_s, inferred.inference_s)

    def _seen(self, look: Look) -> list[Pose]:
        return keep_visible(look.decode(look.outputs), look.letterbox, self._stages.thresholds)
