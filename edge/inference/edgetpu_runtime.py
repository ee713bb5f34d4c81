"""A network on the Edge TPU, which runs in a worker process: the daemon's side of `edgetpu_worker`."""

import logging
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import msgspec

from edge.errors import EdgeError
from edge.inference import edgetpu
from edge.inference.edgetpu_protocol import DONE, INVOKE, MAX_PACKET_BYTES, Ready, Refusal, SharedTensors, Spec, decode
from edge.system.clock import RunningClock
from edge.system.processes import module_command
from edge.types import Array, Backend, RawOutputs, Tensor

log = logging.getLogger(__name__)

_POLL_MS = 100  # between two checks of the clock and of `cancelled`
MAX_OUTPUT_BYTES, MAX_OUTPUT_LINES = 1 << 16, 20  # of what the worker wrote to standard error
_REAP_S = 1.0  # a killed process is gone by then, unless its driver is stuck in the kernel
LOADING, INFERENCE = "loading", "an inference"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds without an answer after which the worker is killed. Suspensions of the daemon do not count."""

    load_s: float = 30.0  # a Coral on USB loads its firmware first
    invoke_s: float = 3.0


class EdgeTpuRuntime:
    """A model that was compiled for the Edge TPU; its input has the size that it was compiled for.

    If the worker crashes, exits, hangs or reports an error, it is killed and AcceleratorError is raised. The runtime
    cannot be used after that.
    """

    backend: Backend = "edgetpu"

    def __init__(
        self, model: bytes, spec: Spec, *, limits: Limits = Limits(), cancelled: threading.Event | None = None
    ) -> None:
        """Start a worker and wait until it has run the model once.

        Raises AcceleratorError if that fails or `cancelled` is set, and ModelError if the model itself cannot be used.
        """
        self._library = spec.library
        self._limits = limits
        self._cancelled = cancelled or threading.Event()
        self._reading = threading.RLock()
        self._closed = False
        self._ours = ExitStack()  # our ends of the descriptors; by the lifeline's the kernel ends the worker
        self._kept: list[int] = []  # lifeline, error output
        self._start(model, spec)
        self._readable = select.poll()
        self._readable.register(self._control, select.POLLIN)
        try:
            ready, descriptor = self._await_ready()
            try:
                self._shared = SharedTensors(ready.tensors, descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            self._log_output()
            self.close()
            raise
        self.name = ready.runtime
        pixels, *self._outputs = ready.tensors
        self.input_size = (pixels.shape[0], pixels.shape[1])

    def _start(self, model: bytes, spec: Spec) -> None:
        """Start the worker with its descriptors. Raises AcceleratorError."""
        with ExitStack() as passed:
            try:
                self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self._ours.enter_context(self._control)
                passed.enter_context(theirs)
                lifeline, output, content = self._pipe(passed, 0), self._pipe(passed, 1), _memory_file(model, passed)
                descriptors = (theirs.fileno(), lifeline, content)
                command = module_command(
                    "edge.inference.edgetpu_worker", msgspec.json.encode(spec).decode(), *map(str, descriptors)
                )
                # Signals to the whole service or terminal reach the worker too, but only we end it. It inherits the
                # mask, so not even its start is interrupted.
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
                try:
                    self._process = subprocess.Popen(
                        command,
                        pass_fds=descriptors,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,  # the library may print anything, at any length
                        stderr=output,
                    )
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            except OSError as exc:
                self._ours.close()
                raise edgetpu.unexpected(exc) from exc

    def _pipe(self, passed: ExitStack, end: int) -> int:
        """A pipe: this end goes to the worker, and we keep the other. Neither end ever blocks."""
        ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        passed.callback(os.close, ends[end])
        self._ours.callback(os.close, ends[1 - end])
        self._kept.append(ends[1 - end])
        return ends[end]

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape, without the batch dimension."""
        return {tensor.name: tensor.shape for tensor in self._outputs}

    def input(self) -> Array:
        """The shared memory of the input, (h, w, 3), to be filled in place."""
        return self._shared.arrays[""]

    def invoke(self) -> None:
        """Compute the outputs in the worker. Releases the GIL. Raises AcceleratorError."""
        with suppress(OSError):  # if the worker is gone, `_answer` finds out
            self._control.send(INVOKE)
        try:
            answer, _ = self._answer(INFERENCE, self._limits.invoke_s)
            if answer != DONE:
                raise self._failure(answer, INFERENCE)
        except EdgeError:
            self._log_output()
            self.close()
            raise

    def outputs(self) -> RawOutputs:
        """Copies of the outputs, still quantised."""
        return {
            tensor.name: Tensor(self._shared.arrays[tensor.name].copy(), tensor.scale, tensor.zero_point)
            for tensor in self._outputs
        }

    def close(self) -> None:
        """Kill the worker. May be called from any thread and more than once."""
        if self._closed:
            return
        self._closed = True
        self._process.kill()
        try:
            self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            log.warning("the Edge TPU's worker (process %d) does not end: it is stuck in a driver", self._process.pid)
            threading.Thread(target=self._process.wait, name="reaper", daemon=True).start()
        # Not while another thread waits on the descriptors, or their numbers could be used again.
        with self._reading:
            self._ours.close()

    def _await_ready(self) -> tuple[Ready, int]:
        """Wait for the worker's report; returns it with the descriptor of the shared memory. Raises EdgeError."""
        answer, descriptors = self._answer(LOADING, self._limits.load_s)
        if not descriptors:
            raise self._failure(answer, LOADING)
        ready = decode(answer)
        assert isinstance(ready, Ready)
        return ready, descriptors[0]

    def _answer(self, during: str, limit_s: float) -> tuple[bytes, list[int]]:
        """The worker's next packet and its descriptors; b"" if the worker is gone.

        Raises AcceleratorError if it does not answer in time.
        """
        clock = RunningClock()
        with self._reading:
            # Poll before checking the time: after a suspension the answer may have arrived.
            while not self._closed and not self._readable.poll(_POLL_MS):
                if self._cancelled.is_set():
                    raise edgetpu.cancelled()
                if clock.now_s() > limit_s:
                    self._process.kill()
                    raise edgetpu.hung(self._library, during, limit_s)
            if self._closed:
                raise edgetpu.cancelled()
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET_BYTES, 1)
            except OSError:
                return b"", []
            return packet, descriptors

    def _failure(self, answer: bytes, during: str) -> EdgeError:
        """The error behind an unexpected answer."""
        if answer:
            try:
                refusal = decode(answer)
            except msgspec.DecodeError as exc:
                return edgetpu.unexpected(exc)
            assert isinstance(refusal, Refusal), "the worker answers out of turn"
            return refusal.error()
        try:
            exit_code = self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:  # it closed the connection but still runs
            return edgetpu.hung(self._library, during, _REAP_S)
        if exit_code < 0:
            return edgetpu.crashed(self._library, during, _signal_name(-exit_code))
        return edgetpu.exited(self._library, during, exit_code)

    def _log_output(self) -> None:
        """Log the last lines that the worker wrote; the pipe holds its first 64 KiB."""
        with self._reading:
            if self._closed:
                return
            try:
                written = os.read(self._kept[1], MAX_OUTPUT_BYTES)
            except BlockingIOError:  # it wrote nothing
                return
        lines = written.decode(errors="replace").strip().splitlines()[-MAX_OUTPUT_LINES:]
        if lines:
            log.warning("the Edge TPU's worker wrote: %s", " | ".join(lines))


def _memory_file(content: bytes, stack: ExitStack) -> int:
    """The descriptor of a file in memory, positioned at its start."""
    descriptor = os.memfd_create("edge-pose-model")
    stack.callback(os.close, descriptor)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
