"""Run a TFLite model with LiteRT, tflite-runtime or pycoral. Only this file imports them; it knows nothing of poses."""

import ctypes
import importlib
import shlex
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.inference import edgetpu
from edge.types import Array, Backend, RawOutputs, Tensor

# LiteRT is tflite-runtime's successor; both have the same Interpreter.
_PACKAGES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
MIN_INPUT_PX = 33  # smaller than any real input; a file without a fixed size declares 1
_INPUT_TYPES = (np.uint8, np.int8, np.float32)
_UNRESOLVED_EDGE_TPU, _UNRESOLVED_DECODER = "edgetpu-custom-op", "PosenetDecoderOp"  # in the runtimes' error texts


class CpuRuntime:
    """A model on the CPU, with an input of `input_size` (height, width) px, or of the size that the model declares."""

    backend: Backend = "cpu"

    def __init__(self, model: bytes, *, label: str, input_size: tuple[int, int] | None, threads: int) -> None:
        """Load `model`, the contents of a .tflite file; `label` names it in errors.

        Raises ModelError if the runtime refuses it, if it has no single (1, h, w, 3) input, if inputs or outputs are
        neither floats nor 8-bit integers, or if it declares no size where one is needed. tflite-runtime crashes on
        damaged files: try those in another process first (`edge.inference.model_trial`).
        """
        self.name, package = import_package()
        self._outputs: dict[str, Any] = {}
        own_size = input_size or (0, 0)
        try:
            interpreter = package.Interpreter(model_content=model, num_threads=threads)
            self._outputs = {_plain_name(detail): detail for detail in interpreter.get_output_details()}
            self._input = _image_input(interpreter, label)
            own_size = (int(self._input["shape"][1]), int(self._input["shape"][2]))
            input_size = input_size or _declared(own_size, label)
            if own_size != input_size:
                interpreter.resize_tensor_input(self._input["index"], (1, *input_size, 3))
            interpreter.allocate_tensors()
        except ModelError:
            raise
        except (ValueError, RuntimeError) as exc:
            if input_size and own_size != input_size:
                # If the size is not the reason, this raises the problem of the model itself.
                CpuRuntime(model, label=label, input_size=own_size, threads=threads)
                raise ModelError("model.input_size", f"{label} takes only pictures of {own_size[0]}x{own_size[1]}",
                                 f"set input_size = {list(own_size)}") from exc  # fmt: skip
            raise refusal(str(exc), label, self.output_shapes) from exc
        self._take(interpreter, label)

    def _take(self, interpreter: Any, label: str) -> None:
        """Keep an interpreter whose tensors are allocated. Raises ModelError if its outputs cannot be read."""
        self._input = _image_input(interpreter, label)
        self._outputs = {_plain_name(detail): detail for detail in interpreter.get_output_details()}
        for name, detail in self._outputs.items():
            if detail["dtype"] != np.float32 and not detail["quantization"][0] > 0:
                problem = f"the output {name} of {label} is {detail['dtype'].__name__}, but has no scale"
                raise ModelError("model.name", problem, "use a model that was quantised by TFLite's tools")
        self.input_size = (int(self._input["shape"][1]), int(self._input["shape"][2]))
        self._interpreter = interpreter

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape, without the batch dimension."""
        return {name: tuple(int(n) for n in detail["shape"][1:]) for name, detail in self._outputs.items()}

    def input(self) -> Array:
        """The memory of the input, (h, w, 3), to be filled in place. Drop the reference before `invoke`."""
        view: Array = self._interpreter.tensor(self._input["index"])()[0]
        return view

    def invoke(self) -> None:
        """Compute the outputs. Releases the GIL."""
        self._interpreter.invoke()

    def outputs(self) -> RawOutputs:
        """Copies of the outputs, still quantised."""
        return {
            name: Tensor(self._interpreter.get_tensor(detail["index"])[0], *_quantization(detail))
            for name, detail in self._outputs.items()
        }

    def close(self) -> None:
        """Release the model and its device. Must not run at the same time as `invoke`; nothing works afterwards."""
        self._interpreter = None


class EdgeTpuInterpreter(CpuRuntime):
    """A model that was compiled for the Edge TPU, run on a Coral in this process.

    Only `edgetpu_worker` uses this class, because libedgetpu can crash its process, hang in it, or stop all threads.
    """

    backend: Backend = "edgetpu"

    def __init__(self, model: bytes, *, label: str, device: str, library: str, threads: int) -> None:
        """Load `model` with `library`, which is libedgetpu; `device` is "" (any Coral), "usb", "usb:1", "pci:0"...

        Raises AcceleratorError; ModelError if the model itself cannot be used.
        """
        try:
            self.name, interpreter = _on_edge_tpu(model, device, library, threads)
            interpreter.allocate_tensors()
        except (OSError, AttributeError) as exc:
            raise edgetpu.cannot_load(library, str(exc)) from exc
        except ValueError as exc:
            raise edgetpu.refused(device, library, str(exc)) from exc
        except RuntimeError as exc:
            if _UNRESOLVED_DECODER in str(exc):
                raise refusal(str(exc), label, {}) from exc
            raise edgetpu.incompatible(label, library, str(exc)) from exc
        self._take(interpreter, label)

    def invoke(self) -> None:
        """Compute the outputs. Raises AcceleratorError if the library reports an error, e.g. an unplugged Coral."""
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as exc:
            raise edgetpu.failed(str(exc)) from exc


class _Delegate:
    """The same as the runtimes' `load_delegate`, without their check of the Python implementation.

    Raises OSError if there is no such library, AttributeError if it is no delegate, ValueError if it opens no device.
    """

    def __init__(self, library: str, options: Mapping[str, str]) -> None:
        loaded = ctypes.CDLL(library)
        create, self._destroy = loaded.tflite_plugin_create_delegate, loaded.tflite_plugin_destroy_delegate
        create.restype = ctypes.c_void_p
        self._destroy.argtypes, self._destroy.restype = [ctypes.c_void_p], None
        texts = ctypes.c_char_p * len(options)
        keys, values = (texts(*map(str.encode, column)) for column in (options.keys(), options.values()))
        said: list[bytes] = []
        report = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(said.append)
        self._pointer: int | None = create(keys, values, ctypes.c_size_t(len(options)), report)
        if self._pointer is None:
            raise ValueError(b" ".join(said).decode(errors="replace"))

    def __del__(self) -> None:
        if getattr(self, "_pointer", None) is not None:
            self._destroy(self._pointer)

    def _get_native_delegate_pointer(self) -> int | None:
        """For the runtime's Interpreter."""
        return self._pointer


def _on_edge_tpu(model: bytes, device: str, library: str, threads: int) -> tuple[str, Any]:
    """Name of the runtime, and an interpreter that uses the Coral. Passes errors of the runtime and library through."""
    if library == edgetpu.LIBRARY:
        try:
            # Google's pycoral includes the runtime that its libedgetpu was built for. PyPI's is an unrelated package.
            pycoral = importlib.import_module("pycoral.utils.edgetpu")
        except ImportError:
            pass
        else:
            return "pycoral", pycoral.make_interpreter(model, device=device or None)
    name, package = import_package()
    delegate = _Delegate(library, {"device": device} if device else {})
    interpreter = package.Interpreter(model_content=model, num_threads=threads, experimental_delegates=[delegate])
    return f"{name} with {library.rpartition('/')[2]}", interpreter


def crashes_on_damage() -> bool:
    """Whether the installed runtime crashes on damaged models instead of refusing them."""
    return import_package()[0].startswith("tflite-runtime")


def installed() -> str:
    """Name and version of the runtime. Raises ModelError if none can be imported."""
    return import_package()[0]


def import_package() -> tuple[str, ModuleType]:
    """Name with version, and module, of the runtime. Raises ModelError if none can be imported."""
    for distribution, name in _PACKAGES.items():
        try:
            module = importlib.import_module(f"{name}.interpreter")
        except ImportError:
            continue
        from importlib.metadata import version  # noqa: PLC0415 - costs 20 ms that --help need not pay

        return f"{distribution} {version(distribution)}", module
    raise ModelError("runtime", "no TFLite runtime is installed", f"pip install {' (or '.join(_PACKAGES)})")


def refusal(reason: str, label: str, output_shapes: Mapping[str, tuple[int, ...]]) -> ModelError:
    """The error for a model that the runtime cannot load at any input size."""
    if _UNRESOLVED_EDGE_TPU in reason:
        return ModelError("model.name", f"{label} is compiled for a Coral Edge TPU and does not run on the CPU",
                          'use the file that it was compiled from, or the model "posenet"')  # fmt: skip
    if _UNRESOLVED_DECODER in reason:
        return ModelError("model.name", f"{label} cannot be loaded with the decoder that it ends in",
                          f"run: edge-pose models import {shlex.quote(label)}")  # fmt: skip
    known = ", ".join(f"{name} {list(shape)}" for name, shape in output_shapes.items())
    outputs = f"; its outputs are {known}" if known else ""
    return ModelError("model.name", f"{label} cannot be loaded ({' '.join(reason.split())}){outputs}",
                      'check that the file is a complete PoseNet or MoveNet, or use the model "posenet"')  # fmt: skip


def _image_input(interpreter: Any, label: str) -> Any:
    inputs = interpreter.get_input_details()
    shapes = [list(map(int, detail["shape"])) for detail in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][0] != 1 or shapes[0][3] != 3:
        raise ModelError("model.name", f"{label} takes {shapes} instead of one picture [1, h, w, 3]",
                         "use another model")  # fmt: skip
    if inputs[0]["dtype"] not in _INPUT_TYPES:
        raise ModelError("model.name", f"{label} takes {inputs[0]['dtype'].__name__} pixels",
                         "use a model that takes uint8, int8 or float32")  # fmt: skip
    return inputs[0]


def _declared(size: tuple[int, int], label: str) -> tuple[int, int]:
    if min(size) < MIN_INPUT_PX:
        raise ModelError("model.input_size", f"{label} does not fix the size of its input",
                         "set [height, width], such as [353, 481]")  # fmt: skip
    return size


def _quantization(detail: Mapping[str, Any]) -> tuple[float, int]:
    return (1.0, 0) if detail["dtype"] == np.float32 else detail["quantization"]


def _plain_name(detail: Mapping[str, Any]) -> str:
    """The name of a tensor without the suffixes that converters add, as in `heatmaps:0` and `heatmaps;extra`."""
    return str(detail["name"]).split(";")[0].removesuffix(":0")
