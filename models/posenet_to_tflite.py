"""Convert Google's PoseNet weights from the format of TensorFlow.js into the bytes of a .tflite file.

The network is MobileNetV1 with 0.75 of the full width, output stride 16, and four outputs. Every layer is an ordinary
or a depthwise convolution with SAME padding, so one file serves every input size through `resize_tensor_input`; the
size that it declares is only the default.

Other implementations dilate the last depthwise layer of these weights, as if for output stride 16. The weights were not
trained for that, and keypoints are then three times as far off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from layers import Convolution, read_layers
from operators import asymmetric, convolve_float16, convolve_int8, dequantize, quantize
from tflite_writer import Graph, Quantization

INPUT_SHAPE = (1, 353, 481, 3)
INPUT_NAME = "image"

# The network was trained on pixels in -1..1. A stored pixel p means (p - 128) / 127.5: that has the trained step and
# the exact zero that integer arithmetic needs, and is 0.5 / 127.5 = 0.004 below the trained p / 127.5 - 1.
PIXELS = Quantization(1 / 127.5, 128)


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


def read_posenet(model_json: bytes, model_bin: bytes) -> list[Convolution]:
    """The layers of PoseNet, in the order of execution."""
    return [layer for layer in read_layers(model_json, model_bin, list(OUTPUTS)) if isinstance(layer, Convolution)]


def float16_model(layers: Sequence[Convolution]) -> bytes:
    """The model with weights in half precision, which runtimes convert to float32 when they load it."""
    graph = Graph("PoseNet MobileNetV1 0.75, float16 weights")
    image = graph.tensor(INPUT_NAME, INPUT_SHAPE, "uint8", PIXELS)
    tensors = {INPUT_NAME: dequantize(graph, image, "image_float32")}
    for layer in layers:
        tensors[layer.name] = convolve_float16(graph, layer, tensors[layer.source], _output_name(layer))
    return graph.finish([image], [tensors[layer] for layer in OUTPUTS])


def int8_model(layers: Sequence[Convolution], channel_means: Mapping[str, Sequence[float]]) -> bytes:
    """The model in integer arithmetic. The ranges of all tensors are known, so there is no calibration.

    `channel_means` has the mean of each channel over ordinary pictures, in quantised steps above the real zero, for the
    input and every layer that another layer reads.
    """
    graph = Graph("PoseNet MobileNetV1 0.75, int8")
    image = graph.tensor(INPUT_NAME, INPUT_SHAPE, "uint8", PIXELS)
    tensors = {INPUT_NAME: quantize(graph, image, "image_int8", Quantization(PIXELS.scale, 0))}
    for layer in layers:
        mean = np.array(channel_means[layer.source])
        name, to = _output_name(layer), _quantization(layer)
        tensors[layer.name] = convolve_int8(graph, layer, tensors[layer.source], name, to, mean)
    return graph.finish([image], [tensors[layer] for layer in OUTPUTS])


def _quantization(layer: Convolution) -> Quantization:
    """The quantisation of a layer's output: 0..6 after a ReLU6, and the range in OUTPUTS for the last layers."""
    if layer.activation == "relu6":
        return asymmetric(0.0, 6.0)
    return asymmetric(OUTPUTS[layer.name].low, OUTPUTS[layer.name].high)


def _output_name(layer: Convolution) -> str:
    return OUTPUTS[layer.name].name if layer.name in OUTPUTS else layer.name
