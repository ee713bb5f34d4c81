"""When frames go to the Edge TPU and when to the CPU, and which reason is reported."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from edge.errors import AbsentError, AcceleratorError, EdgeError, ModelError, ReasonCode
from edge.inference.fallback import EdgeTpuOnly, Fallback, OneNetwork
from edge.inference.network import Network
from edge.types import Backend, Decoded, RawOutputs
from tests.support.fakes import PaintedRuntime
from tests.support.pipelines import network_of
from tests.support.waiting import LONG_S, until

NEVER_S = 3600.0
CABLE = AcceleratorError("Edge TPU", "inference failed", "check its cable", code=ReasonCode.FAILED)
GONE = AcceleratorError("Edge TPU", "no device", "plug it in", code=ReasonCode.REFUSED)
ABSENT = AbsentError("", "no Edge TPU is visible", "plug one in", code=ReasonCode.ABSENT)
NO_MODEL = ModelError("model.name", "no model for the Edge TPU is here", "fetch one")


def network(backend: Backend) -> Network:
    def decode(_outputs: RawOutputs) -> Decoded:
        raise AssertionError("nothing is decoded here")

    return network_of(PaintedRuntime({}, (33, 33), backend), decode, name=backend)


class EdgeTpu:
    """A Coral that opens, or fails to with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.opened: list[Network] = []
        self.tries = 0
        self.before: Callable[[], object] = lambda: None
        self.hangs = threading.Event()  # set: opening waits until it is cancelled

    def open(self, cancelled: threading.Event) -> Network:
        self.tries += 1
        self.before()
        if self.hangs.is_set():
            assert cancelled.wait(LONG_S)
            raise GONE
        if self.error is not None:
            raise self.error
        self.opened.append(network("edgetpu"))
        return self.opened[-1]


@pytest.fixture
def started() -> Iterator[Callable[..., Fallback]]:
    """Start a Fallback that is closed at the end of the test."""
    running: list[Fallback] = []

    def start(tpu: EdgeTpu, retry_s: float = NEVER_S, timeout_s: float = LONG_S) -> Fallback:
        fallback = Fallback(network("cpu"), tpu.open, "auto", retry_s)
        running.append(fallback)
        fallback.start(timeout_s, threading.Event())
        return fallback

    yield start
    for fallback in running:
        fallback.close()


Start = Callable[..., Fallback]


def backend(selector: Fallback | EdgeTpuOnly | OneNetwork) -> Backend:
    """The backend of the next frame; it has to be the reported one."""
    assert selector.network() is selector.selected.network
    assert selector.selected.state.backend == selector.selected.network.runtime.backend
    return selector.selected.state.backend


def code(selector: Fallback | EdgeTpuOnly) -> ReasonCode:
    return selector.selected.state.code


def test_one_network_never_changes() -> None:
    selector = OneNetwork(network("cpu"), "cpu")
    assert backend(selector) == "cpu"
    state = selector.selected.state
    assert (state.code, state.text) == (ReasonCode.CONFIGURED, "inference.device = cpu")
    with pytest.raises(AcceleratorError):
        selector.failed(CABLE)
    selector.close()


def test_auto_uses_the_edge_tpu_when_it_opens(started: Start) -> None:
    tpu = EdgeTpu()
    fallback = started(tpu)
    assert backend(fallback) == "edgetpu"
    assert fallback.selected.network is tpu.opened[0]
    state = fallback.selected.state
    assert state.code is ReasonCode.READY
    assert state.text.startswith("inference.device = auto; the Edge TPU works; since 20")


@pytest.mark.parametrize(
    ("error", "code"), [(GONE, ReasonCode.REFUSED), (ABSENT, ReasonCode.ABSENT), (NO_MODEL, ReasonCode.NO_MODEL)]
)
def test_auto_reports_why_it_uses_the_cpu_and_returns_to_the_edge_tpu(
    started: Start, error: EdgeError, code: ReasonCode
) -> None:
    tpu = EdgeTpu(error)
    fallback = started(tpu, retry_s=0.01)
    assert backend(fallback) == "cpu"
    state = fallback.selected.state
    assert state.code is code
    assert error.text in state.detail
    assert state.text.startswith("inference.device = auto; on the CPU: ")
    tpu.error = None
    until(lambda: backend(fallback) == "edgetpu")


def test_a_repeated_reason_is_not_reported_again(started: Start, caplog: pytest.LogCaptureFixture) -> None:
    tpu = EdgeTpu(GONE)
    fallback = started(tpu, retry_s=0.01)
    selected, tries, lines = fallback.selected, tpu.tries, len(caplog.records)
    until(lambda: tpu.tries > tries + 3)
    assert fallback.selected is selected
    assert len(caplog.records) == lines


def test_pauses_between_tries_grow_up_to_retry_s() -> None:
    fallback = Fallback(network("cpu"), EdgeTpu().open, "auto", 300)
    pauses, pause_s = [], 0.0
    for _ in range(11):
        pause_s = fallback._longer(pause_s)
        pauses.append(pause_s)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    fallback.close()


def test_after_a_failure_frames_go_to_the_cpu_until_the_edge_tpu_is_back(started: Start) -> None:
    tpu = EdgeTpu()
    fallback = started(tpu, retry_s=0.01)
    assert backend(fallback) == "edgetpu"
    tpu.error = GONE
    fallback.failed(CABLE)
    assert backend(fallback) == "cpu"
    assert code(fallback) is ReasonCode.FAILED
    assert CABLE.text in fallback.selected.state.detail
    cpu_since_s = fallback.selected.state.since_s
    until(lambda: "; now: " in fallback.selected.state.detail)
    assert code(fallback) is ReasonCode.REFUSED
    assert CABLE.text in fallback.selected.state.detail
    assert GONE.text in fallback.selected.state.detail
    assert fallback.selected.state.since_s == cpu_since_s, "the time when the CPU took over"
    tpu.error = None
    until(lambda: backend(fallback) == "edgetpu")
    assert "failed once before" in fallback.selected.state.detail
    assert CABLE.text in fallback.selected.state.detail


def test_no_frame_waits_while_the_edge_tpu_is_opened_again(started: Start) -> None:
    tpu = EdgeTpu()
    fallback = started(tpu, retry_s=0.01)
    assert backend(fallback) == "edgetpu"
    tpu.hangs.set()
    fallback.failed(CABLE)
    assert backend(fallback) == "cpu"
    until(lambda: tpu.tries == 2)
    assert backend(fallback) == "cpu"
    assert code(fallback) is ReasonCode.FAILED


def test_after_a_slow_start_the_cpu_takes_the_first_frames(started: Start) -> None:
    tpu = EdgeTpu()
    tpu.hangs.set()
    fallback = started(tpu, timeout_s=0.05)
    assert backend(fallback) == "cpu"
    assert code(fallback) is ReasonCode.STARTING
    assert "the Edge TPU is being opened" in fallback.selected.state.text


def test_a_stop_ends_the_wait_for_the_first_attempt() -> None:
    tpu = EdgeTpu()
    tpu.hangs.set()
    fallback = Fallback(network("cpu"), tpu.open, "auto", NEVER_S)
    stopping = threading.Event()
    stopping.set()
    fallback.start(NEVER_S, stopping)
    fallback.close()
    fallback.close()


def test_an_edge_tpu_that_opens_after_close_is_closed() -> None:
    opening, release, closed = threading.Event(), threading.Event(), threading.Event()
    late = network("edgetpu")
    late.runtime.close = closed.set  # type: ignore[method-assign]

    def slow(_cancelled: threading.Event) -> Network:
        opening.set()
        assert release.wait(LONG_S)
        return late

    fallback = Fallback(network("cpu"), slow, "auto", NEVER_S)
    fallback.start(0, threading.Event())
    assert opening.wait(LONG_S)
    fallback.close()
    release.set()
    assert closed.wait(LONG_S)


@pytest.mark.parametrize(("error", "level"), [(ABSENT, logging.INFO), (GONE, logging.WARNING)])
def test_a_missing_coral_is_a_warning_only_if_it_worked_before(
    started: Start, caplog: pytest.LogCaptureFixture, error: AcceleratorError, level: int
) -> None:
    tpu = EdgeTpu(error)
    with caplog.at_level(logging.INFO):
        fallback = started(tpu, retry_s=0.01)
        assert [record.levelno for record in caplog.records] == [level]
        tpu.error = None
        until(lambda: backend(fallback) == "edgetpu")
        tpu.error = error
        caplog.clear()
        fallback.failed(CABLE)
        until(lambda: error.text in fallback.selected.state.detail)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}, "the Edge TPU worked before"


def test_edge_tpu_only_opens_it_again_once_and_then_raises_the_error() -> None:
    tpu = EdgeTpu()
    only = EdgeTpuOnly(tpu.open, "edgetpu:usb", NEVER_S)
    recovering: list[bool] = []
    tpu.before = lambda: recovering.append(only.recovering)
    assert only.selected.state.text == "inference.device = edgetpu:usb"
    only.failed(CABLE)
    assert backend(only) == "edgetpu"
    assert only.selected.network is tpu.opened[1]
    assert code(only) is ReasonCode.READY
    assert "it was opened again after" in only.selected.state.detail
    with pytest.raises(AcceleratorError) as raised:
        only.failed(CABLE)
    assert raised.value is CABLE
    assert code(only) is ReasonCode.FAILED
    assert "the daemon ended" in only.selected.state.detail
    assert len(tpu.opened) == 2, "at most once in retry_s"
    assert (recovering, only.recovering) == ([True], False)
    only.close()


def test_edge_tpu_only_raises_the_error_of_the_second_opening() -> None:
    tpu = EdgeTpu()
    only = EdgeTpuOnly(tpu.open, "edgetpu", 0)
    tpu.error = GONE
    with pytest.raises(AcceleratorError) as raised:
        only.failed(CABLE)
    assert raised.value is GONE
    assert code(only) is ReasonCode.REFUSED
    only.close()


def test_edge_tpu_only_raises_an_error_at_the_start_if_it_does_not_open() -> None:
    with pytest.raises(AcceleratorError) as raised:
        EdgeTpuOnly(EdgeTpu(GONE).open, "edgetpu", 0)
    assert raised.value is GONE


def test_an_unexpected_error_is_reported_and_retried(started: Start, caplog: pytest.LogCaptureFixture) -> None:
    tpu = EdgeTpu(OSError(24, "Too many open files"))
    fallback = started(tpu, retry_s=0.01)
    assert backend(fallback) == "cpu"
    assert code(fallback) is ReasonCode.UNEXPECTED
    assert "Too many open files" in fallback.selected.state.detail
    assert "Traceback" in caplog.text
    tpu.error = None
    until(lambda: backend(fallback) == "edgetpu")


def test_an_unexpected_error_without_a_cpu_is_an_accelerator_error() -> None:
    with pytest.raises(AcceleratorError) as raised:
        EdgeTpuOnly(EdgeTpu(OSError(24, "Too many open files")).open, "edgetpu", 0)
    assert raised.value.code is ReasonCode.UNEXPECTED


def test_the_cpu_is_released_when_the_edge_tpu_takes_over() -> None:
    tpu, released = EdgeTpu(GONE), []
    fallback = Fallback(network("cpu"), tpu.open, "auto", 0.01, release_cpu=lambda: released.append(backend(fallback)))
    fallback.start(LONG_S, threading.Event())
    assert released == [], "the CPU is in use"
    tpu.error = None
    until(lambda: backend(fallback) == "edgetpu")
    assert released == ["edgetpu"]
    fallback.close()
