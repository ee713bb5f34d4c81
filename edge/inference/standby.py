"""A network on the CPU that gives its memory back while the Edge TPU works."""

from collections.abc import Callable

from edge.inference.network import Runtime
from edge.types import Array, Backend, RawOutputs


class Standby:
    """A runtime that can be released, and that loads its model again when it is used after that.

    Loading takes a fraction of a second. The model stays in memory as the bytes of its file, so nothing has to be read.
    """

    backend: Backend = "cpu"

    def __init__(self, load: Callable[[], Runtime]) -> None:
        """Load the model. Raises ModelError."""
        self._load = load
        runtime = load()
        self._runtime: Runtime | None = runtime
        self.name = runtime.name
        self.input_size = runtime.input_size
        self.output_shapes = runtime.output_shapes

    def release(self) -> None:
        """Free the memory of the network. Not at the same time as `invoke`."""
        self._runtime = None

    close = release

    def input(self) -> Array:
        return self._loaded().input()

    def invoke(self) -> None:
        self._loaded().invoke()

    def outputs(self) -> RawOutputs:
        return self._loaded().outputs()

    def _loaded(self) -> Runtime:
        if self._runtime is None:
            self._runtime = self._load()
        return self._runtime
