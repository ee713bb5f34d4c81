"""Find models by name, and read and check their files.

A catalogue is a folder with model files and a `catalogue.toml` that describes them. `folders` lists the catalogues.
"""

import difflib
import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import ModelError
from edge.models import folders
from edge.types import Backend

KEY = "model.name"  # the configuration key that names a model
_REMOTE = "remote.toml"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model as `catalogue.toml` describes it."""

    file: str
    sha256: str
    size: int  # bytes
    licence: str
    source: str
    family: str
    input_sizes: tuple[tuple[int, int], ...]  # (height, width) px; the CPU may run others as well
    output_stride: int | None = None  # px between heatmap cells; None if the family has no heatmaps
    about: str
    device: Backend = "cpu"  # the device that the file is compiled for


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that was read and checked. Run `content`, not the file, which may have changed since."""

    name: str
    path: Path
    sha256: str
    content: bytes
    verified: bool  # whether a catalogue has this sha256


def entries(folder: Path | None = None) -> dict[str, Entry]:
    """Name -> entry of every model in the catalogue of `folder`, by default the shipped one. Raises ModelError."""
    return _load((folder or folders.shipped()) / folders.INDEX)


def remote() -> dict[str, Entry]:
    """Name -> entry of every model that can be downloaded. Raises ModelError.

    These entries describe the published files, with their decoders; `source` is the address.
    """
    return _load(folders.shipped() / _REMOTE)


def read(name: str) -> ModelFile:
    """Read a model by its name in a catalogue, or by the path of a .tflite file.

    Raises ModelError if there is no such model, its file cannot be read, or it differs from its catalogue entry.
    """
    known: dict[str, Entry] = {}
    for folder in folders.with_catalogue():
        described = entries(folder)
        if name in described:
            return read_entry(name, described[name], folder)
        known |= described
    path = Path(name)
    if name in remote():
        raise ModelError(KEY, f"{name!r} is not on this device yet", f"run: {folders.command(f'fetch {name}')}")
    if not path.suffix and not os.path.exists(path):
        raise _unknown(name, known)
    return _read_path(path, known)


def read_entry(name: str, entry: Entry, folder: Path) -> ModelFile:
    """Read the model that the catalogue of `folder` describes.

    Raises ModelError if its file cannot be read or has another sha256.
    """
    path = folder / entry.file
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ModelError(KEY, f"cannot read {path} ({exc.strerror})", _restore(name, folder)) from exc
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != entry.sha256:
        problem = (
            f"{path} is damaged ({len(content)} of {entry.size} bytes, sha256 {sha256[:12]}… instead of "
            f"{entry.sha256[:12]}…)"
        )
        raise ModelError(KEY, problem, _restore(name, folder))
    return ModelFile(name, path, sha256, content, verified=True)


def _read_path(path: Path, known: dict[str, Entry]) -> ModelFile:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ModelError(KEY, f"cannot read {path} ({exc.strerror})", "check the path and its permissions") from exc
    if content[4:8] != b"TFL3":
        raise ModelError(KEY, f"{path} is not a TFLite model", "give a .tflite file")
    sha256 = hashlib.sha256(content).hexdigest()
    verified = any(sha256 == entry.sha256 for entry in known.values())
    return ModelFile(path.stem, path, sha256, content, verified=verified)


def _unknown(name: str, known: dict[str, Entry]) -> ModelError:
    names = [*known, *(other for other in remote() if other not in known)]
    near = difflib.get_close_matches(name, names, 1)
    remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(names)} or the path of a .tflite file"
    return ModelError(KEY, f"there is no model {name!r}", remedy)


def _load(path: Path) -> dict[str, Entry]:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), dict[str, Entry])
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        remedy = "fix that file" if path.parent in folders.owned() else folders.REINSTALL
        raise ModelError(str(path), f"the catalogue cannot be read ({reason})", remedy) from exc


def _restore(name: str, folder: Path) -> str:
    """How to restore the file of a model in `folder`."""
    if folder not in folders.owned():
        return folders.REINSTALL
    return f"run: {folders.command(f'fetch {name}', folder)}" if name in remote() else "import it again"
