"""The models that are known by name, and how any model gets from its file into a runtime."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import ModelError

# In the wheel the models lie inside the package, in a checkout beside it.
_PLACES = (Path(__file__).parents[1] / "models", Path(__file__).parents[2] / "models")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model as `catalogue.toml` describes it."""

    file: str
    sha256: str
    size: int  # bytes
    licence: str
    source: str
    family: str
    input_sizes: tuple[tuple[int, int], ...]  # (height, width) px that it is meant for; others work too
    output_stride: int
    about: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as it was read and checked: exactly these bytes are run."""

    name: str
    path: Path
    sha256: str
    content: bytes
    verified: bool  # against a catalogue; otherwise nobody vouches for it


def folder() -> Path:
    """Where the shipped models are. Raises ModelError if the installation has none."""
    for place in _PLACES:
        if (place / "catalogue.toml").is_file():
            return place
    raise ModelError(f"{_PLACES[0]}/catalogue.toml: missing, the installation is damaged; install edge-pose again")


def entries() -> dict[str, Entry]:
    """Name -> entry of every model in the catalogue."""
    path = folder() / "catalogue.toml"
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), dict[str, Entry])
    except (OSError, ValueError) as exc:
        raise ModelError(f"{path}: {exc}; install edge-pose again") from exc


def read(name: str) -> ModelFile:
    """The model of that name in the catalogue, or else the .tflite file of that path.

    Raises ModelError if there is none, it cannot be read, or it is not the file that the catalogue describes.
    """
    known = entries()
    if entry := known.get(name):
        path = folder() / entry.file
        content = _content(path)
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != entry.sha256:
            raise ModelError(f"model.name: {path} is damaged ({len(content)} of {entry.size} bytes, sha256 "
                             f"{sha256[:12]}… instead of {entry.sha256[:12]}…); install edge-pose again")  # fmt: skip
        return ModelFile(name, path, sha256, content, verified=True)
    path = Path(name)
    if not path.suffix and not path.exists():
        raise ModelError(f"model.name: there is no model {name!r}; known are {', '.join(known)}, "
                         "or give the path of a .tflite file")  # fmt: skip
    content = _content(path)
    if content[4:8] != b"TFL3":
        raise ModelError(f"model.name: {path} is not a TFLite model; give a .tflite file")
    sha256 = hashlib.sha256(content).hexdigest()
    verified = any(sha256 == entry.sha256 for entry in known.values())
    return ModelFile(path.stem, path, sha256, content, verified=verified)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ModelError(
            f"model.name: cannot read {path} ({exc.strerror}); check the path and its permissions"
        ) from exc
