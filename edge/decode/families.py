"""The table of network families. A new family is one file in this folder and one line in `FAMILIES`."""

from edge.decode import movenet, movenet_multipose, posenet
from edge.decode.family import Decoder, Decoding, Family, Options, Shapes, Size, listing
from edge.errors import ModelError

__all__ = ["FAMILIES", "Decoder", "Decoding", "Family", "Options", "family_of", "open_decoder"]

# The first that recognises a model counts: among the outputs of MultiPose are two that could be PoseNet's.
FAMILIES: tuple[Family, ...] = (movenet_multipose.FAMILY, posenet.FAMILY, movenet.FAMILY)


def family_of(shapes: Shapes) -> Family:
    """The family of a model with these outputs. Raises ModelError, with all names and shapes, if there is none."""
    for family in FAMILIES:
        if family.recognises(shapes):
            return family
    raise ModelError(
        "model.name",
        f"no decoder supports the outputs of this model: {listing(shapes)}",
        f"use a model with the outputs of {' or of '.join(f'{one.name} ({one.outputs})' for one in FAMILIES)}",
    )


def open_decoder(shapes: Shapes, input_size: Size, options: Options) -> Decoding:
    """The decoder for a model with these outputs and this input size (height, width).

    Raises ModelError if no family has these outputs, or the model does not fit the input size or the options.
    """
    return family_of(shapes).open(shapes, input_size, options)
