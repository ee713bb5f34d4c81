"""The interfaces of inference: a runtime, a loaded network, and the selector of the network for each frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from edge.decode.families import Decoding
from edge.errors import AcceleratorError, ReasonCode
from edge.models.catalogue import ModelFile
from edge.types import Array, Backend, RawOutputs


class Runtime(Protocol):
    """Runs a model: fill `input()`, call `invoke()`, read `outputs()`."""

    @property
    def name(self) -> str: ...
    @property
    def backend(self) -> Backend: ...
    @property
    def input_size(self) -> tuple[int, int]: ...  # height, width px
    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]: ...  # without the batch dimension
    def input(self) -> Array: ...  # (h, w, 3), to be filled in place
    def invoke(self) -> None: ...  # raises AcceleratorError on an accelerator
    def outputs(self) -> RawOutputs: ...  # copies
    def close(self) -> None: ...  # idempotent


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A loaded model, and the decoder of its outputs."""

    model: ModelFile
    runtime: Runtime
    decoding: Decoding


@dataclass(frozen=True, slots=True)
class State:
    """Which backend is in use, and why."""

    backend: Backend
    code: ReasonCode
    detail: str  # for people: the setting, and the problem with its remedy if there is one
    since_s: float  # wall clock

    @property
    def text(self) -> str:
        """The reason in words, with the time since which it holds."""
        if self.code is ReasonCode.CONFIGURED:
            return self.detail
        return f"{self.detail}; since {datetime.fromtimestamp(self.since_s, UTC):%Y-%m-%d %H:%M UTC}"


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """The network in use and its state, replaced as a whole."""

    network: Network
    state: State


class Selector(Protocol):
    """Selects the network for each frame."""

    @property
    def selected(self) -> Selected: ...
    @property
    def recovering(self) -> bool: ...  # a frame waits, for a limited time, for a network to be opened again
    def network(self) -> Network: ...  # for the next frame
    def failed(self, error: AcceleratorError) -> None: ...  # raises the error if no network takes over
