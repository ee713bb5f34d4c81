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
from edge.inference.edgetpu_protocol import DONE, INVOKE, LONGEST, Ready, Refusal, SharedTensors, Spec, decode
from edge.system.clock import RunningClock
from edge.types import Array, Backend, RawOutputs, Tensor

log = logging.getLogger(__name__)

_SLICE_MS = 100  # between two looks at the clock and at `cancelled`
_REAP_S = 1.0  # a killed process is gone by then, unless its driver is stuck in the kernel
LOADING, INFERENCE = "loading", "an inference"


@dataclass(frozen=True, slots=True)
class Limits:
    """After how many seconds without an answer the worker is killed; time in which the daemon was suspended is free."""

    load_s: float = 30.0  # a Coral on USB takes its firmware first
    invoke_s: float = 3.0


class EdgeTpuRuntime:
    """A model that was compiled for the Edge TPU; its input has the size that it was compiled for.

    If the worker crashes, exits, hangs or reports an error, it is killed and AcceleratorError is raised. The runtime is
    of no further use then.
    """

    backend: Backend = "edgetpu"

    def __init__(
        self, model: bytes, spec: Spec, *, limits: Limits = Limits(), cancelled: threading.Event | None = None
    ) -> None:
        """Start a worker and wait until it has run the model once.

        Raises AcceleratorError, also once `cancelled` is set, and ModelError if the model itself cannot be used.
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
                stdout=subprocess.DEVNULL,  # a library may write whatever it likes, and as much
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
            ready, descriptor = self._begin()
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
        with suppress(OSError):  # it is gone, which `_answer` finds
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
        """End the worker, whatever it is doing; from any thread, any number of times."""
        self._closed = True
        self._process.kill()
        try:
            self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:  # stuck in the kernel: it ends when its driver lets it
            log.warning("the Edge TPU's worker (process %d) cannot be ended yet", self._process.pid)
        self._release()

    def _begin(self) -> tuple[Ready, int]:
        """What the worker loaded, and the descriptor of the shared memory."""
        answer, descriptors = self._answer(LOADING, self._limits.load_s)
        if not descriptors:
            raise self._failure(answer, LOADING)
        ready = decode(answer)
        assert isinstance(ready, Ready)
        return ready, descriptors[0]

    def _answer(self, during: str, limit_s: float) -> tuple[bytes, list[int]]:
        """The worker's next packet, b"" when the worker is gone. Raises AcceleratorError when it does not answer."""
        clock = RunningClock()
        with self._reading:
            # What has arrived counts, however late: after a suspension the answer is there.
            while not self._closed and not self._readable.poll(_SLICE_MS):
                if self._cancelled.is_set():
                    raise edgetpu.cancelled()
                if clock.now_s() > limit_s:
                    self._process.kill()
                    raise edgetpu.hung(self._library, during, limit_s)
            if self._closed:
                raise edgetpu.cancelled()
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._control, LONGEST, 1)
            except OSError:
                return b"", []
            return packet, descriptors

    def _failure(self, answer: bytes, during: str) -> EdgeError:
        """The error behind an answer that is not the expected one."""
        if answer:
            try:
                refusal = decode(answer)
            except msgspec.DecodeError as exc:
                return edgetpu.unexpected(exc)
            assert isinstance(refusal, Refusal), "the worker answers out of turn"
            return refusal.error()
        try:
            exit_code = self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:  # it closed the connection and lives on
            return edgetpu.hung(self._library, during, _REAP_S)
        if exit_code < 0:
            return edgetpu.crashed(self._library, during, _signal_name(-exit_code))
        return edgetpu.exited(self._library, during, exit_code)

    def _release(self) -> None:
        """Close our descriptors; not while another thread waits on them, or their numbers could be used again."""
        with self._reading:
            self._control.close()
            if self._lifeline >= 0:
                os.close(self._lifeline)  # by which the kernel ends a worker that is still there
                self._lifeline = -1


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
