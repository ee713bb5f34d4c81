"""Which of a model's outputs is which: PoseNet's heads, recognised by name and number of channels."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge.decode.heatmaps import output_stride
from edge.errors import ModelError
from edge.skeleton import KEYPOINT_COUNT

# What the name of an output has to contain. The number of channels alone would let any model with an output of
# 17 channels pass for a PoseNet.
_HEATMAPS = ("heatmap", KEYPOINT_COUNT)
_SHORT_OFFSETS = ("offset", 2 * KEYPOINT_COUNT)
_EDGES = KEYPOINT_COUNT - 1
# Networks have the mid offsets in one output or in two.
_MID_OFFSETS = (("mid", 4 * _EDGES),)
_DISPLACEMENTS = (("displacement_fwd", 2 * _EDGES), ("displacement_bwd", 2 * _EDGES))


@dataclass(frozen=True, slots=True)
class Heads:
    """The names of PoseNet's outputs in one model, and the output stride that their grid implies."""

    heatmaps: str  # (h, w, 17) logits
    short_offsets: str  # (h, w, 34), y then x, input px
    stride: int
    mid_offsets: tuple[str, ...] = ()  # (h, w, 64), or forward and backward (h, w, 32) each; some models have none


def recognise(shapes: Mapping[str, tuple[int, ...]], input_size: tuple[int, int]) -> Heads:
    """Find PoseNet's heads among outputs given as name -> shape without the batch dimension.

    Raises ModelError, with all names and shapes, if one is missing or they do not fit each other.
    """
    listing = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    heatmaps, short_offsets = _only(shapes, _HEATMAPS), _only(shapes, _SHORT_OFFSETS)
    if heatmaps is None or short_offsets is None:
        raise ModelError(f"model.name: the outputs of this model are not known: {listing}; "
                         "a PoseNet with heatmaps [h, w, 17] and short_offsets [h, w, 34] is needed, or a "
                         "MoveNet for one person with a single output [1, 17, 3]")  # fmt: skip
    mid_offsets = _all(shapes, _MID_OFFSETS) or _all(shapes, _DISPLACEMENTS)
    grid = shapes[heatmaps][:2]
    if any(shapes[name][:2] != grid for name in (short_offsets, *mid_offsets)):
        raise ModelError(f"model.name: heatmaps and offsets of this model have different grids: {listing}")
    try:
        stride = output_stride(input_size, (grid[0], grid[1]))
    except ValueError as exc:
        raise ModelError(f"model.name: {exc}") from exc
    return Heads(heatmaps, short_offsets, stride, mid_offsets)


def _only(shapes: Mapping[str, tuple[int, ...]], head: tuple[str, int]) -> str | None:
    word, channels = head
    names = [name for name, shape in shapes.items() if len(shape) == 3 and shape[2] == channels and word in name]
    return names[0] if len(names) == 1 else None


def _all(shapes: Mapping[str, tuple[int, ...]], heads: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    names = [_only(shapes, head) for head in heads]
    return tuple(name for name in names if name) if None not in names else ()
