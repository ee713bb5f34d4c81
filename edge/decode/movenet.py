"""MoveNet for one person: the network decodes the pose itself, and its only output lists the keypoints."""

from functools import partial

import numpy as np

from edge.decode.family import Decoding, Family, Options, Shapes, Size
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Decoded, RawOutputs

_SHAPE = (1, KEYPOINT_COUNT, 3)  # without the batch dimension: one person; y, x, confidence


def decode_movenet(outputs: RawOutputs, output: str, input_size: Size) -> Decoded:
    """Decode exactly one pose, however low its score, which is the mean confidence of its keypoints.

    `output` names the tensor (1, 17, 3): y and x as fractions of the input, and the confidence. `input_size` is
    (height, width) in px. MoveNet's coordinates are those of pixel centres: x in a picture and x in its mirror image
    add up to the width minus one.
    """
    tensor = outputs[output]
    values = tensor.real(tensor.data)
    confidences = values[..., 2].clip(0, 1)
    scores = confidences.mean(axis=1, dtype=np.float32)
    return Decoded(values[..., :2] * np.array(input_size, np.float32), confidences, scores)


def _recognises(shapes: Shapes) -> bool:
    return list(shapes.values()) == [_SHAPE]


def _open(shapes: Shapes, input_size: Size, _options: Options) -> Decoding:
    (output,) = shapes
    return Decoding(partial(decode_movenet, output=output, input_size=input_size), one_person=True)


FAMILY = Family(
    "movenet", outputs="a single output [1, 17, 3]", recognises=_recognises, open=_open, stride=lambda *_: None
)
