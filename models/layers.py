"""The layers of a network, read from the graph model of TensorFlow.js."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from tflite_writer import Array

Activation: TypeAlias = Literal["", "relu", "relu6"]
_ACTIVATIONS: dict[bytes, Activation] = {b"Relu": "relu", b"Relu6": "relu6"}


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution in TensorFlow Lite's layout: weights (out, h, w, in), or (1, h, w, channels) if depthwise.

    Padding is SAME: the output has the size of the input divided by the stride, rounded up.
    """

    name: str
    source: str  # the layer, or the input, that it reads
    depthwise: bool
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    stride: int
    activation: Activation

    @property
    def channel_axis(self) -> int:
        return 3 if self.depthwise else 0


@dataclass(frozen=True, slots=True)
class Addition:
    """The sum of two layers."""

    name: str
    sources: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Upsampling:
    """Twice the height and width of a layer, interpolated linearly between the centres of its cells."""

    name: str
    source: str


Layer: TypeAlias = Convolution | Addition | Upsampling


def read_layers(model_json: bytes, model_bin: bytes, outputs: Sequence[str]) -> list[Layer]:
    """The layers between the input and the nodes named `outputs`, in the order of execution.

    Nodes before the first convolution, such as the scaling of pixels, are left out.
    """
    model = json.loads(model_json)
    weights = _read_weights(model["weightsManifest"][0]["weights"], model_bin)
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name not in needed and name in nodes and _is_layer(nodes[name]):
            needed.add(name)
            waiting += nodes[name]["input"]
    return [_layer(node, weights) for name, node in nodes.items() if name in needed]


def _read_weights(manifest: Sequence[Mapping[str, Any]], content: bytes) -> dict[str, Array]:
    """Name -> weights, which are stored one after the other; some packages store floats in half precision."""
    weights: dict[str, Array] = {}
    offset = 0
    for entry in manifest:
        stored, real = ("<f4", np.float32) if entry["dtype"] == "float32" else ("<i4", np.int32)
        if "quantization" in entry:
            stored = {"float16": "<f2"}[entry["quantization"]["dtype"]]
        values = np.frombuffer(content, stored, int(np.prod(entry["shape"])), offset)
        weights[entry["name"]] = values.reshape(entry["shape"]).astype(real)
        offset += values.nbytes
    return weights


def _is_layer(node: Mapping[str, Any]) -> bool:
    return "Conv" in node["op"] or node["op"] in {"AddV2", "ResizeBilinear"}


def _layer(node: Mapping[str, Any], weights: Mapping[str, Array]) -> Layer:
    name, op, (source, *others) = node["name"], node["op"], node["input"]
    if op == "AddV2":
        return Addition(name, (source, *others))
    if op == "ResizeBilinear":
        return Upsampling(name, source)
    depthwise = "Depthwise" in op
    # From (h, w, in, out), or (h, w, channels, 1) if depthwise: the last axis comes first in both.
    kernel = weights[others[0]].transpose(3, 0, 1, 2)
    fused = [base64.b64decode(part) for part in node["attr"].get("fused_ops", {}).get("list", {}).get("s", [])]
    activations = [_ACTIVATIONS[part] for part in fused if part in _ACTIVATIONS]
    return Convolution(
        name=name,
        source=source,
        depthwise=depthwise,
        weights=kernel,
        bias=weights[others[1]] if len(others) > 1 else np.zeros(kernel.shape[3 if depthwise else 0], np.float32),
        stride=int(node["attr"]["strides"]["list"]["i"][1]),
        activation=activations[0] if activations else "",
    )
