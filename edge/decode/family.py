"""The interface of a network family; `edge.decode.families` lists all families."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.types import Decoded, RawOutputs

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]  # output name -> shape without the batch dimension
Size: TypeAlias = tuple[int, int]  # height and width of the model's input, px
Decoder: TypeAlias = Callable[[RawOutputs], Decoded]


@dataclass(frozen=True, slots=True)
class Options:
    """The settings that decoders need, with the defaults of the configuration."""

    mode: Literal["multi", "single"] = "multi"  # decode.mode
    max_poses: int = 10  # the best ones, from decode.max_people
    min_pose_score: float = 0.2  # filter.min_pose_score, 0..1
    nms_radius_px: float = 10.0  # decode.nms_radius_px, input px


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """A decoder for the outputs of one model.

    Networks differ in how high they score. Where a family recommends thresholds of its own, they are 0..1; None means
    that those of the configuration fit.
    """

    decode: Decoder
    one_person: bool = False  # the network detects one person only, whatever decode.mode is
    keypoint_confidence: float | None = None  # a keypoint is visible from here
    start_score: float | None = None  # a pose that no track explains is a person from here
    keep_score: float | None = None  # a pose that continues a track counts from here; decoders return no lower ones


@dataclass(frozen=True, slots=True)
class Family:
    """Networks whose outputs have the same meaning."""

    name: str  # as in the model catalogue
    outputs: str  # the outputs that identify it, for error messages
    recognises: Callable[[Shapes], bool]  # whether outputs of these names and shapes belong to this family
    open: Callable[[Shapes, Size, Options], Decoding]  # raises ModelError if this model does not fit the options
    stride: Callable[[Shapes, Size], int | None]  # input px between heatmap cells; None without heatmaps


def listing(shapes: Shapes) -> str:
    """Names and shapes of a model's outputs, for error messages."""
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "none"
