"""The process that runs the Edge TPU: `python -m edge.inference.edgetpu_worker`, started by `EdgeTpuRuntime`.

libedgetpu may crash, exit, hang, or stop all threads here without harming the daemon.
"""

import fcntl
import os
import socket
import sys
import traceback

import msgspec
import numpy as np

from edge.errors import EdgeError
from edge.inference import edgetpu
from edge.inference.edgetpu_protocol import DONE, INVOKE, Ready, Refusal, SharedTensors, Spec, TensorSpec, encode
from edge.inference.tflite import EdgeTpuInterpreter


def main(spec: Spec, control_fd: int, lifeline_fd: int, model_fd: int) -> None:
    """Load the model, report, and answer INVOKE until the daemon closes the connection."""
    end_with_the_daemon(lifeline_fd)
    with socket.socket(fileno=control_fd) as control, os.fdopen(model_fd, "rb") as model:
        try:
            tpu = _load(model.read(), spec)
            tensors = (_input_spec(tpu), *_output_specs(tpu))
            shared = SharedTensors(tensors)
        except EdgeError as exc:
            control.send(encode(Refusal.of(exc)))
            return
        except Exception as exc:  # noqa: BLE001 - every error is reported to the daemon
            control.send(encode(_unexpected(exc)))
            return
        socket.send_fds(control, [encode(Ready(tpu.name, tensors))], [shared.descriptor])
        while control.recv(len(INVOKE)) == INVOKE:
            control.send(_invoke(tpu, shared))


def end_with_the_daemon(lifeline_fd: int) -> None:
    """Make the kernel end this process when the daemon's end of the pipe closes, however the daemon ends.

    The signal is SIGIO: its default action needs no Python thread, and the library may hang while it holds the GIL.
    Unlike PR_SET_PDEATHSIG, this does not depend on which thread of the daemon started the worker.
    """
    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    try:
        if os.read(lifeline_fd, 1) == b"":  # the pipe closed before O_ASYNC was set
            os._exit(1)
    except BlockingIOError:
        pass


def _load(model: bytes, spec: Spec) -> EdgeTpuInterpreter:
    """Load the model and run it once; the first run is slow, because it sends the weights to the device."""
    tpu = EdgeTpuInterpreter(model, label=spec.label, device=spec.device, library=spec.library, threads=spec.threads)
    tpu.invoke()
    return tpu


def _input_spec(tpu: EdgeTpuInterpreter) -> TensorSpec:
    pixels = tpu.input()
    return TensorSpec("", pixels.shape, pixels.dtype.str)


def _output_specs(tpu: EdgeTpuInterpreter) -> list[TensorSpec]:
    return [
        TensorSpec(name, tensor.data.shape, tensor.data.dtype.str, float(tensor.scale), int(tensor.zero_point))
        for name, tensor in tpu.outputs().items()
    ]


def _invoke(tpu: EdgeTpuInterpreter, shared: SharedTensors) -> bytes:
    try:
        np.copyto(tpu.input(), shared.arrays[""])
        tpu.invoke()
        for name, tensor in tpu.outputs().items():
            np.copyto(shared.arrays[name], tensor.data)
    except EdgeError as exc:
        return encode(Refusal.of(exc))
    except Exception as exc:  # noqa: BLE001 - every error is reported to the daemon
        return encode(_unexpected(exc))
    return DONE


def _unexpected(error: Exception) -> Refusal:
    traceback.print_exc()  # the daemon logs what this process writes
    return Refusal.of(edgetpu.unexpected(error))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Spec), *map(int, sys.argv[2:]))
