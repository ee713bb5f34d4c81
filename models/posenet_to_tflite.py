"""The network: Google's PoseNet weights as TensorFlow.js stores them in, the bytes of a .tflite file out.

MobileNetV1 with 0.75 of the full width, output stride 16, and four heads. Every layer is a convolution or a
depthwise convolution with SAME padding, so the network is fully convolutional: one file serves every input size
through `resize_tensor_input`, and the size that it declares is only the default one.

Other code runs the same weights with the last depthwise layer dilated, as an output stride of 16 seems to ask for.
That is not done here: they were not trained for it, and keypoints come out three times as far off.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from tflite_writer import Array, Graph, Quantization, Tensor

INPUT_SHAPE = (1, 353, 481, 3)
INPUT_NAME = "image"

# The network was trained on pixels in -1..1. Stored pixel p means (p - 128) / 127.5: that has the trained step and
# an exact zero, which integer arithmetic needs, and lies 0.5 / 127.5 = 0.004 under the trained p / 127.5 - 1.
PIXELS = Quantization(1 / 127.5, 128)

# The first versions of TensorFlow Lite's convolutions, ordinary and depthwise, that have float32 and int8.
FLOAT_VERSION = 1
INT8_VERSION = 3


@dataclass(frozen=True, slots=True)
class Head:
    """An output: its name in our files, and the real values that eight bits must span."""

    name: str
    low: float
    high: float


# In the order of the outputs. Ranges are as wide as people in pictures need and no wider: a step is a 255th of them.
HEADS = {
    # Logits. Beyond ±10 the sigmoid is within 0.00005 of 0 or 1, and nobody can tell the difference.
    "MobilenetV1/heatmap_2/BiasAdd": Head("heatmaps", -10, 10),
    # px from a cell to the keypoint. At the very peak of a heatmap up to 22 px were seen, more than the stride of 16,
    # which ±16 would cut off. Steps are 0.2 px.
    "MobilenetV1/offset_2/BiasAdd": Head("short_offsets", -24, 24),
    # px to the next keypoint of the skeleton, so as long as a limb: up to 164 px were seen, at 481x641. Steps are
    # 1.6 px, which costs nothing: the decoder follows the short offsets from where these lead.
    "MobilenetV1/displacement_fwd_2/BiasAdd": Head("displacement_fwd", -200, 200),
    "MobilenetV1/displacement_bwd_2/BiasAdd": Head("displacement_bwd", -200, 200),
}


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution in TensorFlow Lite's layout: weights (out, h, w, in), or (1, h, w, channels) if depthwise."""

    name: str
    source: str  # the layer, or the input, that it reads
    depthwise: bool
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    stride: int
    relu6: bool

    @property
    def channel_axis(self) -> int:
        return 3 if self.depthwise else 0


def read_layers(model_json: bytes, model_bin: bytes) -> list[Layer]:
    """The layers of a TensorFlow.js graph model, in the order in which they run."""
    model = json.loads(model_json)
    weights: dict[str, npt.NDArray[np.float32]] = {}
    offset = 0
    for entry in model["weightsManifest"][0]["weights"]:
        values = np.frombuffer(model_bin, "<f4", int(np.prod(entry["shape"])), offset)
        weights[entry["name"]] = values.reshape(entry["shape"])
        offset += values.nbytes
    return [_layer(node, weights) for node in model["modelTopology"]["node"] if "Conv" in node["op"]]


def _layer(node: Mapping[str, Any], weights: Mapping[str, npt.NDArray[np.float32]]) -> Layer:
    source, kernel, bias = node["input"]
    fused = [base64.b64decode(name) for name in node["attr"]["fused_ops"]["list"]["s"]]
    return Layer(
        name=node["name"],
        source=source,
        depthwise="Depthwise" in node["op"],
        # From (h, w, in, out), or (h, w, channels, 1) if depthwise: the last axis comes first in both.
        weights=weights[kernel].transpose(3, 0, 1, 2),
        bias=weights[bias],
        stride=int(node["attr"]["strides"]["list"]["i"][1]),
        relu6=b"Relu6" in fused,
    )


def float16_model(layers: Sequence[Layer]) -> bytes:
    """Weights are stored in half precision, which halves the file; runtimes widen them once and compute in float32."""
    graph = Graph("PoseNet MobileNetV1 0.75, float16 weights")
    image = graph.tensor(INPUT_NAME, INPUT_SHAPE, "uint8", PIXELS)
    tensors = {INPUT_NAME: _dequantize(graph, image, "image_float32")}
    for layer in layers:
        source = tensors[layer.source]
        stored = graph.constant(f"{layer.name}/weights_float16", layer.weights.astype(np.float16))
        weights = _dequantize(graph, stored, f"{layer.name}/weights")
        bias = graph.constant(f"{layer.name}/bias", layer.bias)
        tensors[layer.name] = graph.tensor(_output_name(layer), _output_shape(layer, source), "float32")
        _convolve(graph, FLOAT_VERSION, layer, (source, weights, bias), tensors[layer.name])
    return graph.finish([image], [tensors[head] for head in HEADS])


def int8_model(layers: Sequence[Layer], channel_means: Mapping[str, Sequence[float]]) -> bytes:
    """Integer arithmetic throughout. No calibration pictures are needed: the ranges of all tensors are known.

    `channel_means` has, for the input and for every layer that is read by another, the mean of each channel over
    ordinary pictures, in quantised steps above the real zero.
    """
    graph = Graph("PoseNet MobileNetV1 0.75, int8")
    image = graph.tensor(INPUT_NAME, INPUT_SHAPE, "uint8", PIXELS)
    centred = graph.tensor("image_int8", INPUT_SHAPE, "int8", Quantization(PIXELS.scale, 0))
    graph.operator(schema.BuiltinOperator.QUANTIZE, 1, [image], centred, schema.QuantizeOptionsT())
    tensors = {INPUT_NAME: centred}
    for layer in layers:
        source = tensors[layer.source]
        weights, bias, scale = _quantize(layer, source.scale, np.array(channel_means[layer.source]))
        kernel = graph.constant(f"{layer.name}/weights", weights, Quantization(scale, axis=layer.channel_axis))
        start = graph.constant(f"{layer.name}/bias", bias, Quantization(scale * source.scale))
        tensors[layer.name] = graph.tensor(
            _output_name(layer), _output_shape(layer, source), "int8", _activation(layer)
        )
        _convolve(graph, INT8_VERSION, layer, (source, kernel, start), tensors[layer.name])
    return graph.finish([image], [tensors[head] for head in HEADS])


def _quantize(layer: Layer, input_scale: float, input_mean: Array) -> tuple[Array, Array, Array]:
    """int8 weights, int32 bias, and the scale of each output channel's weights.

    One scale for each channel is a must: within a layer, channels differ by factors of up to 2000, and with a common
    scale half of the keypoints are lost and the rest lie 18 px off.
    """
    channel_axis = layer.channel_axis
    weights, layer_bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
    taps = tuple(axis for axis in range(4) if axis != channel_axis)
    scale = np.abs(weights).max(taps) / 127
    # 17 channels died in training: their weights are under 1e-8, but they have a bias. In steps of such a scale that
    # bias would overflow its 32 bits. A coarser one rounds the weights to the zero that they are, and the bias to 28.
    scale = np.maximum(scale, np.abs(layer_bias) / (input_scale * 2**28)).astype(np.float32).astype(np.float64)
    exact = weights / scale.reshape([-1 if axis == channel_axis else 1 for axis in range(4)])
    rounded = np.rint(exact).clip(-127, 127)
    # Rounding moves the mean of a channel: by the rounding errors of its weights times the mean of what they see.
    # Taking that out of the bias costs nothing, and nearly halves the error of the keypoints. Plain sums instead of
    # a matrix product: BLAS adds in an order of its own, which differs between machines, and bytes must not.
    errors = (rounded - exact).sum((1, 2))  # (out, in), or (1, channels) if depthwise
    shift = errors[0] * input_mean if layer.depthwise else (errors * input_mean).sum(1)
    bias = np.rint(layer_bias / (scale * input_scale) - shift)
    return rounded.astype(np.int8), bias.astype(np.int32), scale


def _activation(layer: Layer) -> Quantization:
    """How an int8 output is stored: inner layers end in ReLU6, so 0..6 is their range, the heads have their own."""
    low, high = (0.0, 6.0) if layer.relu6 else (HEADS[layer.name].low, HEADS[layer.name].high)
    scale = (high - low) / 255
    return Quantization(scale, round(-low / scale) - 128)


def _output_name(layer: Layer) -> str:
    return HEADS[layer.name].name if layer.name in HEADS else layer.name


def _output_shape(layer: Layer, source: Tensor) -> tuple[int, ...]:
    batch, height, width, _ = source.shape
    return batch, -(-height // layer.stride), -(-width // layer.stride), len(layer.bias)  # SAME padding rounds up


def _dequantize(graph: Graph, stored: Tensor, name: str) -> Tensor:
    real = graph.tensor(name, stored.shape, "float32")
    # Version 3 of the operator is the one that knows float16.
    graph.operator(schema.BuiltinOperator.DEQUANTIZE, 3, [stored], real, schema.DequantizeOptionsT())
    return real


def _convolve(graph: Graph, version: int, layer: Layer, inputs: Sequence[Tensor], output: Tensor) -> None:
    """Add the layer's operator; `inputs` are what it reads, its weights and its bias."""
    if layer.depthwise:
        code, options = schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
    else:
        code, options = schema.BuiltinOperator.CONV_2D, schema.Conv2DOptionsT()
    activations = schema.ActivationFunctionType
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = layer.stride
    options.fusedActivationFunction = activations.RELU6 if layer.relu6 else activations.NONE
    graph.operator(code, version, inputs, output, options)
