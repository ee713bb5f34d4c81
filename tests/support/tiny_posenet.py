"""Tiny networks as .tflite files: a PoseNet with a decoder operator at its end, as in Coral's models, and a MoveNet.

They are written byte by byte, so that tests need no FlatBuffer library. The PoseNet runs, but detects no people.
"""

import struct
from collections.abc import Sequence
from typing import TypeAlias

INPUT_SIZE = (33, 49)  # height, width in px
GRID = (3, 4)
OUTPUTS = {"heatmaps": (*GRID, 17), "short_offsets": (*GRID, 34), "mid_offsets": (*GRID, 64)}

# A field: one number or a vector of numbers with their `struct` code, bytes, a table, or a vector of tables.
Field: TypeAlias = "tuple[str, int] | Contents"
Contents: TypeAlias = "tuple[str, Sequence[float]] | bytes | Table | list[Table]"
Table: TypeAlias = dict[int, Field]  # number of the field in TensorFlow Lite's schema -> what it holds

_CONV_2D, _RESHAPE, _CUSTOM = 3, 22, 32
_UINT8, _INT32, _FLOAT32 = 3, 2, 0


def tiny_posenet(
    *,
    decoder: str = "PosenetDecoderOp",
    order: Sequence[int] = (17, 34, 64),
    edge_tpu: bool = False,
    fixed: bool = False,
) -> bytes:
    """A PoseNet of three convolutions that ends in a custom operator `decoder`, or in the raw outputs if that is empty.

    `order` is the order of the decoder's inputs, by their channels. With `edge_tpu`, the network is one custom
    operator, and with `fixed` it only accepts pictures of INPUT_SIZE.
    """
    graph = _Graph()
    image = graph.tensor("image", (1, *INPUT_SIZE, 3), scale=1 / 128)
    source = image
    if fixed:
        shape = graph.tensor("shape", (4,), _INT32, data=struct.pack("<4i", 1, *INPUT_SIZE, 3))
        source = graph.tensor("reshaped", (1, *INPUT_SIZE, 3), scale=1 / 128)
        graph.operator(_RESHAPE, "", (image, shape), (source,))
    outputs = [graph.tensor(f"net/{name}", (1, *shape), scale=shape[2] / 100) for name, shape in OUTPUTS.items()]
    if edge_tpu:
        graph.operator(_CUSTOM, "edgetpu-custom-op", (source,), outputs, custom=b"code" * 100)
    else:
        for output, (_, _, channels) in zip(outputs, OUTPUTS.values(), strict=True):
            values = bytes(number * 37 % 256 for number in range(3 * channels))
            weights = graph.tensor("weights", (channels, 1, 1, 3), scale=channels / 1000, data=values)
            bias = graph.tensor(
                "bias", (channels,), _INT32, scale=channels / 128000, zero_point=0, data=bytes(4 * channels)
            )
            graph.operator(_CONV_2D, "", (source, weights, bias), (output,), options={1: ("i", 16), 2: ("i", 16)})
    if decoder:
        poses = [graph.tensor(f"poses:{n}", (1, 10)[: 2 - n // 3], _FLOAT32) for n in range(4)]
        by_channels = dict(zip((17, 34, 64), outputs, strict=True))
        graph.operator(_CUSTOM, decoder, [by_channels[channels] for channels in order], poses)
        return graph.finish([image], poses)
    return graph.finish([image], outputs)


def tiny_movenet(keypoints: Sequence[float], input_size: tuple[int, int] = INPUT_SIZE) -> bytes:
    """A MoveNet that detects the same person in every picture: y, x, confidence of 17 keypoints."""
    graph = _Graph()
    image = graph.tensor("serving_default_input:0", (1, *input_size, 3))
    shape = graph.tensor("shape", (4,), _INT32, data=struct.pack("<4i", 1, 1, 17, 3))
    values = graph.tensor("values", (51,), _FLOAT32, data=struct.pack("<51f", *keypoints))
    seen = graph.tensor("StatefulPartitionedCall:0", (1, 1, 17, 3), _FLOAT32)
    graph.operator(_RESHAPE, "", (values, shape), (seen,))
    return graph.finish([image], [seen])


class _Graph:
    def __init__(self) -> None:
        self._buffers: list[Table] = [{}]
        self._tensors: list[Table] = []
        self._codes: list[Table] = []
        self._operators: list[Table] = []

    def tensor(
        self, name: str, shape: Sequence[int], dtype: int = _UINT8, *,
        scale: float = 0, zero_point: int = 128, data: bytes = b"",
    ) -> int:  # fmt: skip
        table: Table = {0: ("i", shape), 1: ("b", dtype), 3: name.encode()}
        if data:
            table[2] = ("I", len(self._buffers))
            self._buffers.append({0: data})
        if scale:
            table[4] = {2: ("f", [scale]), 3: ("q", [zero_point])}
        self._tensors.append(table)
        return len(self._tensors) - 1

    def operator(
        self, code: int, name: str, inputs: Sequence[int], outputs: Sequence[int], *,
        options: Table | None = None, custom: bytes = b"",
    ) -> None:  # fmt: skip
        self._codes.append({0: ("b", code), 2: ("i", 1), 3: ("i", code)} | ({1: name.encode()} if name else {}))
        operator: Table = {0: ("I", len(self._codes) - 1), 1: ("i", inputs), 2: ("i", outputs)}
        if options:
            operator |= {3: ("B", 1), 4: options}  # 1: they are those of CONV_2D
        if custom:
            operator[5] = custom
        self._operators.append(operator)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        graph: Table = {0: self._tensors, 1: ("i", inputs), 2: ("i", outputs), 3: self._operators, 4: b"main"}
        named: list[list[Table]] = [[{0: b"in", 1: ("I", inputs[0])}], [{0: b"out", 1: ("I", outputs[0])}]]
        signature: Table = {0: named[0], 1: named[1], 2: b"serving_default"}
        model: Table = {
            0: ("I", 3), 1: self._codes, 2: [graph], 3: b"tiny", 4: self._buffers, 7: [signature],
        }  # fmt: skip
        out = bytearray(b"\0\0\0\0TFL3")
        _offset(out, 0, model)
        return bytes(out)


def _offset(out: bytearray, place: int, contents: Contents) -> None:
    """Append the contents, and make the offset at `place` point to them."""
    if isinstance(contents, dict):
        at = _table(out, contents)
    elif isinstance(contents, list):
        at = _vector(out, bytes(4 * len(contents)), len(contents))
        for number, table in enumerate(contents):
            _offset(out, at + 4 + 4 * number, table)
    elif isinstance(contents, bytes):
        at = _vector(out, contents + b"\0", len(contents))
    else:
        code, numbers = contents
        at = _vector(out, struct.pack(f"<{len(numbers)}{code}", *numbers), len(numbers))
    struct.pack_into("<I", out, place, at - place)


def _vector(out: bytearray, elements: bytes, length: int) -> int:
    out += bytes(-(len(out) + 4) % 16)  # aligns elements of any type
    out += struct.pack("<I", length) + elements
    return len(out) - len(elements) - 4


def _table(out: bytearray, table: Table) -> int:
    """Append a table whose fields all take four bytes, in the order of `table`."""
    places = {number: 4 + 4 * order for order, number in enumerate(table)}
    slots = [places.get(number, 0) for number in range(max(table, default=-1) + 1)]
    out += bytes(-len(out) % 4)
    fields = len(out)
    out += struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), 4 + 4 * len(table), *slots)
    out += bytes(-len(out) % 4)
    at = len(out)
    out += struct.pack("<i", at - fields) + bytes(4 * len(table))
    for number, field in table.items():
        if isinstance(field, tuple) and not isinstance(field[1], Sequence):
            struct.pack_into(f"<{field[0]}", out, at + places[number], field[1])
        else:
            _offset(out, at + places[number], field)
    return at
