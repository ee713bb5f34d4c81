"""When the Edge TPU is used and when the CPU, and what is said of it; the networks themselves are painted."""

import logging
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import AbsentError, AcceleratorError, EdgeError, ModelError
from edge.inference.accelerator import Accelerator, Loaded
from edge.inference.crashes import Crashes
from edge.inference.fallback import Failover
from edge.models.catalogue import ModelFile
from edge.pipeline.pipeline import Network
from edge.types import Backend, Decoded, RawOutputs
from tests.support.fakes import PaintedRuntime

WHY = "inference.device = test"
NEVER_S = 3600.0
UTC = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"


def loaded(backend: Backend) -> Loaded:
    def decode(_outputs: RawOutputs) -> Decoded:
        raise AssertionError("nobody decodes here")

    return Loaded(ModelFile(backend, Path(backend), "", b"", verified=True),
                  Network(PaintedRuntime({}, (33, 33), backend), decode))  # fmt: skip


class EdgeTpu:
    """A Coral that is there or not: with `check_error` it is seen at the check, with `load_error` only afterwards."""

    def __init__(self, path: Path) -> None:
        self.check_error: Exception | None = None
        self.load_error: Exception | None = None
        self.crashes = Crashes(path)
        self.accelerator = Accelerator(self._check, self._load, self.crashes)
        self.checks = 0
        self.loads: list[Loaded] = []

    def _check(self) -> None:
        self.checks += 1
        if self.check_error:
            raise self.check_error

    def _load(self) -> Loaded:
        if self.load_error:
            raise self.load_error
        self.loads.append(loaded("edgetpu"))
        return self.loads[-1]


@pytest.fixture
def tpu(tmp_path: Path) -> EdgeTpu:
    return EdgeTpu(tmp_path / "record")


def auto(tpu: EdgeTpu, probe_s: float = NEVER_S) -> Failover:
    cpu = loaded("cpu")
    failover = Failover(cpu, WHY, cpu=cpu, accelerator=tpu.accelerator, probe_s=probe_s)
    failover.try_accelerator(60, threading.Event())
    return failover


def backend(failover: Failover) -> Backend:
    """What the next frame goes to; and that is what is told."""
    network = failover.network()
    assert network is failover.state.loaded.network
    return network.runtime.backend


def wait_for(failover: Failover, wanted: Backend) -> None:
    deadline_s = time.monotonic() + 60
    while backend(failover) != wanted:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def told(failover: Failover, reason: str) -> bool:
    """Whether the reason is this one, a regular expression."""
    return re.fullmatch(f"{WHY}; {reason}", failover.state.reason) is not None


def in_use(tpu: EdgeTpu) -> bool:
    """Whether a death now would be counted."""
    return Crashes(tpu.crashes.path).of_late > 0


def test_the_cpu_alone() -> None:
    failover = Failover(loaded("cpu"), WHY)
    assert (backend(failover), failover.state.reason) == ("cpu", WHY)
    failover.close()


def test_auto_takes_the_edge_tpu_if_it_is_there(tpu: EdgeTpu) -> None:
    failover = auto(tpu)
    assert (failover.state.loaded, failover.state.reason) == (tpu.loads[0], f"{WHY}; it is there and works")
    failover.close()
    failover.close()
    assert not in_use(tpu)


def test_who_dies_while_it_is_used_leaves_a_mark(tpu: EdgeTpu) -> None:
    auto(tpu)
    assert in_use(tpu)


@pytest.mark.parametrize("error", [AcceleratorError("none is there; plug one in"), ModelError("model.name: no model")])
@pytest.mark.parametrize("where", ["check_error", "load_error"])
def test_auto_says_why_it_does_not_and_comes_back(tpu: EdgeTpu, error: EdgeError, where: str) -> None:
    setattr(tpu, where, error)
    failover = auto(tpu)
    problem = str(error).removeprefix("model.name: ")
    assert backend(failover) == "cpu"
    assert told(failover, f"on the CPU since {UTC}, because {problem}; it is tried again every 3600 s")
    failover.close()
    failover = auto(tpu, probe_s=0.01)
    setattr(tpu, where, None)
    wait_for(failover, "edgetpu")
    failover.close()


def test_nothing_new_is_nothing_to_tell(tpu: EdgeTpu) -> None:
    tpu.check_error = AcceleratorError("none is there")
    failover = auto(tpu, probe_s=0.01)
    state, checks = failover.state, tpu.checks
    while tpu.checks < checks + 3:
        time.sleep(0.01)
    assert failover.state is state
    failover.close()


def test_a_load_that_hangs_is_told_while_it_hangs(tpu: EdgeTpu) -> None:
    """After it worked in the other process; frames go on."""
    release = threading.Event()

    def hang() -> Loaded:
        assert release.wait(60)
        return loaded("edgetpu")

    cpu = loaded("cpu")
    failover = Failover(cpu, WHY, cpu=cpu, accelerator=replace(tpu.accelerator, load=hang), probe_s=NEVER_S)
    failover.try_accelerator(0.1, threading.Event())
    deadline_s = time.monotonic() + 60
    while "the Edge TPU is there, but still being opened, since 20" not in failover.state.reason:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert backend(failover) == "cpu"
    release.set()
    wait_for(failover, "edgetpu")
    failover.close()


def test_a_check_that_takes_long_keeps_nobody_waiting(tpu: EdgeTpu) -> None:
    release = threading.Event()
    slow = replace(tpu.accelerator, check=lambda: assert_set(release))
    cpu = loaded("cpu")
    failover = Failover(cpu, WHY, cpu=cpu, accelerator=slow, probe_s=NEVER_S)
    failover.try_accelerator(0.05, threading.Event())
    assert backend(failover) == "cpu"
    assert told(failover, f"on the CPU since {UTC}, while the Edge TPU is being tried")
    release.set()
    wait_for(failover, "edgetpu")
    failover.close()
    stopping = threading.Event()
    stopping.set()
    release.clear()
    failover.try_accelerator(60, stopping)
    release.set()


def assert_set(event: threading.Event) -> None:
    assert event.wait(60)


def test_a_failure_in_the_middle_is_first_answered_by_opening_it_again(tpu: EdgeTpu) -> None:
    failover = auto(tpu)
    failover.failed(AcceleratorError("cable; mend it"))
    assert backend(failover) == "edgetpu"
    assert failover.state.loaded is tpu.loads[1]
    assert "; it was opened again at 20" in failover.state.reason
    assert failover.state.reason.endswith("because cable; mend it")
    failover.failed(AcceleratorError("cable again; mend it"))
    assert len(tpu.loads) == 2, "only once in probe_s"
    assert backend(failover) == "cpu"
    assert "; on the CPU since 20" in failover.state.reason
    assert "because cable again; mend it; it is tried again every" in failover.state.reason
    assert tpu.checks == 1, "there is no time for it in the middle"
    failover.close()


def test_what_cannot_be_opened_again_is_told_with_both_reasons(tpu: EdgeTpu) -> None:
    failover = auto(tpu, probe_s=0.01)
    tpu.load_error = tpu.check_error = AcceleratorError("gone; plug it in")
    failover.failed(AcceleratorError("cable; mend it"))
    assert backend(failover) == "cpu"
    assert "because cable; mend it; it could not be opened again: gone; plug it in;" in failover.state.reason
    deadline_s = time.monotonic() + 60
    while "because cable; mend it; now: gone; plug it in; it is tried again every" not in failover.state.reason:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    tpu.load_error = tpu.check_error = None
    wait_for(failover, "edgetpu")
    failover.failed(AcceleratorError("cable; mend it"))
    assert backend(failover) == "edgetpu", "that was long ago"
    failover.close()


def test_what_is_not_in_use_cannot_be_blamed(tpu: EdgeTpu) -> None:
    failover = auto(tpu)
    for _ in range(2):
        failover.failed(AcceleratorError("cable"))
    assert backend(failover) == "cpu"
    assert not in_use(tpu)
    failover.close()


def test_a_reopening_that_hangs_is_told_while_it_hangs(tpu: EdgeTpu) -> None:
    said = []

    def load() -> Loaded:
        said.append(failover.state.reason)
        return loaded("edgetpu")

    failover = Failover(loaded("edgetpu"), WHY, accelerator=replace(tpu.accelerator, load=load), probe_s=NEVER_S)
    failover.failed(AcceleratorError("cable; mend it"))
    (reason,) = said
    assert re.fullmatch(f"{WHY}; it failed at {UTC}: cable; mend it", reason)


def test_a_reopening_that_takes_long_keeps_no_frame_waiting(
    tpu: EdgeTpu, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge.inference.fallback.REOPEN_S", 0.1)
    release = threading.Event()

    def slow() -> Loaded:
        assert release.wait(60)
        return tpu.accelerator.load()

    cpu = loaded("cpu")
    failover = Failover(cpu, WHY, cpu=cpu, accelerator=tpu.accelerator, probe_s=NEVER_S)
    failover.try_accelerator(60, threading.Event())
    failover._accelerator = replace(tpu.accelerator, load=slow)
    failover.failed(AcceleratorError("cable; mend it"))
    assert backend(failover) == "cpu"
    assert told(failover, f"on the CPU since {UTC}, because cable; mend it; it is still being opened again, since "
                          f"{UTC}; if that takes more than a minute, .*")  # fmt: skip
    assert failover.state.reason in caplog.text
    assert in_use(tpu), "whoever dies now, died of it"
    failover.hung(60)
    release.set()
    wait_for(failover, "edgetpu")
    assert told(failover, f"it was opened again at {UTC}, because cable; mend it")
    failover.close()


def test_a_hang_ends_the_program_and_counts_as_a_crash(tpu: EdgeTpu) -> None:
    failover = auto(tpu)
    with pytest.raises(AcceleratorError, match="has not answered for 15 s"):
        failover.hung(15)
    assert told(failover, f"the daemon ended at {UTC}, because the Edge TPU has not answered for 15 s; .*")
    failover.close()
    assert in_use(tpu)


def test_one_that_does_not_answer_is_told_until_it_does(tpu: EdgeTpu, caplog: pytest.LogCaptureFixture) -> None:
    failover = auto(tpu)
    works = failover.state
    failover.slow(2.9, 15)
    assert failover.state is works
    failover.slow(3.1, 15)
    slow = failover.state
    assert slow.loaded is works.loaded
    assert told(failover, f"it has not answered since {UTC}; 15 s after that, the daemon ends")
    failover.slow(3.4, 15)
    assert failover.state is slow, "nothing new is nothing to tell"
    failover.slow(0, 15)
    assert failover.state is works
    assert caplog.text.count("has not answered for 3 s") == 1
    failover.slow(3.1, 15)
    for _ in range(2):
        failover.failed(AcceleratorError("cable"))
    assert "on the CPU" in failover.state.reason, "what was slow is not in use any more"
    failover.close()


def test_a_cpu_that_is_slow_does_not_hang(tpu: EdgeTpu) -> None:
    tpu.check_error = AcceleratorError("none is there")
    failover = auto(tpu)
    failover.slow(60, 15)
    assert "none is there; it is tried again every" in failover.state.reason
    failover.hung(15)
    failover.close()
    assert "none is there" in failover.state.reason


def test_without_a_cpu_crashes_are_told_as_well(tpu: EdgeTpu) -> None:
    tpu.accelerator.opened()
    accelerator = replace(tpu.accelerator, crashes=Crashes(tpu.crashes.path))
    failover = Failover(accelerator.opened(), WHY, accelerator=accelerator, probe_s=NEVER_S)
    assert told(failover, f"but this program died once while the Edge TPU was in use, last at {UTC}; if it dies 3 .*")
    failover.close()


def test_without_a_cpu_the_error_is_raised(tpu: EdgeTpu) -> None:
    failover = Failover(tpu.accelerator.opened(), WHY, accelerator=tpu.accelerator, probe_s=NEVER_S)
    failover.failed(AcceleratorError("cable; mend it"))
    assert failover.state.loaded is tpu.loads[1]
    with pytest.raises(AcceleratorError, match="cable again"):
        failover.failed(AcceleratorError("cable again; mend it"))
    assert told(failover, f"the daemon ended at {UTC}, because cable again; mend it")
    assert not in_use(tpu)


def test_after_crashes_it_is_left_alone(tpu: EdgeTpu) -> None:
    path = tpu.crashes.path
    for crashes in range(3):
        dying = EdgeTpu(path)
        assert ("died" in auto(dying).state.reason) == (crashes > 0)
    again = EdgeTpu(path)
    failover = auto(again)
    assert backend(failover) == "cpu"
    assert "the Edge TPU is left alone until 20" in failover.state.reason
    assert str(path) in failover.state.reason
    assert (again.checks, again.loads) == (0, [])
    with pytest.raises(AcceleratorError, match="died 3 times within 10 minutes"):
        again.accelerator.tried()
    failover.close()


@pytest.mark.parametrize("where", ["check_error", "load_error"])
def test_what_nobody_foresaw_is_told_and_does_not_end_the_trying(
    tpu: EdgeTpu, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    setattr(tpu, where, OSError(12, "Cannot allocate memory"))
    failover = auto(tpu, probe_s=0.01)
    assert backend(failover) == "cpu"
    words = r"the Edge TPU cannot be tried or opened \(OSError: \[Errno 12\] Cannot allocate memory\); unplug it .*"
    assert told(failover, f"on the CPU since {UTC}, because {words}; it is tried again every 0.01 s")
    assert "Traceback" in caplog.text
    assert not in_use(tpu)
    setattr(tpu, where, None)
    wait_for(failover, "edgetpu")
    setattr(tpu, where, TypeError("a library's own"))
    failover.failed(AcceleratorError("cable"))
    assert backend(failover) == ("edgetpu" if where == "check_error" else "cpu")
    failover.close()


@pytest.mark.parametrize(
    ("error", "level"), [(AbsentError("none is there"), logging.INFO), (AcceleratorError("broken"), logging.WARNING)]
)
def test_on_a_machine_without_one_the_cpu_is_no_news(
    tpu: EdgeTpu, caplog: pytest.LogCaptureFixture, error: AcceleratorError, level: int
) -> None:
    tpu.check_error = error
    with caplog.at_level(logging.INFO):
        failover = auto(tpu, probe_s=0.01)
        assert [record.levelno for record in caplog.records] == [level]
        tpu.check_error = None
        wait_for(failover, "edgetpu")
        tpu.check_error = tpu.load_error = error
        caplog.clear()
        failover.failed(AcceleratorError("cable"))
        deadline_s = time.monotonic() + 60
        while f"; now: {error}" not in failover.state.reason:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}, "it was in use, and is lost"
    failover.close()


def test_who_ends_while_it_is_being_opened_leaves_no_mark(tpu: EdgeTpu) -> None:
    """Nor does somebody who comes to open it a moment later."""
    opening, release = threading.Event(), threading.Event()

    def hang() -> Loaded:
        opening.set()
        assert_set(release)
        return loaded("edgetpu")

    slow = replace(tpu.accelerator, load=hang)
    thread = threading.Thread(target=slow.opened)
    thread.start()
    assert_set(opening)
    assert in_use(tpu), "who dies now is counted"
    slow.close()
    release.set()
    thread.join()
    slow.opened()
    assert not in_use(tpu)
