"""Select a model of the same family for another device: the Edge TPU needs a file that was compiled for it."""

import math
import shlex
from contextlib import suppress

from edge.errors import ModelError
from edge.models import catalogue, folders
from edge.models.catalogue import KEY, Entry
from edge.models.strip_decoder import outline
from edge.types import Backend

_DOWNLOADS = {"posenet": "posenet-edgetpu-353-481"}  # family -> the model to download for the Edge TPU


def select_model(name: str, device: Backend, input_size: tuple[int, int] | None) -> str:
    """The name of a model of the same family as `name` that runs on `device`: `name` itself, if it does.

    Of several, the one with the input size nearest to `input_size` (height, width), or else to the size of `name`, is
    selected; of equally near ones, a shipped model. Raises ModelError if there is none.
    """
    known = _known()
    if name not in known:
        return _check_file(name, device)
    family = known[name].family
    if known[name].device == device:
        return name
    shipped = catalogue.entries()
    wanted = input_size or known[name].input_sizes[0]
    candidates = sorted(
        (other for other, entry in known.items() if (entry.family, entry.device) == (family, device)),
        key=lambda other: (_mismatch(known[other], wanted), other not in shipped, len(other), other),
    )
    if candidates:
        return candidates[0]
    if device == "cpu":
        problem = f"{name} is compiled for the Edge TPU, and this device has no {family} for the CPU"
        raise ModelError(KEY, problem, f"choose a model for the CPU, or import a {family}")
    download = f"fetch {_DOWNLOADS[family]}" if family in _DOWNLOADS else "import FILE"
    problem = f"this device has no {family} model compiled for the Edge TPU"
    raise ModelError(KEY, problem, f"run: {folders.command(download)}")


def preferred_size(name: str) -> tuple[int, int] | None:
    """The first input size (height, width) that a catalogue lists for a model; None if no catalogue has it."""
    entry = _known().get(name)
    return entry.input_sizes[0] if entry else None


def _check_file(name: str, device: Backend) -> str:
    """`name`, a model outside the catalogues, if it is compiled for `device`. Raises ModelError if it is not."""
    compiled = False
    content = catalogue.read(name).content
    with suppress(ModelError):  # the runtime reports a damaged file better
        compiled = outline(content).edge_tpu
    if compiled != (device == "edgetpu"):
        wanted = "compiled for the Edge TPU" if device == "edgetpu" else "for the CPU"
        problem = f"{name} is in no catalogue, so the matching model {wanted} is unknown"
        raise ModelError(KEY, problem, f"run: {folders.command(f'import {shlex.quote(name)}')}")
    return name


def _known() -> dict[str, Entry]:
    last_first = reversed(folders.with_catalogue())  # so that entries of the first folder win
    return {name: entry for folder in last_first for name, entry in catalogue.entries(folder).items()}


def _mismatch(entry: Entry, wanted: tuple[int, int]) -> float:
    return min(abs(math.log(math.prod(size) / math.prod(wanted))) for size in entry.input_sizes)
