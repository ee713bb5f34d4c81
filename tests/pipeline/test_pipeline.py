import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest

from edge.decode.argmax import decode_argmax
from edge.decode.posenet_outputs import PoseNetOutputs
from edge.errors import AcceleratorError, CameraError
from edge.inference.letterbox import Fit
from edge.people.filtering import Thresholds
from edge.people.rotation import RotationPlanner
from edge.people.tracking import Tracker
from edge.pipeline.pipeline import FrameSource, Network, Pipeline, Result, Stages
from edge.types import Backend, Floats, Frame, Tensor
from tests.support.fakes import ListSource, PaintedRuntime, blank_frame
from tests.support.leaks import nothing_left_behind
from tests.support.paint import paint

POSITIONS: Floats = np.random.default_rng(0).uniform(60, 290, (17, 2)).astype(np.float32)


def painted_runtime() -> PaintedRuntime:
    heatmaps, offsets = paint(POSITIONS, np.full(17, 4, np.float32), (23, 31), 16)
    return PaintedRuntime({"heatmaps": Tensor(heatmaps), "short_offsets": Tensor(offsets)}, (353, 481))


def pipeline(source: FrameSource, runtime: PaintedRuntime | None = None) -> Pipeline:
    stages = Stages(
        Fit(),
        partial(decode_argmax, names=PoseNetOutputs("heatmaps", "short_offsets", 16)),
        Thresholds.of(confidence=0.3, parts={}, score=0.2, keypoints=5),
        max_people=10,
        tracker=Tracker(min_hits=2),
    )
    return Pipeline(source, runtime or painted_runtime(), stages)


def results(running: Pipeline) -> list[Result]:
    return [result for result in running.results(0.05) if result is not None]


@pytest.mark.parametrize("ready", [False, True])
def test_every_frame_goes_through_once_and_in_order(ready: bool) -> None:
    runtime = painted_runtime()
    frames = (blank_frame(n, brightness=130 + n) for n in range(40))
    done = results(pipeline(ListSource(frames, ready=ready), runtime))
    assert [result.frame.sequence for result in done] == list(range(40))
    assert runtime.seen == [130 + n for n in range(40)]
    assert all(result.inference_s >= 0 for result in done)
    assert all(result.frame.image.size == 0 for result in done), "no picture goes beyond the inference thread"


def test_a_frame_without_its_image_is_the_same_otherwise() -> None:
    frame = Frame(np.zeros((2, 3, 3), np.uint8), 640, 480, 7, 1.5, 1.7e9, dated=True)
    bare = frame.without_image()
    assert bare.image.size == 0
    others = [field.name for field in fields(Frame) if field.name != "image"]
    defaults = {field.name: field.default for field in fields(Frame)}
    assert all(getattr(frame, name) != defaults[name] for name in others), "or what is forgotten would not be seen"
    assert [getattr(bare, name) for name in others] == [getattr(frame, name) for name in others]


class OnceMore:
    """Goes over to the second network when the first one fails, and no further."""

    def __init__(self, *networks: Network) -> None:
        self._networks = list(networks)

    def network(self) -> Network:
        return self._networks[0]

    def failed(self, error: AcceleratorError) -> None:
        self._networks.pop(0)
        if not self._networks:
            raise error


def other_network(backend: Backend = "edgetpu") -> tuple[PaintedRuntime, Network]:
    """Another input size, stride, and names: who decodes its outputs as those of the first finds nobody there."""
    heatmaps, offsets = paint(POSITIONS * 0.5, np.full(17, 4, np.float32), (23, 31), 8)
    runtime = PaintedRuntime({"h": Tensor(heatmaps), "o": Tensor(offsets)}, (177, 241), backend)
    return runtime, Network(runtime, partial(decode_argmax, names=PoseNetOutputs("h", "o", 8)))


@pytest.mark.parametrize("ready", [False, True])
def test_the_frame_at_which_a_network_fails_goes_to_the_next_one(ready: bool) -> None:
    (tpu, accelerated), cpu = other_network(), painted_runtime()
    tpu.fails_at = 4
    frames = (blank_frame(n, brightness=130 + n) for n in range(10))
    plain = pipeline(ListSource([]), cpu)
    choice = OnceMore(accelerated, plain._network)
    done = results(Pipeline(ListSource(frames, ready=ready), cpu, plain._stages, choice))
    assert tpu.seen == [130, 131, 132, 133]
    assert cpu.seen == [134, 135, 136, 137, 138, 139]
    assert [result.frame.sequence for result in done] == list(range(10))
    assert [[person.id for person in result.people] for result in done] == [[None], *[[1]] * 9], "tracking goes on"
    for result in done:
        assert result.people[0].pose.xy == pytest.approx(done[0].people[0].pose.xy, abs=2)


def test_every_look_at_a_frame_is_that_of_one_network() -> None:
    """The first look had succeeded when the second one failed."""
    (tpu, accelerated), cpu = other_network(), painted_runtime()
    tpu.fails_at = 1
    plain = pipeline(ListSource([]), cpu)
    stages = replace(plain._stages, lookout=RotationPlanner())
    result = Pipeline(ListSource([]), cpu, stages, OnceMore(accelerated, plain._network)).result(blank_frame(0))
    assert (len(tpu.seen), len(cpu.seen)) == (1, 2)
    assert len(result.people) == 1


def test_a_network_that_does_not_come_back_is_busy() -> None:
    """And one that waits for a frame, or for somebody who takes its results, is not."""
    runtime, release = painted_runtime(), threading.Event()
    invoke = runtime.invoke

    def hang() -> None:
        release.wait(60)
        invoke()

    runtime.invoke = hang  # type: ignore[method-assign]
    running = pipeline(ListSource(blank_frame(n) for n in range(4)), runtime)
    assert running.busy_s == 0
    ticks = running.results(0.01)
    assert next(ticks) is None
    assert 0 < running.busy_s < running.busy_s
    release.set()
    while next(ticks) is None:
        pass
    while running.busy_s:
        time.sleep(0.01)
    time.sleep(0.05)
    assert running.busy_s == 0
    running.close()


def test_without_another_network_the_error_ends_it_after_the_frames_before_it() -> None:
    tpu, accelerated = other_network()
    tpu.fails_at = 3
    plain = pipeline(ListSource([]))
    for choice in (OnceMore(accelerated), None):
        stages = replace(plain._stages, decode=accelerated.decode)
        tpu.seen.clear()
        seen: list[int] = []
        running = Pipeline(ListSource(map(blank_frame, range(9))), tpu, stages, choice).results(0.05)
        with pytest.raises(AcceleratorError, match="invoke 3 failed"):
            seen.extend(result.frame.sequence for result in running if result)
        assert seen == [0, 1, 2]


def test_poses_are_in_the_pixels_of_the_frame() -> None:
    (result,) = results(pipeline(ListSource([blank_frame(0, size=(706, 962))])))
    (person,) = result.people
    pose = person.pose
    assert pose.xy == pytest.approx(POSITIONS[:, ::-1] * 2 + 0.5, abs=1e-3)
    (here_and_now,) = pipeline(ListSource([])).poses(blank_frame(0, size=(706, 962)))
    assert np.array_equal(pose.xy, here_and_now.xy)


def test_what_the_source_raises_is_raised_after_the_frames_before_it() -> None:
    def frames() -> Iterator[Frame]:
        yield blank_frame(0)
        yield blank_frame(1)
        raise CameraError("gone")

    for ready in (False, True):
        seen: list[int] = []
        running = pipeline(ListSource(frames(), ready=ready)).results(0.05)
        with pytest.raises(CameraError, match="gone"):
            seen.extend(result.frame.sequence for result in running if result)
        assert seen == [0, 1]


def test_a_frame_is_not_held_back_while_the_source_has_no_other() -> None:
    more = threading.Event()

    def frames() -> Iterator[Frame]:
        yield blank_frame(0)
        assert more.wait(10)

    running = pipeline(ListSource(frames(), ready=False)).results(5)
    first = next(running)
    assert first is not None
    assert first.frame.sequence == 0
    more.set()
    assert list(running) == []


def test_a_source_that_is_silent_lets_the_clock_tick() -> None:
    more = threading.Event()

    def frames() -> Iterator[Frame]:
        yield blank_frame(0)
        more.wait(10)

    kinds = []
    running = pipeline(ListSource(frames()))
    for result in running.results(0.02):
        kinds.append(result is None)
        if kinds[-3:] == [True] * 3:
            more.set()
    assert kinds.count(False) == 1


def test_close_ends_a_source_that_never_would_and_its_thread() -> None:
    def frames() -> Iterator[Frame]:
        n = 0
        while True:
            yield blank_frame(n)
            n += 1

    with nothing_left_behind():
        running = pipeline(ListSource(frames()))
        for _ in zip(range(5), running.results(0.05), strict=False):
            pass
        running.close()
        running.close()


def test_close_does_not_wait_for_a_source_that_hangs() -> None:
    release = threading.Event()

    def frames() -> Iterator[Frame]:
        release.wait(20)
        yield blank_frame(0)

    running = pipeline(ListSource(frames()))
    next(running.results(0.01))
    started_s = time.monotonic()
    running.close(timeout_s=0.1)
    assert time.monotonic() - started_s < 5
    release.set()
