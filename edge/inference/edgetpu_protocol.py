"""What the daemon and its Edge TPU worker say to each other, and the memory that they share.

One SOCK_SEQPACKET connection: the worker reports `Ready` with the descriptor of the shared memory, or a `Refusal`.
From then on the daemon fills the input and sends INVOKE, and the worker answers DONE once the outputs are in the
memory, or a `Refusal`. What a library prints goes elsewhere, so nothing it writes can be taken for an answer.
"""

import mmap
import os
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from edge.errors import AcceleratorError, EdgeError, ModelError, ReasonCode
from edge.types import Array

INVOKE, DONE = b"i", b"d"
LONGEST = 1 << 16  # bytes of a packet
_ALIGNMENT = 64  # bytes, of a cache line


class Spec(msgspec.Struct, frozen=True):
    """What the worker is to load."""

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
    """The model is loaded and ran once. The first tensor is the input (h, w, 3), the others are the outputs."""

    runtime: str
    tensors: tuple[TensorSpec, ...]


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """An error of the worker."""

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
        """The error again, in the daemon."""
        if self.model_error:
            return ModelError(self.key, self.problem, self.remedy)
        return AcceleratorError(self.key, self.problem, self.remedy, code=self.code)


def encode(message: Ready | Refusal) -> bytes:
    return msgspec.json.encode(message)


def decode(packet: bytes) -> Ready | Refusal:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(packet, type=Ready | Refusal)


class SharedTensors:
    """Arrays in memory that both processes map, one after the other, aligned to cache lines."""

    def __init__(self, tensors: Sequence[TensorSpec], descriptor: int | None = None) -> None:
        """Map `descriptor`, or make new memory. Raises OSError."""
        ends = np.cumsum([-(-_bytes(tensor) // _ALIGNMENT) * _ALIGNMENT for tensor in tensors]).tolist()
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
