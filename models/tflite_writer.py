"""Write a TensorFlow Lite file tensor by tensor and operator by operator, without TensorFlow.

A .tflite file is a FlatBuffer, and LiteRT ships the generated code of its schema. The same calls give the same bytes on
every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Array: TypeAlias = npt.NDArray[Any]

TENSOR_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}
FILE_IDENTIFIER = b"TFL3"


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """real = (stored - zero_point) * scale, with one scale, or with one for each channel along `axis`."""

    scale: float | Array
    zero_point: int = 0
    axis: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor of the graph."""

    index: int
    shape: tuple[int, ...]
    scale: float  # of one step; 1 without quantisation or with several scales


class Graph:
    """A model with one subgraph. Add tensors, constants and operators; `finish` returns the bytes of the file."""

    def __init__(self, description: str) -> None:
        self._subgraph = schema.SubGraphT()
        self._subgraph.name = "main"
        self._subgraph.tensors = []
        self._subgraph.operators = []
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.description = description
        self._model.subgraphs = [self._subgraph]
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]  # buffer 0 is empty: it marks computed tensors

    def tensor(self, name: str, shape: Sequence[int], dtype: str, quantization: Quantization | None = None) -> Tensor:
        """Add the input, or a tensor whose values an operator computes."""
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = list(shape)
        tensor.type = TENSOR_TYPES[dtype]
        scales = np.atleast_1d(quantization.scale) if quantization else np.ones(1)
        if quantization:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales.tolist()
            tensor.quantization.zeroPoint = [quantization.zero_point] * len(scales)
            tensor.quantization.quantizedDimension = quantization.axis
        self._subgraph.tensors.append(tensor)
        return Tensor(len(self._subgraph.tensors) - 1, tuple(shape), float(scales[0]) if len(scales) == 1 else 1.0)

    def constant(self, name: str, values: Array, quantization: Quantization | None = None) -> Tensor:
        """Add a tensor with stored values; it has their dtype."""
        tensor = self.tensor(name, values.shape, values.dtype.name, quantization)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.astype(values.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self._subgraph.tensors[tensor.index].buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        return tensor

    def operator(self, code: int, version: int, inputs: Sequence[Tensor], output: Tensor, options: Any) -> None:
        """Add an operator with a builtin `code` of the schema. Operators run in the order of these calls."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code_index(code, version)
        operator.inputs = [tensor.index for tensor in inputs]
        operator.outputs = [output.index]
        # The schema names a union's members after its types: Conv2DOptionsT is BuiltinOptions.Conv2DOptions.
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        operator.builtinOptions = options
        self._subgraph.operators.append(operator)

    def finish(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bytes:
        """The bytes of the file. Inputs and outputs keep their order."""
        self._subgraph.inputs = [tensor.index for tensor in inputs]
        self._subgraph.outputs = [tensor.index for tensor in outputs]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _code_index(self, code: int, version: int) -> int:
        for index, known in enumerate(self._model.operatorCodes):
            if known.builtinCode == code:
                known.version = max(known.version, version)  # a later version supports everything before it
                return index
        entry = schema.OperatorCodeT()
        entry.builtinCode = code
        entry.deprecatedBuiltinCode = code  # for old runtimes; all of these codes are below its limit of 127
        entry.version = version
        self._model.operatorCodes.append(entry)
        return len(self._model.operatorCodes) - 1
