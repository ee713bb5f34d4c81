"""The Edge TPU in its worker process, with a stand-in for libedgetpu that fails in every way that a library can."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge.errors import AcceleratorError, ModelError, ReasonCode
from edge.inference.edgetpu_protocol import Spec
from edge.inference.edgetpu_runtime import EdgeTpuRuntime, Limits
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue
from edge.models.strip_decoder import strip_decoder
from tests.support import ROOT
from tests.support.delegate import StandIn
from tests.support.processes import is_gone
from tests.support.tiny_posenet import INPUT_SIZE, OUTPUTS, tiny_posenet
from tests.support.waiting import LONG_S, until

COMPILED = strip_decoder(tiny_posenet(edge_tpu=True))
SHORT = Limits(load_s=2, invoke_s=0.5)
PATIENT = Limits(load_s=60, invoke_s=60)


def opened(
    standin: StandIn, model: bytes = COMPILED, device: str = "", limits: Limits = PATIENT, *, library: str = ""
) -> EdgeTpuRuntime:
    spec = Spec("mine", device, library or str(standin.library), 1)
    return EdgeTpuRuntime(model, spec, limits=limits)


def test_a_compiled_model_runs_in_another_process(standin: StandIn) -> None:
    tpu = opened(standin, device="usb:1")
    assert (tpu.backend, tpu.input_size, tpu.output_shapes) == ("edgetpu", INPUT_SIZE, OUTPUTS)
    assert tpu.name.endswith(" with standin.so")
    tpu.input()[:] = 200
    tpu.invoke()
    assert {name: tensor.data.shape for name, tensor in tpu.outputs().items()} == OUTPUTS
    assert standin.loads[0].endswith(" load device=usb:1")
    assert standin.worker_pid != os.getpid()
    tpu.close()
    tpu.close()
    assert is_gone(standin.worker_pid)


def test_the_edge_tpu_computes_the_same_as_the_cpu(standin: StandIn) -> None:
    model = catalogue.read("posenet").content
    cpu, tpu = CpuRuntime(model, label="", input_size=(353, 481), threads=1), opened(standin, model)
    for seed in range(3):
        picture = np.random.default_rng(seed).integers(0, 256, (353, 481, 3), np.uint8)
        for one in (cpu, tpu):
            one.input()[:] = picture
            one.invoke()
        for name, tensor in cpu.outputs().items():
            same = tpu.outputs()[name]
            assert np.array_equal(tensor.data, same.data)
            assert (tensor.scale, tensor.zero_point) == pytest.approx((same.scale, same.zero_point))
    tpu.close()


def test_outputs_are_copies_that_the_next_inference_does_not_change(standin: StandIn) -> None:
    tpu = opened(standin, catalogue.read("posenet").content)
    tpu.input()[:] = 0
    tpu.invoke()
    first = tpu.outputs()
    kept = {name: tensor.data.copy() for name, tensor in first.items()}
    tpu.input()[:] = np.random.default_rng(0).integers(0, 256, (353, 481, 3), np.uint8)
    tpu.invoke()
    assert all(np.array_equal(first[name].data, data) for name, data in kept.items())
    assert any(not np.array_equal(tpu.outputs()[name].data, data) for name, data in kept.items())
    tpu.close()


LOADING = [
    ("load fail", ReasonCode.REFUSED, "stand-in: no device"),
    ("prepare fail", ReasonCode.INCOMPATIBLE, "is too old for mine"),
    ("1 fail", ReasonCode.FAILED, "stand-in: transfer 1 failed"),
    ("load crash", ReasonCode.CRASHED, "SIGSEGV"),
    ("prepare crash", ReasonCode.CRASHED, "SIGSEGV"),
    ("1 crash", ReasonCode.CRASHED, "SIGSEGV"),
    ("load exit", ReasonCode.EXITED, "exit code 3"),
    ("load leave", ReasonCode.EXITED, "exit code 0"),
    ("prepare leave", ReasonCode.EXITED, "exit code 0"),
    ("load hang", ReasonCode.HUNG, "did not answer for 2 s during loading"),
    ("prepare hang", ReasonCode.HUNG, "did not answer for 2 s during loading"),
    ("1 hang", ReasonCode.HUNG, "did not answer for 2 s during loading"),
]


@pytest.mark.parametrize(("plan", "code", "words"), LOADING, ids=[plan for plan, *_ in LOADING])
def test_a_failure_while_loading_is_an_error_with_its_code(
    standin: StandIn, *, plan: str, code: ReasonCode, words: str
) -> None:
    standin.will(plan)
    with pytest.raises(AcceleratorError) as raised:
        opened(standin, limits=SHORT if "hang" in plan else PATIENT)
    assert raised.value.code is code
    assert words in raised.value.problem
    assert raised.value.remedy
    until(lambda: is_gone(standin.worker_pid))


INFERENCE = [
    ("4 fail", ReasonCode.FAILED),
    ("4 crash", ReasonCode.CRASHED),
    ("4 exit", ReasonCode.EXITED),
    ("4 leave", ReasonCode.EXITED),
    ("4 hang", ReasonCode.HUNG),
]


@pytest.mark.parametrize(("plan", "code"), INFERENCE, ids=[plan for plan, _ in INFERENCE])
def test_a_failure_during_an_inference_ends_the_worker(standin: StandIn, *, plan: str, code: ReasonCode) -> None:
    standin.will(plan)
    tpu = opened(standin, limits=Limits(60, 0.5 if "hang" in plan else 60))
    for _ in range(2):  # the first inference was part of loading
        tpu.invoke()
    with pytest.raises(AcceleratorError) as raised:
        tpu.invoke()
    assert raised.value.code is code
    until(lambda: is_gone(standin.worker_pid))
    with pytest.raises(AcceleratorError):
        tpu.invoke()
    tpu.close()


def test_output_of_the_library_is_not_mistaken_for_an_answer(standin: StandIn) -> None:
    standin.will("load babble", "prepare babble", "1 babble", "2 babble", "3 flood", "4 fail")
    tpu = opened(standin)
    tpu.invoke()
    tpu.invoke()
    with pytest.raises(AcceleratorError) as raised:
        tpu.invoke()
    assert raised.value.code is ReasonCode.FAILED


def test_a_model_that_cannot_be_used_is_a_model_error(standin: StandIn) -> None:
    with pytest.raises(ModelError) as raised:
        opened(standin, tiny_posenet(edge_tpu=True))
    assert "models import mine" in raised.value.remedy


@pytest.mark.parametrize("library", ["libnothing.so.1", "libm.so.6", __file__])
def test_a_library_that_is_not_a_delegate_cannot_be_loaded(standin: StandIn, library: str) -> None:
    with pytest.raises(AcceleratorError) as raised:
        opened(standin, library=library)
    assert raised.value.code is ReasonCode.NO_LIBRARY
    assert raised.value.remedy == "check inference.library"


def test_cancelling_stops_the_opening_and_its_worker(standin: StandIn) -> None:
    standin.will("load hang")
    cancelled = threading.Event()
    failed: list[AcceleratorError] = []

    def open_it() -> None:
        try:
            EdgeTpuRuntime(COMPILED, Spec("mine", "", str(standin.library), 1), limits=PATIENT, cancelled=cancelled)
        except AcceleratorError as exc:
            failed.append(exc)

    opening = threading.Thread(target=open_it)
    opening.start()
    until(lambda: bool(standin.loads))
    cancelled.set()
    opening.join(LONG_S)
    assert failed
    assert is_gone(standin.worker_pid)


def test_close_ends_a_hanging_worker_and_the_waiting_inference(standin: StandIn) -> None:
    standin.will("2 hang")
    tpu = opened(standin)
    failed: list[AcceleratorError] = []

    def invoke() -> None:
        try:
            tpu.invoke()
        except AcceleratorError as exc:
            failed.append(exc)

    waiting = threading.Thread(target=invoke)
    waiting.start()
    until(lambda: standin.hangs)
    tpu.close()
    waiting.join(LONG_S)
    assert len(failed) == 1


@pytest.mark.parametrize("plan", ["2 hang", "prepare hang"])
def test_the_worker_ends_when_the_daemon_is_killed(standin: StandIn, *, plan: str) -> None:
    """Even while the library hangs in the worker."""
    standin.will(plan)
    program = (
        "import sys\n"
        "from edge.inference.edgetpu_protocol import Spec\n"
        "from edge.inference.edgetpu_runtime import EdgeTpuRuntime\n"
        f"EdgeTpuRuntime(sys.stdin.buffer.read(), Spec('mine', '', {str(standin.library)!r}, 1)).invoke()\n"
    )
    daemon = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, cwd=ROOT)
    assert daemon.stdin is not None
    with daemon.stdin as pipe:
        pipe.write(COMPILED)
    until(lambda: bool(standin.loads))
    worker = standin.worker_pid
    assert not is_gone(worker)
    daemon.kill()
    daemon.wait(LONG_S)
    until(lambda: is_gone(worker))


def test_an_answer_that_is_late_because_of_a_suspension_is_no_hang(standin: StandIn) -> None:
    """SIGSTOP for longer than the limit, in the middle of inferences."""
    program = (
        "import sys\n"
        "from edge.inference.edgetpu_protocol import Spec\n"
        "from edge.inference.edgetpu_runtime import EdgeTpuRuntime, Limits\n"
        f"spec = Spec('mine', '', {str(standin.library)!r}, 1)\n"
        "tpu = EdgeTpuRuntime(sys.stdin.buffer.read(), spec, limits=Limits(60, 2))\n"
        "print('ready', flush=True)\n"
        "for n in range(2000):\n"
        "    tpu.invoke()\n"
        "print('done', flush=True)\n"
    )
    daemon = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=False
    )
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    with daemon.stdin as pipe:
        pipe.write(COMPILED)
    assert daemon.stdout.readline() == b"ready\n"
    worker = standin.worker_pid
    for pid in (daemon.pid, worker):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)  # longer than the limit; a stopped process gives nothing to wait for
    for pid in (daemon.pid, worker):
        os.kill(pid, signal.SIGCONT)
    with daemon.stdout as out:
        assert out.read() == b"done\n"
    assert daemon.wait(LONG_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_whole_service_does_not_end_the_worker(standin: StandIn, number: signal.Signals) -> None:
    tpu = opened(standin)
    os.kill(standin.worker_pid, number)
    for _ in range(3):
        tpu.invoke()
    tpu.close()


def test_a_second_close_does_not_wait_for_a_worker_that_does_not_end(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As if a driver held the process in the kernel."""
    monkeypatch.setattr("edge.inference.edgetpu_runtime._REAP_S", 0.1)
    tpu = opened(standin)
    kill = tpu._process.kill
    monkeypatch.setattr(tpu._process, "kill", lambda: None)
    os.kill(standin.worker_pid, signal.SIGSTOP)
    for _ in range(3):
        tpu.close()
    assert caplog.text.count("does not end") == 1
    kill()
    until(lambda: tpu._process.poll() is not None)


def test_what_the_worker_writes_is_logged_when_it_fails(standin: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    standin.will("2 grumble", "3 crash")
    tpu = opened(standin)
    tpu.invoke()
    assert "stand-in: grumble" not in caplog.text
    with pytest.raises(AcceleratorError):
        tpu.invoke()
    assert "the Edge TPU's worker wrote: " in caplog.text
    assert "stand-in: grumble" in caplog.text


def test_nothing_is_imported_from_the_current_directory(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    opened(standin).close()


def test_repeated_failures_leak_no_descriptors(standin: StandIn) -> None:
    standin.will("load fail")
    counts = []
    for _ in range(4):
        with pytest.raises(AcceleratorError):
            opened(standin)
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert len(set(counts)) == 1
