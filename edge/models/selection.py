"""Which model takes over when another device does: the one of the same family that was made for it."""

import math
import shlex
from contextlib import suppress

from edge.errors import ModelError
from edge.models import catalogue
from edge.models.strip_decoder import outline
from edge.types import Backend

_TO_FETCH = {"posenet": "posenet-edgetpu-353-481"}  # of `edge-pose models fetch`


def counterpart(name: str, device: Backend, input_size: tuple[int, int] | None) -> str:
    """The name of the model for `device` that belongs to the model `name`: itself, or another one of its family.

    Of several, it is the one whose input size comes nearest to `input_size`, or else to the model's own, the shipped
    ones first. Raises ModelError if there is none.
    """
    known = _known()
    if name not in known:
        compiled = False
        content = catalogue.read(name).content
        with suppress(ModelError):  # then it is for the runtime to say what is wrong with it
            compiled = outline(content).edge_tpu
        if compiled != (device == "edgetpu"):
            where = "compiled for the Edge TPU" if device == "edgetpu" else "for the CPU"
            raise ModelError(f"model.name: no model {where} belongs to {name}, as that is in no catalogue; "
                             f"do: {catalogue.command(f'import {shlex.quote(name)}')}")  # fmt: skip
        return name
    family = known[name].family
    if known[name].device == device:
        return name
    shipped = catalogue.entries()
    wanted = input_size or known[name].input_sizes[0]
    fitting = sorted(
        (other for other, entry in known.items() if (entry.family, entry.device) == (family, device)),
        key=lambda other: (_mismatch(known[other], wanted), other not in shipped, len(other), other),
    )
    if fitting:
        return fitting[0]
    if device == "cpu":
        raise ModelError(f"model.name: {name} is compiled for the Edge TPU, and no {family} for the CPU is here")
    fetch = f"fetch {_TO_FETCH[family]}" if family in _TO_FETCH else "import FILE"
    raise ModelError(f"model.name: no {family} model compiled for the Edge TPU is here; do: {catalogue.command(fetch)}")


def own_size(name: str) -> tuple[int, int] | None:
    """The input size that a model of the catalogue is meant for, first of all; None if it is in none."""
    entry = _known().get(name)
    return entry.input_sizes[0] if entry else None


def _known() -> dict[str, catalogue.Entry]:
    return {name: entry for place in reversed(catalogue.folders()) for name, entry in catalogue.entries(place).items()}


def _mismatch(entry: catalogue.Entry, wanted: tuple[int, int]) -> float:
    return min(abs(math.log(math.prod(size) / math.prod(wanted))) for size in entry.input_sizes)
