"""Every frame passes both threads once and in order, even if a network or the source fails."""

import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest

from edge.decode.argmax import decode_argmax
from edge.decode.posenet_outputs import PoseNetOutputs
from edge.errors import AcceleratorError, CameraError
from edge.inference.fallback import OneNetwork
from edge.inference.letterbox import Letterboxer
from edge.inference.network import Network, Selected
from edge.people.filtering import Thresholds
from edge.people.rotation import RotationPlanner
from edge.pipeline.detector import Detection, Detector, SecondNetwork
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.seams import FrameSource
from edge.pipeline.views import View, Views
from edge.types import Backend, Floats, Frame, Tensor
from tests.support.fakes import ListSource, PaintedRuntime, blank_frame
from tests.support.leaks import nothing_left_behind
from tests.support.paint import paint
from tests.support.pipelines import network_of, pipeline_of, updates
from tests.support.waiting import LONG_S, until

POSITIONS: Floats = np.random.default_rng(0).uniform(60, 290, (17, 2)).astype(np.float32)


def cpu_network() -> tuple[PaintedRuntime, Network]:
    heatmaps, offsets = paint(POSITIONS, np.full(17, 4, np.float32), (23, 31), 16)
    runtime = PaintedRuntime({"heatmaps": Tensor(heatmaps), "short_offsets": Tensor(offsets)}, (353, 481))
    outputs = PoseNetOutputs("heatmaps", "short_offsets", 16)
    return runtime, network_of(runtime, partial(decode_argmax, names=outputs))


def tpu_network(backend: Backend = "edgetpu") -> tuple[PaintedRuntime, Network]:
    """Another input size, stride and names: read as outputs of the first network, it shows no person."""
    heatmaps, offsets = paint(POSITIONS * 0.5, np.full(17, 4, np.float32), (23, 31), 8)
    runtime = PaintedRuntime({"h": Tensor(heatmaps), "o": Tensor(offsets)}, (177, 241), backend)
    return runtime, network_of(runtime, partial(decode_argmax, names=PoseNetOutputs("h", "o", 8)))


def pipeline(network: Network | None = None, views: Views | None = None) -> Pipeline:
    return pipeline_of(OneNetwork(network or cpu_network()[1], "cpu"), views=views)


def detections(running: Pipeline, source: FrameSource) -> Iterator[Detection | None]:
    return running.detector.results(source, Views())


class NextNetwork:
    """A selector that uses the next network after each failure, and raises the error after the last one."""

    recovering = False

    def __init__(self, *networks: Network) -> None:
        self._networks = list(networks)

    @property
    def selected(self) -> Selected:
        return Selected(self._networks[0], OneNetwork(self._networks[0], "cpu").selected.state)

    def network(self) -> Network:
        return self._networks[0]

    def failed(self, error: AcceleratorError) -> None:
        self._networks.pop(0)
        if not self._networks:
            raise error


@pytest.mark.parametrize("ready", [False, True])
def test_every_frame_is_processed_once_and_in_order(ready: bool) -> None:
    runtime, network = cpu_network()
    frames = (blank_frame(n, brightness=130 + n) for n in range(40))
    done = updates(pipeline(network), ListSource(frames, ready=ready))
    assert [update.frame.sequence for update in done] == list(range(40))
    assert runtime.seen == [130 + n for n in range(40)]
    assert all(update.inference_s >= 0 for update in done)
    assert all(update.frame.image.size == 0 for update in done), "pixels do not leave the inference thread"


def test_a_frame_without_its_image_is_otherwise_the_same() -> None:
    frame = Frame(np.zeros((2, 3, 3), np.uint8), 640, 480, 7, 1.5, 1.7e9, dated=True)
    bare = frame.without_image()
    assert bare.image.size == 0
    others = [field.name for field in fields(Frame) if field.name != "image"]
    defaults = {field.name: field.default for field in fields(Frame)}
    assert all(getattr(frame, name) != defaults[name] for name in others), (
        "a default could hide a field that is not copied"
    )
    assert [getattr(bare, name) for name in others] == [getattr(frame, name) for name in others]


@pytest.mark.parametrize("ready", [False, True])
def test_a_frame_on_which_a_network_fails_goes_to_the_next_network(ready: bool) -> None:
    (tpu, accelerated), (cpu, plain) = tpu_network(), cpu_network()
    tpu.fails_at = 4
    frames = (blank_frame(n, brightness=130 + n) for n in range(10))
    done = updates(pipeline_of(NextNetwork(accelerated, plain)), ListSource(frames, ready=ready))
    assert tpu.seen == [130, 131, 132, 133]
    assert cpu.seen == [134, 135, 136, 137, 138, 139]
    assert [update.frame.sequence for update in done] == list(range(10))
    assert [[person.id for person in update.people] for update in done] == [[1]] * 10, "tracking goes on"
    for update in done:
        assert update.people[0].pose.xy == pytest.approx(done[0].people[0].pose.xy, abs=2)


def test_all_views_of_a_frame_come_from_one_network() -> None:
    """The first view had succeeded when the second one failed."""
    (tpu, accelerated), (cpu, plain) = tpu_network(), cpu_network()
    tpu.fails_at = 1
    update = pipeline_of(NextNetwork(accelerated, plain), views=Views(RotationPlanner())).update(blank_frame(0))
    assert (len(tpu.seen), len(cpu.seen)) == (1, 2)
    assert len(update.people) == 1


@pytest.mark.parametrize("second_comes_first", [False, True])
def test_if_the_first_network_fails_between_two_views_each_network_still_sees_the_frame(
    second_comes_first: bool,
) -> None:
    (tpu, accelerated), (cpu, plain), (checking, other) = tpu_network(), cpu_network(), cpu_network()
    tpu.fails_at = 0
    thresholds = Thresholds.of(confidence=0.3, parts={}, score=0.2, keypoints=5)
    second = SecondNetwork(other, replace(thresholds, by_multipose=True))
    selector = NextNetwork(accelerated, plain)
    detector = Detector(selector, Letterboxer(), thresholds, max_poses=10, second=second)
    views = [View(second=second_comes_first), View(second=not second_comes_first)]
    (pose,) = detector.detect(blank_frame(0, brightness=130), views).poses
    assert (tpu.seen, cpu.seen, set(checking.seen)) == ([], [130], {130})
    assert (pose.by_multipose, pose.opinion) == (second_comes_first, "agrees")


@pytest.mark.parametrize("only_one", [False, True])
def test_without_another_network_the_error_is_raised_after_the_frames_before_it(only_one: bool) -> None:
    tpu, accelerated = tpu_network()
    tpu.fails_at = 3
    running = pipeline_of(OneNetwork(accelerated, "edgetpu") if only_one else NextNetwork(accelerated))
    seen: list[int] = []
    with pytest.raises(AcceleratorError):
        seen.extend(one.frame.sequence for one in detections(running, ListSource(map(blank_frame, range(9)))) if one)
    assert seen == [0, 1, 2]


def test_poses_are_in_the_pixels_of_the_frame() -> None:
    (update,) = updates(pipeline(), ListSource([blank_frame(0, size=(706, 962))]))
    (person,) = update.people
    assert person.pose.xy == pytest.approx(POSITIONS[:, ::-1] * 2 + 0.5, abs=1e-3)
    (pose,) = pipeline().detector.detect(blank_frame(0, size=(706, 962))).poses
    assert np.array_equal(person.pose.xy, pose.xy)


@pytest.mark.parametrize("ready", [False, True])
def test_an_error_of_the_source_is_raised_after_the_frames_before_it(ready: bool) -> None:
    def frames() -> Iterator[Frame]:
        yield blank_frame(0)
        yield blank_frame(1)
        raise CameraError("camera.source", "it is gone", "plug it in")

    seen: list[int] = []
    with pytest.raises(CameraError):
        seen.extend(one.frame.sequence for one in detections(pipeline(), ListSource(frames(), ready=ready)) if one)
    assert seen == [0, 1]


@pytest.mark.parametrize("ready", [False, True])
def test_frames_that_are_not_admitted_are_not_processed_and_hold_back_no_other(ready: bool) -> None:
    runtime, network = cpu_network()
    more = threading.Event()

    def frames() -> Iterator[Frame]:
        yield blank_frame(0, brightness=130)
        yield blank_frame(1, brightness=131)
        assert more.wait(LONG_S)
        yield blank_frame(2, brightness=132)

    source = ListSource(frames(), ready=ready)
    running = pipeline(network).detector.results(source, Views(), lambda frame: frame.sequence != 1)
    first = next(one for one in running if one)
    assert first.frame.sequence == 0, "it comes although no frame follows that is processed"
    more.set()
    assert [one.frame.sequence for one in running if one] == [2]
    assert runtime.seen == [130, 132]


def test_a_frame_is_not_held_back_while_the_source_has_no_other() -> None:
    more = threading.Event()

    def frames() -> Iterator[Frame]:
        yield blank_frame(0)
        assert more.wait(LONG_S)

    running = detections(pipeline(), ListSource(frames(), ready=False))
    first = next(one for one in running if one)
    assert first.frame.sequence == 0
    more.set()
    assert [one for one in running if one] == []


def test_results_yields_none_while_the_source_is_silent() -> None:
    more = threading.Event()

    def frames() -> Iterator[Frame]:
        yield blank_frame(0)
        more.wait(LONG_S)

    ticks = []
    for detection in detections(pipeline(), ListSource(frames())):
        ticks.append(detection is None)
        if ticks[-3:] == [True] * 3:
            more.set()
    assert ticks.count(False) == 1


def test_close_ends_an_endless_source_and_its_thread() -> None:
    def frames() -> Iterator[Frame]:
        n = 0
        while True:
            yield blank_frame(n)
            n += 1

    with nothing_left_behind():
        running = pipeline()
        for _ in zip(range(5), detections(running, ListSource(frames())), strict=False):
            pass
        running.detector.close(LONG_S)
        running.detector.close()


def test_close_does_not_wait_for_a_source_that_hangs() -> None:
    release = threading.Event()

    def frames() -> Iterator[Frame]:
        release.wait(LONG_S)
        yield blank_frame(0)

    running = pipeline()
    next(detections(running, ListSource(frames())))
    started_s = time.monotonic()
    running.detector.close(timeout_s=0.1)
    assert time.monotonic() - started_s < LONG_S / 2
    release.set()


class Passing(ListSource):
    """Keeps no frame that it has given."""

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)


def test_the_image_of_a_frame_is_freed_while_the_source_waits() -> None:
    image = weakref.ref(blank_frame(0).image)
    more = threading.Event()

    def frames() -> Iterator[Frame]:
        nonlocal image
        frame = blank_frame(0)
        image = weakref.ref(frame.image)
        yield frame
        del frame
        assert more.wait(LONG_S)

    running = detections(pipeline(), Passing(frames()))
    detection = next(one for one in running if one)
    assert detection.frame.sequence == 0
    until(lambda: image() is None)
    more.set()
    assert [one for one in running if one] == []
