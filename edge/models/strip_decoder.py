"""Strip PoseNet's decoder from a .tflite file, so that the network with its raw outputs remains.

Coral's `*_decoder*.tflite` end in the custom operator PosenetDecoderOp, which LiteRT and libedgetpu do not have.
A .tflite file is a FlatBuffer: tables of fields, and each field holds the distance to its contents. This module edits
the file in place: it shortens the list of operators, appends the new names and outputs, and points to them. Weights,
quantisation and code for the Edge TPU keep their bytes.

It uses only `struct`, because tflite-runtime on 32-bit systems comes without the FlatBuffer schema that LiteRT has.
Layout: https://flatbuffers.dev/internals and TensorFlow Lite's schema.fbs, version 3.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import ModelError

_DECODER = b"PosenetDecoderOp"
_EDGE_TPU = b"edgetpu-custom-op"  # replaces all operators that were compiled for the Edge TPU
# Channels of the decoder's inputs -> name. The stripped file has these outputs, in this order.
_OUTPUTS = {17: "heatmaps", 34: "short_offsets", 64: "mid_offsets"}

# Field numbers: the order in which schema.fbs declares the fields.
_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS, _MODEL_SIGNATURES = 1, 2, 4, 7
_CODE_CUSTOM = 1
_SUBGRAPH_TENSORS, _SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS, _SUBGRAPH_OPERATORS = 0, 1, 2, 3
_TENSOR_SHAPE, _TENSOR_NAME = 0, 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_CUSTOM_OPTIONS = 0, 1, 5
_BUFFER_DATA = 0
_IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every .tflite file

_LONGEST = 100  # numbers in a list, bytes in a name: a damaged file may claim any length


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file declares about its input and outputs."""

    input_size: tuple[int, int]  # height, width in px
    outputs: Mapping[str, tuple[int, ...]]  # name -> shape without the batch dimension
    edge_tpu: bool  # compiled for the Edge TPU, and runs nowhere else


def strip_decoder(content: bytes) -> bytes:
    """The model without its decoder; its outputs are `heatmaps`, `short_offsets` and `mid_offsets`.

    `mid_offsets` has 64 channels: forward y of 16 edges, forward x, backward y, backward x. A model without a decoder
    is returned unchanged. Raises ModelError if `content` is not a TFLite file, is cut short, or has another decoder.
    """
    model = _root(content)
    graph = _main_graph(model)
    _check_data(model, graph)
    decoder_codes = _custom_codes(model, _DECODER)
    operators = graph.vector(_SUBGRAPH_OPERATORS)
    decoders = [at for at in operators if _follow(content, at).number(_OPERATOR_CODE) in decoder_codes]
    if not decoders:
        return content
    if decoders != [operators[-1]]:
        raise ModelError("", "its decoder is not its last operator", "use a model as Coral publishes it")
    outputs = _decoder_inputs(graph, _follow(content, decoders[0]))

    edited = bytearray(content)
    _set_length(edited, operators, len(operators) - 1)
    # Signatures repeat the names of inputs and outputs; the runtime does not need them.
    _set_length(edited, model.vector(_MODEL_SIGNATURES), 0)
    tensors = graph.vector(_SUBGRAPH_TENSORS)
    for name, index in outputs.items():
        position = _follow(content, tensors[index]).position(_TENSOR_NAME)
        _append_vector(edited, position, len(name), name.encode() + b"\0")
    indices = struct.pack(f"<{len(outputs)}i", *outputs.values())
    _append_vector(edited, graph.position(_SUBGRAPH_OUTPUTS), len(outputs), indices)
    return bytes(edited)


def outline(content: bytes) -> Outline:
    """Read the input size, the output shapes, and whether the file is for the Edge TPU.

    Raises ModelError if `content` is not a TFLite file, is damaged, or its input is not one picture.
    """
    model = _root(content)
    graph = _main_graph(model)
    inputs = [shape for _, shape in _tensors(graph, graph, _SUBGRAPH_INPUTS)]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][0] != 1 or inputs[0][3] != 3 or min(inputs[0]) < 1:
        shapes = ", ".join(str(list(shape)) for shape in inputs) or "nothing"
        raise ModelError("", f"it takes {shapes} instead of one picture [1, h, w, 3]", "use a PoseNet or MoveNet")
    edge_tpu_codes = _custom_codes(model, _EDGE_TPU)
    operators = graph.vector(_SUBGRAPH_OPERATORS)
    return Outline(
        input_size=(inputs[0][1], inputs[0][2]),
        outputs={name: shape[1:] for name, shape in _tensors(graph, graph, _SUBGRAPH_OUTPUTS)},
        edge_tpu=any(_follow(content, at).number(_OPERATOR_CODE) in edge_tpu_codes for at in operators),
    )


def _check_data(model: "_Table", graph: "_Table") -> None:
    """Raise ModelError if the weights, or the code for an Edge TPU, are cut short."""
    for field, owner, data in (
        (_MODEL_BUFFERS, model, _BUFFER_DATA),
        (_SUBGRAPH_OPERATORS, graph, _OPERATOR_CUSTOM_OPTIONS),
    ):
        for at in owner.vector(field):
            _follow(model.content, at).vector(data, width=1)


def _decoder_inputs(graph: "_Table", decoder: "_Table") -> dict[str, int]:
    """Name -> index of each tensor that the decoder reads. Raises ModelError if they are not PoseNet's outputs."""
    tensors = _tensors(graph, decoder, _OPERATOR_INPUTS)
    by_channels = {shape[3]: at for at, (_, shape) in enumerate(tensors) if len(shape) == 4}
    if len(tensors) != len(_OUTPUTS) or by_channels.keys() != _OUTPUTS.keys():
        listing = ", ".join(f"{name} {list(shape)}" for name, shape in tensors) or "nothing"
        remedy = "use a decoder of heatmaps [1, h, w, 17], short offsets [1, h, w, 34] and mid offsets [1, h, w, 64]"
        raise ModelError("", f"its decoder takes {listing}", remedy)
    indices = decoder.integers(_OPERATOR_INPUTS)
    return {name: indices[by_channels[channels]] for channels, name in _OUTPUTS.items()}


def _tensors(graph: "_Table", owner: "_Table", field: int) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of the tensors that `field` of `owner` lists by index."""
    tensors = graph.vector(_SUBGRAPH_TENSORS)
    described = []
    for index in owner.integers(field):
        if not 0 <= index < len(tensors):
            raise _damaged()
        tensor = _follow(graph.content, tensors[index])
        name = tensor.text(_TENSOR_NAME).decode(errors="replace")
        readable = "".join(letter if letter.isprintable() else "?" for letter in name)
        described.append((readable, tensor.integers(_TENSOR_SHAPE)))
    return described


def _custom_codes(model: "_Table", name: bytes) -> set[int]:
    """The codes by which operators refer to the custom operator of that name."""
    codes = model.vector(_MODEL_CODES)
    return {code for code, at in enumerate(codes) if _follow(model.content, at).text(_CODE_CUSTOM) == name}


def _root(content: bytes) -> "_Table":
    if content[4:8] != _IDENTIFIER:
        raise ModelError("", "it is not a TFLite model", "give a PoseNet or MoveNet as a .tflite file")
    return _follow(content, 0)


def _main_graph(model: "_Table") -> "_Table":
    subgraphs = model.vector(_MODEL_SUBGRAPHS)
    if not subgraphs:
        raise _damaged()
    return _follow(model.content, subgraphs[0])


@dataclass(frozen=True, slots=True)
class _Table:
    """A FlatBuffer table. Every position that the file names is checked before it is read."""

    content: bytes
    at: int

    def position(self, field: int) -> int:
        """The position of the field's offset. Raises ModelError if the table omits that field."""
        position = self._position(field)
        if not position or position + 4 > len(self.content):
            raise _damaged()
        return position

    def number(self, field: int) -> int:
        """An unsigned 32-bit number; 0 if the table omits the field."""
        position = self._position(field)
        return _number(self.content, position, "I") if position else 0

    def vector(self, field: int, width: int = 4) -> range:
        """The positions of the elements, of `width` bytes each; empty if the table omits the field."""
        position = self._position(field)
        if not position:
            return range(0)
        at = position + _number(self.content, position, "I")
        first, length = at + 4, _number(self.content, at, "I")
        if first + width * length > len(self.content):
            raise _damaged()
        return range(first, first + width * length, width)

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of signed 32-bit numbers."""
        elements = self.vector(field)
        if len(elements) > _LONGEST:
            raise _damaged()
        return struct.unpack_from(f"<{len(elements)}i", self.content, elements.start) if elements else ()

    def text(self, field: int) -> bytes:
        """A string, at most _LONGEST bytes of it."""
        elements = self.vector(field, width=1)[:_LONGEST]
        return self.content[elements.start : elements.stop]

    def _position(self, field: int) -> int | None:
        """A table starts with the distance back to its vtable, which lists where the fields are, or 0 for none."""
        vtable = self.at - _number(self.content, self.at, "i")
        slot = 4 + 2 * field  # the first two numbers are the sizes of vtable and table
        if slot + 2 > _number(self.content, vtable, "H"):
            return None
        distance = _number(self.content, vtable + slot, "H")
        return self.at + distance if distance else None


def _follow(content: bytes, at: int) -> _Table:
    """The table that the offset at `at` leads to."""
    return _Table(content, at + _number(content, at, "I"))


def _number(content: bytes, at: int, code: str) -> int:
    """The number at a position, in the format `code` of `struct`. Raises ModelError outside the file."""
    if not 0 <= at <= len(content) - struct.calcsize(code):
        raise _damaged()
    number: int = struct.unpack_from(f"<{code}", content, at)[0]
    return number


def _set_length(edited: bytearray, elements: range, length: int) -> None:
    """Change the length of a vector, which is stored before its elements."""
    if elements:
        struct.pack_into("<I", edited, elements.start - 4, length)


def _append_vector(edited: bytearray, position: int, length: int, elements: bytes) -> None:
    """Append a vector, and let the offset at `position` lead to it."""
    edited += bytes(-len(edited) % 4)
    struct.pack_into("<I", edited, position, len(edited) - position)
    edited += struct.pack("<I", length) + elements


def _damaged() -> ModelError:
    return ModelError("", "it is damaged: it refers to positions outside the file", "download it again")
