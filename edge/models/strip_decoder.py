"""Cut PoseNet's decoder off a .tflite file, so that what remains is the network with its raw outputs.

Coral's `*_decoder*.tflite` end in the custom operator PosenetDecoderOp, which neither LiteRT nor plain libedgetpu has.
A .tflite file is a FlatBuffer: tables whose fields say how far ahead their contents lie. So the file is edited in
place: the list of operators becomes one shorter, and what is new is appended and pointed to. Weights, quantisation
and code for the Edge TPU stay as they are, byte by byte. Nothing but `struct` is needed, as tflite-runtime comes
without a FlatBuffer library.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import ModelError

_DECODER = b"PosenetDecoderOp"
_EDGE_TPU = b"edgetpu-custom-op"  # stands for all that was compiled for the Edge TPU
# The decoder's inputs, by their number of channels; the file then has them as outputs, in this order.
_HEADS = {17: "heatmaps", 34: "short_offsets", 64: "mid_offsets"}

# Numbers of fields, from TensorFlow Lite's schema.fbs, version 3: the order in which it declares them.
_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS, _MODEL_SIGNATURES = 1, 2, 4, 7
_CODE_CUSTOM = 1
_SUBGRAPH_TENSORS, _SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS, _SUBGRAPH_OPERATORS = 0, 1, 2, 3
_TENSOR_SHAPE, _TENSOR_NAME = 0, 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_CUSTOM_OPTIONS = 0, 1, 5
_BUFFER_DATA = 0
_IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every file

_LONGEST = 100  # elements of a list of numbers, bytes of a name: a damaged file may claim any length


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file says of its own input and outputs, without being run."""

    input_size: tuple[int, int]  # height, width in px
    outputs: Mapping[str, tuple[int, ...]]  # name -> shape without the batch dimension
    edge_tpu: bool  # compiled for the Edge TPU: does not run without one


def cut_decoder(content: bytes) -> bytes:
    """The model without the decoder that it ends in; its outputs are `heatmaps`, `short_offsets` and `mid_offsets`.

    `mid_offsets` has 64 channels: forward y of 16 edges, forward x, backward y, backward x. A model without a decoder
    is returned as it is. Raises ModelError if `content` is no TFLite file, is not whole, or has a decoder of another
    kind.
    """
    model = _root(content)
    graph = _main_graph(model)
    _check_data(model, graph)
    decoder_codes = _codes(model, _DECODER)
    operators = graph.vector(_SUBGRAPH_OPERATORS)
    decoders = [at for at in operators if _follow(content, at).number(_OPERATOR_CODE) in decoder_codes]
    if not decoders:
        return content
    if decoders != [operators[-1]]:
        raise ModelError("its decoder is not its last operator; use a model as Coral publishes it")
    heads = _heads(graph, _follow(content, decoders[0]))

    edited = bytearray(content)
    _set_length(edited, operators, len(operators) - 1)
    # Signatures name inputs and outputs once more, and nothing here asks for them.
    _set_length(edited, model.vector(_MODEL_SIGNATURES), 0)
    tensors = graph.vector(_SUBGRAPH_TENSORS)
    for name, index in heads.items():
        _point(edited, _follow(content, tensors[index]).place(_TENSOR_NAME), len(name), name.encode() + b"\0")
    indices = struct.pack(f"<{len(heads)}i", *heads.values())
    _point(edited, graph.place(_SUBGRAPH_OUTPUTS), len(heads), indices)
    return bytes(edited)


def outline(content: bytes) -> Outline:
    """Read the size of the input and the shapes of the outputs from the file, and whether it is for the Edge TPU.

    Raises ModelError if `content` is no TFLite file, is damaged, or does not take one picture.
    """
    model = _root(content)
    graph = _main_graph(model)
    inputs = [shape for _, shape in _described(graph, graph, _SUBGRAPH_INPUTS)]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][0] != 1 or inputs[0][3] != 3 or min(inputs[0]) < 1:
        raise ModelError(f"it does not take one picture [1, h, w, 3] but {[list(shape) for shape in inputs]}; "
                         "a PoseNet is needed")  # fmt: skip
    edge_tpu_codes = _codes(model, _EDGE_TPU)
    operators = graph.vector(_SUBGRAPH_OPERATORS)
    return Outline(
        input_size=(inputs[0][1], inputs[0][2]),
        outputs={name: shape[1:] for name, shape in _described(graph, graph, _SUBGRAPH_OUTPUTS)},
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


def _heads(graph: "_Table", decoder: "_Table") -> dict[str, int]:
    """Name -> index of the tensor, of what the decoder takes."""
    described = _described(graph, decoder, _OPERATOR_INPUTS)
    channels = {shape[3]: at for at, (_, shape) in enumerate(described) if len(shape) == 4}
    if len(described) != len(_HEADS) or channels.keys() != _HEADS.keys():
        listing = ", ".join(f"{name} {list(shape)}" for name, shape in described)
        raise ModelError(f"its decoder takes {listing or 'nothing'}; one that takes heatmaps [1, h, w, 17], "
                         "short offsets [1, h, w, 34] and mid offsets [1, h, w, 64] is needed")  # fmt: skip
    indices = decoder.integers(_OPERATOR_INPUTS)
    return {name: indices[channels[count]] for count, name in _HEADS.items()}


def _described(graph: "_Table", owner: "_Table", field: int) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of each of the tensors that `field` of `owner` lists by index."""
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


def _codes(model: "_Table", custom: bytes) -> set[int]:
    """The numbers by which operators refer to the custom operator of that name."""
    codes = model.vector(_MODEL_CODES)
    return {number for number, at in enumerate(codes) if _follow(model.content, at).text(_CODE_CUSTOM) == custom}


def _root(content: bytes) -> "_Table":
    if content[4:8] != _IDENTIFIER:
        raise ModelError("it is not a TFLite model; give a PoseNet as a .tflite file")
    return _follow(content, 0)


def _main_graph(model: "_Table") -> "_Table":
    subgraphs = model.vector(_MODEL_SUBGRAPHS)
    if not subgraphs:
        raise _damaged()
    return _follow(model.content, subgraphs[0])


@dataclass(frozen=True, slots=True)
class _Table:
    """A FlatBuffer table. Every position that the file names is checked before it is used."""

    content: bytes
    at: int

    def place(self, field: int) -> int:
        """Where the offset in that field is. Raises ModelError if the table does not have it."""
        place = self._place(field)
        if not place or place + 4 > len(self.content):
            raise _damaged()
        return place

    def number(self, field: int) -> int:
        """The unsigned 32-bit number; 0 if it is left out."""
        place = self._place(field)
        return _number(self.content, place, "I") if place else 0

    def vector(self, field: int, width: int = 4) -> range:
        """The positions of the elements, which are `width` bytes each; none if the field is left out."""
        place = self._place(field)
        if not place:
            return range(0)
        at = place + _number(self.content, place, "I")
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
        elements = self.vector(field, width=1)[:_LONGEST]
        return self.content[elements.start : elements.stop]

    def _place(self, field: int) -> int | None:
        """A table begins with the distance back to a list of where its fields are; those at its end may be left out."""
        fields = self.at - _number(self.content, self.at, "i")
        slot = 4 + 2 * field  # behind the sizes of list and table
        if slot + 2 > _number(self.content, fields, "H"):
            return None
        distance = _number(self.content, fields + slot, "H")
        return self.at + distance if distance else None


def _follow(content: bytes, at: int) -> _Table:
    """The table that the offset at `at` leads to."""
    return _Table(content, at + _number(content, at, "I"))


def _number(content: bytes, at: int, code: str) -> int:
    if not 0 <= at <= len(content) - struct.calcsize(code):
        raise _damaged()
    number: int = struct.unpack_from(f"<{code}", content, at)[0]
    return number


def _set_length(edited: bytearray, elements: range, length: int) -> None:
    if elements:
        struct.pack_into("<I", edited, elements.start - 4, length)


def _point(edited: bytearray, place: int, length: int, elements: bytes) -> None:
    """Append a vector and let the offset at `place` lead to it."""
    edited += bytes(-len(edited) % 4)
    struct.pack_into("<I", edited, place, len(edited) - place)
    edited += struct.pack("<I", length) + elements


def _damaged() -> ModelError:
    return ModelError("it is damaged: it points to places outside itself; fetch it again")
