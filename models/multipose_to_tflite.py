"""Convert Google's MoveNet MultiPose from the format of TensorFlow.js into the bytes of a .tflite file.

The network is a MobileNetV2 with a feature pyramid and six heads, output stride 4. Google's graph goes on with a
decoder; here it ends with the heads, and `edge/decode/movenet_multipose.py` decodes them. A file serves one input size:
runtimes are fast only if the sizes of the upsampled layers are constants.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from layers import Addition, Convolution, Layer, Upsampling, read_layers
from operators import add, asymmetric, convolve_float16, convolve_int8, dequantize, quantize, upsample
from tflite_writer import Graph, Quantization, Tensor

Size: TypeAlias = tuple[int, int]  # height, width of the input; multiples of 32

INPUT_NAME = "image"
# Head in Google's graph -> output, in the order of the outputs.
HEADS = {
    "StatefulPartitionedCall/center_0/conv2d_4/BiasAdd": "center",
    "StatefulPartitionedCall/box_scale_0/conv2d_5/BiasAdd": "box_scale",
    "StatefulPartitionedCall/box_offset_0/conv2d_6/BiasAdd": "box_offset",
    "StatefulPartitionedCall/kpt_regress_0/conv2d_8/BiasAdd": "kpt_regress",
    "StatefulPartitionedCall/kpt_heatmap_0/conv2d_7/BiasAdd": "kpt_heatmap",
    "StatefulPartitionedCall/kpt_offset_0/conv2d_9/BiasAdd": "kpt_offset",
}
_PREFIXES = ("StatefulPartitionedCall/", "center_net_mobile_net_v2fpn_feature_extractor/model_1/")

# The network was trained on p * _STEP - 1 for a pixel p; the step is 1/127.5 in half precision. A quantised input needs
# an exact zero, so here p means (p - 128) * _STEP, and the models add the difference.
_SCALED_PIXELS = "StatefulPartitionedCall/sub_1"
_STEP = 0.007843017578125
_DIFFERENCE = 128 * _STEP - 1
PIXELS = Quantization(_STEP, 128)


@dataclass(frozen=True, slots=True)
class Statistics:
    """The values of a layer over ordinary pictures."""

    low: float
    high: float
    means: Sequence[int]  # of each channel, in steps of (high - low) / 255 above zero


def read_statistics(content: str) -> dict[str, Statistics]:
    """Name of the input or a layer of the backbone -> statistics, from multipose_statistics.json."""
    return {layer: Statistics(**values) for layer, values in json.loads(content).items()}


def read_multipose(model_json: bytes, model_bin: bytes) -> list[Layer]:
    """The layers of MultiPose up to its heads, in the order of execution, with short names."""
    return [_renamed(layer) for layer in read_layers(model_json, model_bin, list(HEADS))]


def float16_model(layers: Sequence[Layer], size: Size) -> bytes:
    """The model with weights in half precision, as they are published; runtimes convert them to float32."""
    graph = Graph("MoveNet MultiPose, float16 weights")
    image = graph.tensor(INPUT_NAME, (1, *size, 3), "uint8", PIXELS)
    pixels = dequantize(graph, image, "image_float32")
    difference = graph.constant("difference", np.full((1, 1, 1, 3), _DIFFERENCE, np.float32))
    tensors = {INPUT_NAME: add(graph, [pixels, difference], "image_scaled")}
    for layer in layers:
        tensors[layer.name] = _float_layer(graph, layer, tensors)
    return graph.finish([image], [tensors[head] for head in HEADS.values()])


def int8_model(layers: Sequence[Layer], size: Size, statistics: Mapping[str, Statistics]) -> bytes:
    """The model with the backbone in integers, and the pyramid and the heads as in `float16_model`.

    `statistics` names the layers of the backbone. Heads in integers would be fast too, but 2 px less exact.
    """
    graph = Graph("MoveNet MultiPose, int8 backbone")
    image = graph.tensor(INPUT_NAME, (1, *size, 3), "uint8", PIXELS)
    integers = {INPUT_NAME: quantize(graph, image, "image_int8", Quantization(PIXELS.scale, 0))}
    floats: dict[str, Tensor] = {}
    for layer in layers:
        if layer.name in statistics:
            integers[layer.name] = _int8_layer(graph, layer, integers, statistics)
            continue
        for source in _sources(layer):
            if source not in floats:
                floats[source] = dequantize(graph, integers[source], f"{source}/float32")
        floats[layer.name] = _float_layer(graph, layer, floats)
    return graph.finish([image], [floats[head] for head in HEADS.values()])


def _float_layer(graph: Graph, layer: Layer, tensors: Mapping[str, Tensor]) -> Tensor:
    if isinstance(layer, Addition):
        return add(graph, [tensors[source] for source in layer.sources], layer.name)
    if isinstance(layer, Upsampling):
        return upsample(graph, tensors[layer.source], layer.name)
    return convolve_float16(graph, layer, tensors[layer.source], layer.name)


def _int8_layer(
    graph: Graph, layer: Layer, tensors: Mapping[str, Tensor], statistics: Mapping[str, Statistics]
) -> Tensor:
    to = asymmetric(statistics[layer.name].low, statistics[layer.name].high)
    if isinstance(layer, Addition):
        return add(graph, [tensors[source] for source in layer.sources], layer.name, to)
    if isinstance(layer, Convolution):
        mean = np.array(statistics[layer.source].means)
        if layer.source == INPUT_NAME:  # an addition to the bias is exact except at the edges, and costs nothing
            bias = layer.bias + layer.weights.sum((1, 2, 3), dtype=np.float64) * _DIFFERENCE
            layer = replace(layer, bias=bias.astype(np.float32))
        return convolve_int8(graph, layer, tensors[layer.source], layer.name, to, mean)
    raise TypeError(f"{layer.name} does not belong to the backbone")


def _sources(layer: Layer) -> Sequence[str]:
    return layer.sources if isinstance(layer, Addition) else (layer.source,)


def _renamed(layer: Layer) -> Layer:
    if isinstance(layer, Addition):
        first, second = map(_short_name, layer.sources)
        return Addition(_short_name(layer.name), (first, second))
    return replace(layer, name=_short_name(layer.name), source=_short_name(layer.source))


def _short_name(name: str) -> str:
    if name == _SCALED_PIXELS:
        return INPUT_NAME
    if name in HEADS:
        return HEADS[name]
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
