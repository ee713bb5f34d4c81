"""Convert Google's PoseNet weights from the format of TensorFlow.js into the bytes of a .tflite file.

The network is MobileNetV1 with 0.75 of the full width, output stride 16, and four outputs. Every layer is an ordinary
or a depthwise convolution with SAME padding, so one file serves every input size through `resize_tensor_input`; the
size that it declares is only the default.

Other implementations dilate the last depthwise layer of these weights, as if for output stride 16. The weights were not
trained for that, and keypoints are then three times as far off.
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

# The network was trained on pixels in -1..1. A stored pixel p means (p - 128) / 127.5: that has the trained step and
# the exact zero that integer arithmetic needs, and is 0.5 / 127.5 = 0.004 below the trained p / 127.5 - 1.
PIXELS = Quantization(1 / 127.5, 128)

# The first versions of TensorFlow Lite's two convolution operators that support float32 and int8.
FLOAT_VERSION = 1
INT8_VERSION = 3


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the network: its name in our files, and the range of real values that eight bits span."""

    name: str
    low: float
    high: float


# Layer -> output, in the order of the outputs. A wider range means coarser steps: a step is 1/255 of the range.
OUTPUTS = {
    # Logits. Beyond ±10 the sigmoid is within 0.00005 of 0 or 1.
    "MobilenetV1/heatmap_2/BiasAdd": Output("heatmaps", -10, 10),
    # px from a cell to the keypoint. At a heatmap's peak, up to 22 px were measured, more than the stride of 16.
    # Steps are 0.2 px.
    "MobilenetV1/offset_2/BiasAdd": Output("short_offsets", -24, 24),
    # px to the next keypoint of the skeleton: up to 164 px were measured at 481x641. Steps are 1.6 px, which costs no
    # accuracy, because the decoder then follows the short offsets.
    "MobilenetV1/displacement_fwd_2/BiasAdd": Output("displacement_fwd", -200, 200),
    "MobilenetV1/displacement_bwd_2/BiasAdd": Output("displacement_bwd", -200, 200),
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
    """The layers of a TensorFlow.js graph model, in the order of execution."""
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
    """The model with weights in half precision, which runtimes convert to float32 when they load it."""
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
    return graph.finish([image], [tensors[layer] for layer in OUTPUTS])


def int8_model(layers: Sequence[Layer], channel_means: Mapping[str, Sequence[float]]) -> bytes:
    """The model in integer arithmetic. The ranges of all tensors are known, so there is no calibration.

    `channel_means` has the mean of each channel over ordinary pictures, in quantised steps above the real zero, for the
    input and every layer that another layer reads.
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
    return graph.finish([image], [tensors[layer] for layer in OUTPUTS])


def _quantize(layer: Layer, input_scale: float, input_mean: Array) -> tuple[Array, Array, Array]:
    """int8 weights, int32 bias, and the scale of each output channel's weights.

    Each channel has its own scale. The channels of a layer differ by factors of up to 2000: with a common scale, half
    of the keypoints are lost and the others are 18 px off.
    """
    channel_axis = layer.channel_axis
    weights, layer_bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
    taps = tuple(axis for axis in range(4) if axis != channel_axis)
    scale = np.abs(weights).max(taps) / 127
    # 17 channels died in training: their weights are below 1e-8, but they have a bias. With so small a scale the bias
    # would overflow 32 bits. The larger scale rounds these weights to 0 and limits the bias to 28 bits.
    scale = np.maximum(scale, np.abs(layer_bias) / (input_scale * 2**28)).astype(np.float32).astype(np.float64)
    exact = weights / scale.reshape([-1 if axis == channel_axis else 1 for axis in range(4)])
    rounded = np.rint(exact).clip(-127, 127)
    # Rounding the weights shifts the mean of a channel by the rounding errors times the mean of the input. Subtracting
    # that from the bias nearly halves the error of the keypoints. Plain sums instead of a matrix product, because the
    # order of BLAS's additions, and so the last bits, differ between machines.
    errors = (rounded - exact).sum((1, 2))  # (out, in), or (1, channels) if depthwise
    shift = errors[0] * input_mean if layer.depthwise else (errors * input_mean).sum(1)
    bias = np.rint(layer_bias / (scale * input_scale) - shift)
    return rounded.astype(np.int8), bias.astype(np.int32), scale


def _activation(layer: Layer) -> Quantization:
    """The quantisation of a layer's output: 0..6 after a ReLU6, and the range in OUTPUTS for the last layers."""
    low, high = (0.0, 6.0) if layer.relu6 else (OUTPUTS[layer.name].low, OUTPUTS[layer.name].high)
    scale = (high - low) / 255
    return Quantization(scale, round(-low / scale) - 128)


def _output_name(layer: Layer) -> str:
    return OUTPUTS[layer.name].name if layer.name in OUTPUTS else layer.name


def _output_shape(layer: Layer, source: Tensor) -> tuple[int, ...]:
    batch, height, width, _ = source.shape
    return batch, -(-height // layer.stride), -(-width // layer.stride), len(layer.bias)  # SAME padding rounds up


def _dequantize(graph: Graph, stored: Tensor, name: str) -> Tensor:
    real = graph.tensor(name, stored.shape, "float32")
    # Version 3 of the operator supports float16.
    graph.operator(schema.BuiltinOperator.DEQUANTIZE, 3, [stored], real, schema.DequantizeOptionsT())
    return real


def _convolve(graph: Graph, version: int, layer: Layer, inputs: Sequence[Tensor], output: Tensor) -> None:
    """Add the operator of the layer; `inputs` are its input, weights and bias."""
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
