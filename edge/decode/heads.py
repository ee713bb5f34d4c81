"""Which of a model's outputs is which: PoseNet's heads, recognised by name and number of channels."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge.decode.heatmaps import output_stride
from edge.errors import ModelError
from edge.skeleton import KEYPOINT_COUNT

# What the name of an output has to contain. The number of channels alone would let any model with an output of
# 17 channels pass for a PoseNet.
_HEADS = {
    "heatmaps": ("heatmap", KEYPOINT_COUNT),
    "short_offsets": ("offset", 2 * KEYPOINT_COUNT),
}


@dataclass(frozen=True, slots=True)
class Heads:
    """The names of PoseNet's outputs in one model, and the output stride that their grid implies."""

    heatmaps: str  # (h, w, 17) logits
    short_offsets: str  # (h, w, 34), y then x, input px
    stride: int


def recognise(shapes: Mapping[str, tuple[int, ...]], input_size: tuple[int, int]) -> Heads:
    """Find PoseNet's heads among outputs given as name -> shape without the batch dimension.

    Raises ModelError, with all names and shapes, if one is missing or they do not fit each other.
    """
    found = {
        head: [name for name, shape in shapes.items() if len(shape) == 3 and shape[2] == channels and word in name]
        for head, (word, channels) in _HEADS.items()
    }
    listing = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    if any(len(names) != 1 for names in found.values()):
        raise ModelError(f"model.name: the outputs of this model are not known: {listing}; "
                         "a PoseNet with heatmaps [h, w, 17] and short_offsets [h, w, 34] is needed")  # fmt: skip
    heatmaps, short_offsets = found["heatmaps"][0], found["short_offsets"][0]
    grid = shapes[heatmaps][:2]
    if shapes[short_offsets][:2] != grid:
        raise ModelError(f"model.name: heatmaps and offsets of this model have different grids: {listing}")
    try:
        return Heads(heatmaps, short_offsets, output_stride(input_size, (grid[0], grid[1])))
    except ValueError as exc:
        raise ModelError(f"model.name: {exc}") from exc
