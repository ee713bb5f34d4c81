"""The messages between the daemon and its Edge TPU worker, and the memory that they share.

They use one SOCK_SEQPACKET connection. The worker first sends `Ready` with the descriptor of the shared memory, or a
`Refusal`. For each inference the daemon fills the input and sends INVOKE; the worker answers DONE once the outputs are
in the shared memory, or a `Refusal`. The library's own output goes elsewhere, so it cannot be mistaken for an answer.
"""

import mmap
import os
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from edge.errors import AcceleratorError, EdgeError, ModelError, ReasonCode
from edge.types import Array

INVOKE, DONE = b"i", b"d"
MAX_PACKET_BYTES = 1 << 16
_ALIGNMENT_BYTES = 64  # a cache line


class Spec(msgspec.Struct, frozen=True):
    """The device, library and options with which the worker loads the model."""

    label: str  # names the model in errors
    device: str  # "" for any Coral, "usb", "usb:1", "pci:0"
    library: str
    threads: int


class TensorSpec(msgspec.Struct, frozen=True):
    """A tensor in the shared memory."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The model was loaded and run once. The first tensor is the input (h, w, 3), the others are the outputs."""

    runtime: str
    tensors: tuple[TensorSpec, ...]


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """An error in the worker."""

    model_error: bool
    key: str
    problem: str
    remedy: str
    code: ReasonCode

    @classmethod
    def of(cls, error: EdgeError) -> "Refusal":
        code = error.code if isinstance(error, AcceleratorError) else ReasonCode.NO_MODEL
        return cls(isinstance(error, ModelError), error.key, error.problem, error.remedy, code)

    def error(self) -> EdgeError:
        """Rebuild the error in the daemon."""
        if self.model_error:
            return ModelError(self.key, self.problem, self.remedy)
        return AcceleratorError(self.key, self.problem, self.remedy, code=self.code)


def encode(message: Ready | Refusal) -> bytes:
    return msgspec.json.encode(message)


def decode(packet: bytes) -> Ready | Refusal:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(packet, type=Ready | Refusal)


class SharedTensors:
    """Arrays in shared memory, laid out one after another and aligned to cache lines."""

    def __init__(self, tensors: Sequence[TensorSpec], descriptor: int | None = None) -> None:
        """Map `descriptor`, or create new memory. Raises OSError."""
        ends = np.cumsum([-(-_bytes(tensor) // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES for tensor in tensors]).tolist()
        if descriptor is None:
            descriptor = os.memfd_create("edge-pose-tensors")
            os.ftruncate(descriptor, ends[-1])
        self.descriptor = descriptor
        memory = mmap.mmap(descriptor, ends[-1])
        self.arrays: Mapping[str, Array] = {
            tensor.name: np.frombuffer(memory, tensor.dtype, _count(tensor), start).reshape(tensor.shape)
            for tensor, start in zip(tensors, [0, *ends[:-1]], strict=True)
        }


def _count(tensor: TensorSpec) -> int:
    return int(np.prod(tensor.shape))


def _bytes(tensor: TensorSpec) -> int:
    return _count(tensor) * np.dtype(tensor.dtype).itemsize
