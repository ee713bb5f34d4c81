"""The models that are known by name, and how any model gets from its file into a runtime.

A catalogue is a folder with models and a `catalogue.toml`: the one that is shipped, and those of the device's owner.
"""

import difflib
import hashlib
import json
import os
import re
import shutil
import sysconfig
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.errors import ModelError, UsageError
from edge.types import Backend

# In the wheel the models lie inside the package, in a checkout beside it.
_PLACES = (Path(__file__).parent, Path(__file__).parents[2] / "models")
_SYSTEM_FOLDER = Path("/var/lib/edge-pose/models")
_SUDOS_PATH = "/usr/local/bin:/usr/bin"  # what it finds without a path, whatever the user's own PATH
_INDEX = "catalogue.toml"
_REMOTE = "remote.toml"
_REINSTALL = "install edge-pose again"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model as `catalogue.toml` describes it."""

    file: str
    sha256: str
    size: int  # bytes
    licence: str
    source: str
    family: str
    input_sizes: tuple[tuple[int, int], ...]  # (height, width) px that it is meant for; on the CPU others may work too
    output_stride: int | None = None  # px between heatmap cells; None of a family without heatmaps
    about: str
    device: Backend = "cpu"  # what it is compiled for


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
        if (place / _INDEX).is_file():
            return place
    raise ModelError(f"{_PLACES[0]}/{_INDEX}: missing, the installation is damaged; {_REINSTALL}")


def folders() -> list[Path]:
    """Every folder with a catalogue, the shipped one first: of several models with one name, the first counts."""
    return [folder(), *[place for place in _own_folders() if os.path.isfile(place / _INDEX)]]


def entries(place: Path | None = None) -> dict[str, Entry]:
    """Name -> entry of every model in the catalogue of a folder, or else of the shipped one."""
    return _loaded((place or folder()) / _INDEX)


def remote() -> dict[str, Entry]:
    """Name -> entry of every model that can be fetched. They describe what is published; `source` is its address."""
    return _loaded(folder() / _REMOTE)


def _loaded(path: Path) -> dict[str, Entry]:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        remedy = "mend it" if path.parent in _own_folders() else _REINSTALL
        raise ModelError(f"{path}: {exc}; {remedy}") from exc


def read(name: str) -> ModelFile:
    """The model of that name in a catalogue, or else the .tflite file of that path.

    Raises ModelError if there is none, it cannot be read, or it is not the file that the catalogue describes.
    """
    known: dict[str, Entry] = {}
    for place in folders():
        found = entries(place)
        if name in found:
            return read_entry(name, found[name], place)
        known |= found
    path = Path(name)
    if name in remote():
        raise ModelError(f"model.name: {name!r} is not on this device yet; do: {command(f'fetch {name}')}")
    if not path.suffix and not os.path.exists(path):
        names = [*known, *(other for other in remote() if other not in known)]
        near = difflib.get_close_matches(name, names, 1)
        right = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        raise ModelError(f"model.name: there is no model {name!r}; {right}, or give the path of a .tflite file")
    content = _content(path)
    if content[4:8] != b"TFL3":
        raise ModelError(f"model.name: {path} is not a TFLite model; give a .tflite file")
    sha256 = hashlib.sha256(content).hexdigest()
    verified = any(sha256 == entry.sha256 for entry in known.values())
    return ModelFile(path.stem, path, sha256, content, verified=verified)


def read_entry(name: str, entry: Entry, place: Path) -> ModelFile:
    """The model that the catalogue of that folder describes; raises ModelError if its file is another one."""
    path = place / entry.file
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"model.name: cannot read {path} ({exc.strerror}); {_remedy(name, place)}") from exc
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != entry.sha256:
        raise ModelError(f"model.name: {path} is damaged ({len(content)} of {entry.size} bytes, sha256 "
                         f"{sha256[:12]}… instead of {entry.sha256[:12]}…); {_remedy(name, place)}")  # fmt: skip
    return ModelFile(name, path, sha256, content, verified=True)


def add(name: str, entry: Entry, content: bytes) -> tuple[Path, bool]:
    """Put a model into the owner's catalogue; returns where its file is, and False if it was there already.

    The entry comes last, so that after a power cut there is never an entry without its file.
    Raises ModelError if another model has that name, or if nothing can be written.
    """
    for place in folders():
        if known := entries(place).get(name):
            if known.sha256 != entry.sha256:
                raise ModelError(f"{place} has another model {name!r} already; choose another name with --name")
            path = place / known.file
            if not _holds(path, content):
                _write(path, content)
            return path, False
    place = _own_folder()
    path, index = place / entry.file, place / _INDEX
    text = index.read_text(encoding="utf-8") if index.is_file() else "# Models fetched or imported on this device.\n"
    described = msgspec.to_builtins(entry).items()
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in described if value is not None]
    text = "\n".join([text.rstrip(), "", f"[{name}]", *lines, ""])
    if _parsed(text)[name] != entry:
        raise ModelError(f"{index}: cannot describe {name!r}; choose another name with --name")
    if path.exists() and not _holds(path, content):
        raise ModelError(f"{path} is there already, and in no catalogue; choose another name with --name")
    with _folder_for_all(place):
        _write(path, content)
        try:
            _write(index, text.encode())
        except ModelError:
            with suppress(OSError):
                path.unlink()
            raise
    return path, True


def remove(name: str) -> tuple[Path, list[Path]]:
    """Take a model out of one of the owner's catalogues: out of this user's own, or else out of the whole device's.

    Returns where its file was, and the folders that still have another model of that name.
    Raises UsageError if there is none of that name, and ModelError if it cannot be taken out.
    """
    places = [place for place in reversed(folders()[1:]) if name in entries(place)]
    if not places and name in entries():
        raise UsageError(f"NAME: {name} is a part of edge-pose, and stays")
    if not places:
        raise UsageError(f"NAME: there is no model {name!r} that was fetched or imported; see edge-pose models list")
    place, *others = places
    known = entries(place)
    entry = known.pop(name)
    index, path = place / _INDEX, place / entry.file
    if place == _SYSTEM_FOLDER and os.geteuid() != 0 and not os.access(place, os.W_OK):
        raise ModelError(f"{path}: this user may not remove it; do: {command(f'remove {name}')}")
    text = re.sub(rf"(?ms)^\[{re.escape(name)}\].*?(?=^\[|\Z)", "", index.read_text(encoding="utf-8"))
    if _parsed(text) != known:
        raise ModelError(f"{index}: its table [{name}] cannot be found; take it out by hand")
    _write(index, text.encode())  # first, as there must never be an entry without its file
    if entry.file not in [other.file for other in known.values()]:
        path.unlink(missing_ok=True)
    return path, others


def command(what: str, place: Path | None = None) -> str:
    """`edge-pose models WHAT` as the owner of this device has to type it; `place` is the folder that it is about.

    With sudo where there is a folder for the models of the service, even if this process may write there: it may be
    the service itself, or called with sudo, and who reads this another user. sudo does not see a user's own folder.
    """
    as_root = os.geteuid() == 0 and "SUDO_UID" not in os.environ
    users_own = os.geteuid() != 0 and place in _own_folders()[1:]
    sudo = "sudo " if not as_root and not users_own and os.path.isdir(_SYSTEM_FOLDER) else ""
    program = os.path.join(sysconfig.get_path("scripts"), "edge-pose")  # noqa: PTH118
    found = shutil.which("edge-pose", path=_SUDOS_PATH if sudo else None)
    if found and os.path.realpath(found) == os.path.realpath(program):
        program = "edge-pose"
    return f"{sudo}{program} models {what}"


def is_private(path: Path) -> bool:
    """Whether a model's file is where programs of this user alone look, and not the service."""
    return path.parent in _own_folders()[1:]


def _own_folders() -> list[Path]:
    """Where the owner's models may be: first where the whole device, and so the daemon, sees them."""
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path(os.path.expanduser("~/.local/share"))  # noqa: PTH111 - the other one raises where there is no home
    return [_SYSTEM_FOLDER, data / "edge-pose/models"] if data.is_absolute() else [_SYSTEM_FOLDER]


def _own_folder() -> Path:
    """The first of them that can be written, or made."""
    for place in _own_folders():
        there = next(path for path in (place, *place.parents) if os.path.exists(path))
        if there.is_dir() and os.access(there, os.W_OK):
            return place
    raise ModelError(f"{' and '.join(map(str, _own_folders()))} cannot be written; check their permissions")


@contextmanager
def _folder_for_all(place: Path) -> Iterator[None]:
    """Make a folder that others may enter, and take it away again if nothing was put into it."""
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    try:
        place.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            folder.chmod(0o755)
        yield
    except OSError as exc:
        raise ModelError(f"cannot make {place} ({exc.strerror}); check space and permissions") from exc
    finally:
        with suppress(OSError):  # which the first one that is not empty ends
            for folder in missing:
                folder.rmdir()


def _write(path: Path, content: bytes) -> None:
    """All or nothing, also when the power fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), 0o644)  # the daemon is another user, whatever the umask of this one
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as exc:
        raise ModelError(f"cannot write {path} ({exc.strerror}); check space and permissions") from exc
    finally:
        with suppress(OSError):
            temporary.unlink()


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _parsed(text: str) -> dict[str, Entry]:
    return msgspec.convert(tomllib.loads(text), dict[str, Entry])


def _remedy(name: str, place: Path) -> str:
    """How to get a model of that folder whole again."""
    if place not in _own_folders():
        return _REINSTALL
    return f"do: {command(f'fetch {name}', place)}" if name in remote() else "import it again"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ModelError(
            f"model.name: cannot read {path} ({exc.strerror}); check the path and its permissions"
        ) from exc
