"""Add the layers of a network to a .tflite file, in floats or in 8-bit integers."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from layers import Convolution
from tflite_writer import Array, Graph, Quantization, Tensor

# The first versions of TensorFlow Lite's convolution operators and of addition that support float32 and int8.
FLOAT_VERSION = 1
CONVOLUTION_INT8_VERSION = 3
ADDITION_INT8_VERSION = 2

_ACTIVATIONS = {
    "": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}


def output_shape(layer: Convolution, source: Tensor) -> tuple[int, ...]:
    batch, height, width, _ = source.shape
    return batch, -(-height // layer.stride), -(-width // layer.stride), len(layer.bias)  # SAME padding rounds up


def asymmetric(low: float, high: float) -> Quantization:
    """The quantisation to int8 that spans `low`..`high`, in which 0 is exact."""
    scale = (high - low) / 255
    return Quantization(scale, round(-low / scale) - 128)


def dequantize(graph: Graph, stored: Tensor, name: str) -> Tensor:
    real = graph.tensor(name, stored.shape, "float32")
    # Version 3 of the operator supports float16.
    graph.operator(schema.BuiltinOperator.DEQUANTIZE, 3, [stored], real, schema.DequantizeOptionsT())
    return real


def quantize(graph: Graph, source: Tensor, name: str, quantization: Quantization) -> Tensor:
    quantized = graph.tensor(name, source.shape, "int8", quantization)
    graph.operator(schema.BuiltinOperator.QUANTIZE, 1, [source], quantized, schema.QuantizeOptionsT())
    return quantized


def convolve_float16(graph: Graph, layer: Convolution, source: Tensor, output: str) -> Tensor:
    """Add a convolution whose weights are stored in half precision; `output` names the result."""
    stored = graph.constant(f"{layer.name}/weights_float16", layer.weights.astype(np.float16))
    weights = dequantize(graph, stored, f"{layer.name}/weights")
    bias = graph.constant(f"{layer.name}/bias", layer.bias)
    result = graph.tensor(output, output_shape(layer, source), "float32")
    _convolve(graph, FLOAT_VERSION, layer, (source, weights, bias), result)
    return result


def convolve_int8(  # noqa: PLR0913, PLR0917 - each argument is another kind of thing
    graph: Graph, layer: Convolution, source: Tensor, output: str, to: Quantization, input_mean: Array
) -> Tensor:
    """Add a convolution in integers; its result is named `output` and quantised to `to`.

    `input_mean` has the mean of each input channel over ordinary pictures, in quantised steps above the real zero.
    """
    weights, bias, scale = quantized_weights(layer, source.scale, input_mean)
    kernel = graph.constant(f"{layer.name}/weights", weights, Quantization(scale, axis=layer.channel_axis))
    start = graph.constant(f"{layer.name}/bias", bias, Quantization(scale * source.scale))
    result = graph.tensor(output, output_shape(layer, source), "int8", to)
    _convolve(graph, CONVOLUTION_INT8_VERSION, layer, (source, kernel, start), result)
    return result


def add(graph: Graph, sources: Sequence[Tensor], output: str, to: Quantization | None = None) -> Tensor:
    """Add the sum of two tensors: of float32, or of int8 if `to` quantises the result."""
    result = graph.tensor(output, sources[0].shape, "int8" if to else "float32", to)
    version = ADDITION_INT8_VERSION if to else FLOAT_VERSION
    graph.operator(schema.BuiltinOperator.ADD, version, sources, result, schema.AddOptionsT())
    return result


def upsample(graph: Graph, source: Tensor, output: str) -> Tensor:
    """Add an interpolation of a float32 tensor to twice its height and width."""
    batch, height, width, channels = source.shape
    size = graph.constant(f"{output}/size", np.array((2 * height, 2 * width), np.int32))
    result = graph.tensor(output, (batch, 2 * height, 2 * width, channels), "float32")
    options = schema.ResizeBilinearOptionsT()
    options.halfPixelCenters = True
    # Version 3 of the operator has half_pixel_centers.
    graph.operator(schema.BuiltinOperator.RESIZE_BILINEAR, 3, [source, size], result, options)
    return result


def quantized_weights(layer: Convolution, input_scale: float, input_mean: Array) -> tuple[Array, Array, Array]:
    """int8 weights, int32 bias, and the scale of each output channel's weights.

    Each channel has its own scale. PoseNet's channels differ by factors of up to 2000 within a layer: with a common
    scale, half of the keypoints are lost and the others are 18 px off.
    """
    channel_axis = layer.channel_axis
    weights, layer_bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
    taps = tuple(axis for axis in range(4) if axis != channel_axis)
    scale = np.abs(weights).max(taps) / 127
    # 17 of PoseNet's channels died in training: their weights are below 1e-8, but they have a bias. With so small a
    # scale the bias would overflow 32 bits. The larger scale rounds these weights to 0 and limits the bias to 28 bits.
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


def _convolve(graph: Graph, version: int, layer: Convolution, inputs: Sequence[Tensor], output: Tensor) -> None:
    """Add the operator of the layer; `inputs` are its input, weights and bias."""
    if layer.depthwise:
        code, options = schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
    else:
        code, options = schema.BuiltinOperator.CONV_2D, schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = layer.stride
    options.fusedActivationFunction = _ACTIVATIONS[layer.activation]
    graph.operator(code, version, inputs, output, options)
