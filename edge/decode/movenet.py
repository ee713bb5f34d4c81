"""One person, from a MoveNet: the network has done the decoding, its only output lists the keypoints."""

from collections.abc import Mapping

import numpy as np

from edge.skeleton import KEYPOINT_COUNT
from edge.types import Decoded, RawOutputs

_SHAPE = (1, KEYPOINT_COUNT, 3)  # without the batch dimension: one person; y, x, confidence


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The name of a single-person MoveNet's output among those given as name -> shape; None if it is no MoveNet."""
    names = list(shapes)
    return names[0] if [*shapes.values()] == [_SHAPE] else None


def decode_movenet(outputs: RawOutputs, output: str, input_size: tuple[int, int]) -> Decoded:
    """Exactly one pose, however unlikely; its score is the mean of its keypoints' confidences.

    `output` (1, 17, 3) has y and x in units of the input, `input_size` (height, width) px. These are coordinates of
    pixels, not of their edges: of a picture and its mirror image, the sum of both x is the width less one.
    """
    tensor = outputs[output]
    values = tensor.real(tensor.data)
    confidences = values[..., 2].clip(0, 1)
    scores = confidences.mean(axis=1, dtype=np.float32)
    return Decoded(values[..., :2] * np.array(input_size, np.float32), confidences, scores)
