"""A network on the Edge TPU, which runs in a worker process: the daemon's side of `edgetpu_worker`."""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from edge.errors import EdgeError
from edge.inference import edgetpu
from edge.inference.edgetpu_protocol import DONE, INVOKE, MAX_PACKET_BYTES, Ready, Refusal, SharedTensors, Spec, decode
from edge.system.clock import RunningClock
from edge.types import Array, Backend, RawOutputs, Tensor

log = logging.getLogger(__name__)

_POLL_MS = 100  # between two checks of the clock and of `cancelled`
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
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, self._lifeline = os.pipe()
        content = os.memfd_create("edge-pose-model")
        try:
            with os.fdopen(os.dup(content), "wb") as file:
                file.write(model)
            os.lseek(content, 0, os.SEEK_SET)
            passed = (theirs.fileno(), lifeline, content)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge.inference.edgetpu_worker", msgspec.json.encode(spec), *map(str, passed)],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the library may print anything, at any length
                stderr=subprocess.DEVNULL,
            )
        except OSError as exc:
            self._release()
            raise edgetpu.unexpected(exc) from exc
        finally:
            theirs.close()
            os.close(lifeline)
            os.close(content)
        self._readable = select.poll()
        self._readable.register(self._control, select.POLLIN)
        try:
            ready, descriptor = self._await_ready()
            try:
                self._shared = SharedTensors(ready.tensors, descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            self.close()
            raise
        self.name = ready.runtime
        pixels, *self._outputs = ready.tensors
        self.input_size = (pixels.shape[0], pixels.shape[1])

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
        self._closed = True
        self._process.kill()
        try:
            self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            log.warning("the Edge TPU's worker (process %d) does not end: it is stuck in a driver", self._process.pid)
        self._release()

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

    def _release(self) -> None:
        """Close our descriptors, but not while another thread waits on them: their numbers could be reused."""
        with self._reading:
            self._control.close()
            if self._lifeline >= 0:
                os.close(self._lifeline)  # the kernel then ends a worker that still runs
                self._lifeline = -1


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
