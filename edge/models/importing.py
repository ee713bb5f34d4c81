"""`edge-pose models import`: a model of the owner's, made fit for this program, checked, and given a name."""

import hashlib
import re
import stat
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edge.decode.families import family_of
from edge.errors import ModelError, UsageError
from edge.inference import edgetpu_worker
from edge.models import catalogue
from edge.models.catalogue import Entry
from edge.models.strip_decoder import Outline, cut_decoder, outline

LARGEST = 1 << 28  # bytes; no PoseNet comes near
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what TOML takes as the name of a table without quotes


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """A model that passed."""

    content: bytes  # without a decoder
    outline: Outline
    cut: bool  # whether it had one
    family: str
    output_stride: int | None
    ran_on: str | None  # the runtime; None if only its structure could be checked


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that is in the catalogue now."""

    name: str
    path: Path
    entry: Entry
    outline: Outline
    ran_on: str | None
    new: bool  # False if the very same model had that name already


def run(file: Path, name: str | None = None) -> Imported:
    """Cut the decoder off the model in `file`, check what remains, and add it to the catalogue as `name`.

    A model with raw outputs is added as it is. The name is by default the one that it has in a catalogue already, or
    else that of the file. Raises ModelError if it is none that we can decode, or the name is not free, and UsageError
    if there can be no such name or file; then nothing was written.
    """
    original = _read(file)
    wanted = re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem)[:64].strip("_") if name is None else name
    if not _NAME.fullmatch(wanted):
        raise UsageError(
            f"--name: {wanted!r} cannot be the name of a model; give one of letters a to z, digits, - and _"
        )
    try:
        model = examined(original, label=_printable(str(file)))
    except ModelError as exc:
        raise ModelError(f"{exc}; nothing was imported") from exc
    shown = _printable(file.name)
    cut = "without its decoder" if model.cut else "as it was"
    compiled = ", for a Coral Edge TPU" if model.outline.edge_tpu else ""
    return added(
        _known_as(model, wanted) if name is None else name,
        model,
        licence="as at its origin",
        source=f"imported from {shown}, sha256 {hashlib.sha256(original).hexdigest()}",
        about=f"{shown}, {cut}{compiled}.",
    )


def examined(original: bytes, label: str) -> Examined:
    """Cut the decoder off a model and check what remains. Raises ModelError, which begins with `label`."""
    try:
        content = cut_decoder(original)
        described = outline(content)
        family = family_of(described.outputs)
        stride = family.stride(described.outputs, described.input_size)
        ran_on = None if described.edge_tpu else _try(content)
    except ModelError as exc:
        reason = str(exc).removeprefix("model.name: ")  # there is no configuration yet
        raise ModelError(f"{label}: {reason}") from exc
    return Examined(content, described, content is not original, family.name, stride, ran_on)


def added(name: str, model: Examined, *, licence: str, source: str, about: str) -> Imported:
    """Add a model to the catalogue. Raises ModelError if the name is not free, or nothing can be written."""
    entry = Entry(
        file=f"{name}.tflite",
        sha256=hashlib.sha256(model.content).hexdigest(),
        size=len(model.content),
        licence=licence,
        source=source,
        family=model.family,
        input_sizes=(model.outline.input_size,),
        output_stride=model.output_stride,
        about=about,
        device="edgetpu" if model.outline.edge_tpu else "cpu",
    )
    path, new = catalogue.add(name, entry, model.content)
    entry = catalogue.entries(path.parent)[name]  # of a known model, as it was described before
    return Imported(name, path, entry, model.outline, model.ran_on, new)


def summary(imported: Imported) -> str:
    """What was done, and how to use it."""
    entry = imported.entry
    height, width = imported.outline.input_size
    outputs = ", ".join(f"{name} {list(shape)}" for name, shape in imported.outline.outputs.items())
    checked = (
        f"it runs on {imported.ran_on}"
        if imported.ran_on
        else "its structure alone: it was not run, as it needs an Edge TPU"
    )
    use = ["To use it, put into the configuration:", "  [model]", f'  name = "{imported.name}"']
    if entry.device == "edgetpu":
        use = [
            f'No setting is needed while inference.device = "auto" and model.name is a {entry.family}. To use it:',
            "  sudo systemctl restart edge-pose",
        ]
    if catalogue.is_private(imported.path):
        use = ["Only programs of this user find it there; for the service, do the same again with sudo", *use]
    return "\n".join((
        f"{imported.name} is in the catalogue now" if imported.new else
        f"this very model is in the catalogue already, as {imported.name}",
        f"  file     {imported.path}, {entry.size / 1e6:.1f} MB",
        f"  input    {height}x{width} (height x width)",
        f"  outputs  {outputs}",
        f"  checked  {checked}",
        *use,
    ))  # fmt: skip


def as_json(imported: Imported) -> dict[str, Any]:
    """The same for machines; the keys are those of `models list` where they mean the same."""
    return {
        "name": imported.name, "new": imported.new, "path": str(imported.path), "ran_on": imported.ran_on,
        "outputs": imported.outline.outputs, **msgspec.to_builtins(imported.entry),
    }  # fmt: skip


def _known_as(model: Examined, otherwise: str) -> str:
    """A name that the very same model has in a catalogue."""
    sha256 = hashlib.sha256(model.content).hexdigest()
    names = [
        name
        for folder in catalogue.folders()
        for name, entry in catalogue.entries(folder).items()
        if entry.sha256 == sha256
    ]
    return otherwise if otherwise in names or not names else names[0]


def _try(content: bytes) -> str:
    """Run the model once; returns the name of the runtime. Not in this process, which a damaged one may kill."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.NamedTemporaryFile())
            file.write(content)
            file.flush()
        except OSError as exc:
            raise ModelError(f"cannot be tried ({exc.strerror}); make room in the folder for temporary files") from exc
        return edgetpu_worker.check_model(Path(file.name), label="it")


def _read(file: Path) -> bytes:
    shown = _printable(str(file))
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise ModelError(f"{shown}: it is not a TFLite model; give a PoseNet as a .tflite file")
        return file.read_bytes()
    except OSError as exc:
        raise UsageError(f"FILE: {shown} cannot be read ({exc.strerror}); check the path and its permissions") from exc


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
