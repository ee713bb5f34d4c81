"""`edge-pose models import`: strip a model's decoder, check the model, and add it to the owner's catalogue."""

import hashlib
import re
import stat
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from edge.decode.families import family_of
from edge.errors import ModelError, UsageError
from edge.models import catalogue, catalogue_editor, folders
from edge.models.catalogue import Entry
from edge.models.strip_decoder import Outline, outline, strip_decoder

MAX_MODEL_BYTES = 1 << 28  # far more than any PoseNet
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # a TOML key without quotes

# Runs the model in a file once and returns the name of the runtime. Raises ModelError, which names the file by the
# second argument. It has to run the model in another process, because a damaged model can crash it.
Check: TypeAlias = Callable[[Path, str], str]


@dataclass(frozen=True, slots=True, eq=False)
class CheckedModel:
    """A model that passed all checks."""

    content: bytes  # without a decoder
    outline: Outline
    stripped: bool  # whether it had a decoder
    family: str
    output_stride: int | None
    ran_on: str | None  # name of the runtime; None if only the structure was checked


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that is in the catalogue now."""

    name: str
    path: Path
    entry: Entry
    outline: Outline
    ran_on: str | None
    new: bool  # False if the catalogue had the same model under that name already


def import_model(file: Path, name: str | None, check: Check) -> Imported:
    """Strip the decoder from the model in `file`, check the model, and add it to the catalogue as `name`.

    The default name is the one that this model has in a catalogue already, or else the name of the file.
    Raises ModelError if no decoder supports this model or another model has that name, and UsageError if the name or
    the path is invalid. Nothing is written then.
    """
    original = _read(file)
    wanted = re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem)[:64].strip("_") if name is None else name
    if not _NAME.fullmatch(wanted):
        raise UsageError("--name", f"{wanted!r} cannot be the name of a model", "use letters a to z, digits, - and _")
    model = check_content(original, _printable(str(file)), check)
    shown = _printable(file.name)
    form = "without its decoder" if model.stripped else "unchanged"
    compiled = ", for a Coral Edge TPU" if model.outline.edge_tpu else ""
    return add(
        _known_name(model, wanted) if name is None else name,
        model,
        licence="as at its origin",
        source=f"imported from {shown}, sha256 {hashlib.sha256(original).hexdigest()}",
        about=f"{shown}, {form}{compiled}.",
    )


def check_content(original: bytes, label: str, check: Check) -> CheckedModel:
    """Strip a model's decoder, and check the rest. Raises ModelError with the key `label`."""
    try:
        content = strip_decoder(original)
        described = outline(content)
        family = family_of(described.outputs)
        stride = family.stride(described.outputs, described.input_size)
        ran_on = None if described.edge_tpu else _run(content, check)
    except ModelError as exc:
        raise exc.with_fields(key=label) from exc
    return CheckedModel(content, described, content is not original, family.name, stride, ran_on)


def add(name: str, model: CheckedModel, *, licence: str, source: str, about: str) -> Imported:
    """Add a checked model to the catalogue. Raises ModelError if another one has the name, or writing fails."""
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
    path, new = catalogue_editor.add(name, entry, model.content)
    entry = catalogue.entries(path.parent)[name]  # the entry of a model that was there already may differ
    return Imported(name, path, entry, model.outline, model.ran_on, new)


def summary(imported: Imported) -> str:
    """What was added, and how to use it, as lines for the terminal."""
    entry = imported.entry
    height, width = imported.outline.input_size
    outputs = ", ".join(f"{name} {list(shape)}" for name, shape in imported.outline.outputs.items())
    checked = f"it runs on {imported.ran_on}" if imported.ran_on else "structure only; running it needs an Edge TPU"
    use = ["To use it, put this into the configuration:", "  [model]", f'  name = "{imported.name}"']
    if entry.device == "edgetpu":
        use = [
            f'With inference.device = "auto" and a {entry.family} as model.name, no setting is needed. To use it:',
            "  sudo systemctl restart edge-pose",
        ]
    if folders.is_private(imported.path):
        use = ["Only programs of this user find it there. For the service, run the same command with sudo.", *use]
    return "\n".join((
        f"{imported.name} is in the catalogue now" if imported.new else
        f"the catalogue has this model already, as {imported.name}",
        f"  file     {imported.path}, {entry.size / 1e6:.1f} MB",
        f"  input    {height}x{width} (height x width)",
        f"  outputs  {outputs}",
        f"  checked  {checked}",
        *use,
    ))  # fmt: skip


def as_json(imported: Imported) -> dict[str, Any]:
    """The summary for programs. Keys that `models list` has too mean the same there."""
    return {
        "name": imported.name, "new": imported.new, "path": str(imported.path), "ran_on": imported.ran_on,
        "outputs": imported.outline.outputs, **msgspec.to_builtins(imported.entry),
    }  # fmt: skip


def _known_name(model: CheckedModel, wanted: str) -> str:
    """A name that this model has in a catalogue, preferably `wanted`; `wanted` if it has none."""
    sha256 = hashlib.sha256(model.content).hexdigest()
    names = [
        name
        for folder in folders.with_catalogue()
        for name, entry in catalogue.entries(folder).items()
        if entry.sha256 == sha256
    ]
    return wanted if wanted in names or not names else names[0]


def _run(content: bytes, check: Check) -> str:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.NamedTemporaryFile())
            file.write(content)
            file.flush()
        except OSError as exc:
            remedy = "make room in the folder for temporary files"
            raise ModelError("", f"it cannot be tried ({exc.strerror})", remedy) from exc
        return check(Path(file.name), "it")


def _read(file: Path) -> bytes:
    shown = _printable(str(file))
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_MODEL_BYTES:
            raise ModelError(shown, "it is not a TFLite model", "give a PoseNet or MoveNet as a .tflite file")
        return file.read_bytes()
    except OSError as exc:
        raise UsageError("FILE", f"cannot read {shown} ({exc.strerror})", "check the path and its permissions") from exc


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
