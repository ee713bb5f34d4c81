"""Find PoseNet's output tensors in a model, by name and number of channels."""

from dataclasses import dataclass

from edge.decode.family import Shapes, Size, listing
from edge.decode.heatmaps import output_stride
from edge.errors import ModelError
from edge.skeleton import KEYPOINT_COUNT

# Word in the output's name, and number of channels. The number by itself would match unrelated models too.
_HEATMAPS = ("heatmap", KEYPOINT_COUNT)
_SHORT_OFFSETS = ("offset", 2 * KEYPOINT_COUNT)
_EDGES = KEYPOINT_COUNT - 1
# Some models have the mid offsets in one output, others in two.
_MID_OFFSETS = (("mid", 4 * _EDGES),)
_DISPLACEMENTS = (("displacement_fwd", 2 * _EDGES), ("displacement_bwd", 2 * _EDGES))


@dataclass(frozen=True, slots=True)
class PoseNetOutputs:
    """The names of PoseNet's outputs in one model, and the output stride that their grid implies."""

    heatmaps: str  # (h, w, 17) logits
    short_offsets: str  # (h, w, 34), y then x, input px
    stride: int  # input px between heatmap cells
    mid_offsets: tuple[str, ...] = ()  # (h, w, 64), or forward and backward (h, w, 32) each; some models have none


def is_posenet(shapes: Shapes) -> bool:
    """Whether these outputs include heatmaps and short offsets."""
    return _only(shapes, _HEATMAPS) is not None and _only(shapes, _SHORT_OFFSETS) is not None


def find_outputs(shapes: Shapes, input_size: Size) -> PoseNetOutputs:
    """Find PoseNet's outputs among `shapes`; `input_size` is (height, width) in px.

    Raises ModelError, with all names and shapes, if one is missing or they do not fit each other.
    """
    heatmaps, short_offsets = _only(shapes, _HEATMAPS), _only(shapes, _SHORT_OFFSETS)
    if heatmaps is None or short_offsets is None:
        raise ModelError(
            "model.name",
            f"the outputs of this model are not those of a PoseNet: {listing(shapes)}",
            "use a PoseNet with heatmaps [h, w, 17] and short_offsets [h, w, 34]",
        )
    mid_offsets = _all(shapes, _MID_OFFSETS) or _all(shapes, _DISPLACEMENTS)
    grid = shapes[heatmaps][:2]
    if any(shapes[name][:2] != grid for name in (short_offsets, *mid_offsets)):
        raise ModelError(
            "model.name",
            f"heatmaps and offsets of this model have different grids: {listing(shapes)}",
            "use another model",
        )
    try:
        stride = output_stride(input_size, (grid[0], grid[1]))
    except ValueError as exc:
        raise ModelError("model.name", f"{exc}: {listing(shapes)}", "use another model") from exc
    return PoseNetOutputs(heatmaps, short_offsets, stride, mid_offsets)


def _only(shapes: Shapes, wanted: tuple[str, int]) -> str | None:
    """The name of the only output with this word and number of channels."""
    word, channels = wanted
    names = [name for name, shape in shapes.items() if len(shape) == 3 and shape[2] == channels and word in name]
    return names[0] if len(names) == 1 else None


def _all(shapes: Shapes, wanted: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    names = [_only(shapes, one) for one in wanted]
    return tuple(name for name in names if name) if None not in names else ()
