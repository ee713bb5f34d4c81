"""Run a TFLite model; knows nothing of poses. The only file that imports LiteRT or tflite-runtime."""

import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.types import Array, Backend, RawOutputs, Tensor

# LiteRT is tflite-runtime's successor; both have the same Interpreter.
_PACKAGES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
_INPUT_TYPES = (np.uint8, np.int8, np.float32)


class CpuRuntime:
    """A model on the CPU, with an input of `input_size` (height, width)."""

    backend: Backend = "cpu"

    def __init__(self, model: bytes, *, label: str, input_size: tuple[int, int], threads: int) -> None:
        """Load `model`, the contents of a .tflite file that `label` names in errors.

        Raises ModelError if it cannot be loaded, has no single (1, h, w, 3) input, or no floats or 8-bit integers
        in and out. tflite-runtime does not survive damaged files: check them before (`check_in_child`).
        """
        self.name, package = _import_package()
        self._outputs: dict[str, Any] = {}
        try:
            interpreter = package.Interpreter(model_content=model, num_threads=threads)
            self._outputs = {_plain_name(detail): detail for detail in interpreter.get_output_details()}
            self._input = _image_input(interpreter, label)
            if tuple(self._input["shape"][1:3]) != input_size:
                interpreter.resize_tensor_input(self._input["index"], (1, *input_size, 3))
            interpreter.allocate_tensors()
        except ModelError:
            raise
        except (ValueError, RuntimeError) as exc:
            reason = " ".join(str(exc).split())
            known = ", ".join(f"{name} {list(shape)}" for name, shape in self.output_shapes.items())
            raise ModelError(f"model.name: {label} cannot be loaded for pictures of {input_size[0]}x{input_size[1]} "
                             f"({reason}); its outputs are {known or 'unknown'}; is it whole, and a PoseNet? "
                             "If in doubt, use the model «posenet»") from exc  # fmt: skip
        self._outputs = {_plain_name(detail): detail for detail in interpreter.get_output_details()}
        self.input_size = input_size
        self._interpreter = interpreter

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape, without the batch dimension."""
        return {name: tuple(int(n) for n in detail["shape"][1:]) for name, detail in self._outputs.items()}

    def input(self) -> Array:
        """The memory of the input, (h, w, 3), to be filled; let go of it before `invoke`."""
        view: Array = self._interpreter.tensor(self._input["index"])()[0]
        return view

    def invoke(self) -> None:
        """Compute the outputs. Releases the GIL."""
        self._interpreter.invoke()

    def outputs(self) -> RawOutputs:
        """Copies of the outputs, still quantised."""
        return {
            name: Tensor(self._interpreter.get_tensor(detail["index"])[0], *detail["quantization"])
            if detail["dtype"] != np.float32
            else Tensor(self._interpreter.get_tensor(detail["index"])[0])
            for name, detail in self._outputs.items()
        }


def needs_check() -> bool:
    """Whether the runtime that is installed dies of damaged models instead of refusing them."""
    return _import_package()[0].startswith("tflite-runtime")


def check_in_child(path: Path) -> None:
    """Load `path` and run it once in another process, since a damaged file kills tflite-runtime.

    Raises ModelError if that process did not survive.
    """
    done = subprocess.run([sys.executable, "-m", __name__, str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ModelError(f"model.name: {path} is damaged: the runtime crashed on it; fetch it again")


def _import_package() -> tuple[str, ModuleType]:
    for distribution, name in _PACKAGES.items():
        try:
            module = importlib.import_module(f"{name}.interpreter")
        except ImportError:
            continue
        from importlib.metadata import version  # noqa: PLC0415 - costs 20 ms that --help need not pay

        return f"{distribution} {version(distribution)}", module
    raise ModelError(f"no runtime for models is installed; do: pip install {' (or '.join(_PACKAGES)})")


def _image_input(interpreter: Any, label: str) -> Any:
    inputs = interpreter.get_input_details()
    shape = [list(map(int, detail["shape"])) for detail in inputs]
    if len(shape) != 1 or len(shape[0]) != 4 or shape[0][0] != 1 or shape[0][3] != 3:
        raise ModelError(f"model.name: {label} does not take one picture [1, h, w, 3] but {shape}; use another model")
    if inputs[0]["dtype"] not in _INPUT_TYPES:
        raise ModelError(f"model.name: {label} takes {inputs[0]['dtype'].__name__} pixels; "
                         "uint8, int8 or float32 are supported")  # fmt: skip
    return inputs[0]


def _plain_name(detail: Mapping[str, Any]) -> str:
    """`StatefulPartitionedCall:0` and `heatmaps;extra` as people would write them."""
    return str(detail["name"]).split(";")[0].removesuffix(":0")


if __name__ == "__main__":
    _, _package = _import_package()
    _interpreter = _package.Interpreter(model_path=sys.argv[1])
    _interpreter.allocate_tensors()
    _interpreter.invoke()
