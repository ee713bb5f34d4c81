"""Add models to the owner's catalogues and remove them. Comments and order in `catalogue.toml` are kept."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import tomlkit

from edge.errors import ModelError, UsageError
from edge.models import folders
from edge.models.catalogue import Entry, entries
from edge.system.files import write_atomically

_HEADER = "# Models that were downloaded or imported on this device.\n"
_OTHER_NAME = "choose another name with --name"
_CHECK_DISK = "check free space and permissions"


def add(name: str, entry: Entry, content: bytes) -> tuple[Path, bool]:
    """Add a model to the owner's catalogue. Returns the path of its file, and False if the model was there already.

    Raises ModelError if another model has that name, or nothing can be written.
    """
    for folder in folders.with_catalogue():
        if known := entries(folder).get(name):
            if known.sha256 != entry.sha256:
                raise ModelError(str(folder), f"it has another model {name!r}", _OTHER_NAME)
            path = folder / known.file
            if not _holds(path, content):
                _write(path, content)
            return path, False
    folder = folders.writable()
    path, index = folder / entry.file, folder / folders.INDEX
    text = _with_entry(index.read_text(encoding="utf-8") if index.is_file() else _HEADER, name, entry)
    if path.exists() and not _holds(path, content):
        raise ModelError(str(path), "this file exists, and no catalogue describes it", _OTHER_NAME)
    with _public_folder(folder):
        _write(path, content)  # before the entry: after a power cut there must be no entry without a file
        try:
            _write(index, text.encode())
        except ModelError:
            with suppress(OSError):
                path.unlink()
            raise
    return path, True


def remove(name: str) -> tuple[Path, list[Path]]:
    """Remove a model from one of the owner's catalogues: from the user's own, or else from the device's.

    Returns the path of its file, and the folders that still have another model of that name.
    Raises UsageError if there is no such model, and ModelError if it cannot be removed.
    """
    holding = [folder for folder in reversed(folders.with_catalogue()[1:]) if name in entries(folder)]
    if not holding and name in entries():
        raise UsageError("NAME", f"{name} is a part of edge-pose", "only other models can be removed")
    if not holding:
        raise UsageError("NAME", f"no downloaded or imported model is called {name!r}", "see edge-pose models list")
    folder, *others = holding
    known = entries(folder)
    entry = known.pop(name)
    index, path = folder / folders.INDEX, folder / entry.file
    if folders.needs_root(folder):
        raise ModelError(str(path), "this user may not remove it", f"run: {folders.command(f'remove {name}')}")
    document = tomlkit.parse(index.read_text(encoding="utf-8"))
    document.remove(name)
    _write(index, tomlkit.dumps(document).encode())  # before the file: there must be no entry without one
    if entry.file not in [other.file for other in known.values()]:
        path.unlink(missing_ok=True)
    return path, others


def _with_entry(text: str, name: str, entry: Entry) -> str:
    document = tomlkit.parse(text.rstrip() + "\n")
    described = msgspec.to_builtins(entry).items()
    document.add(tomlkit.nl())
    document.add(name, tomlkit.item({key: value for key, value in described if value is not None}))
    return tomlkit.dumps(document)


@contextmanager
def _public_folder(folder: Path) -> Iterator[None]:
    """Create a folder that other users may read; remove it again if the block puts nothing into it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            path.chmod(0o755)
        yield
    except OSError as exc:
        raise ModelError(str(folder), f"cannot create this folder ({exc.strerror})", _CHECK_DISK) from exc
    finally:
        with suppress(OSError):  # stops at the first folder that is not empty
            for path in missing:
                path.rmdir()


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as exc:
        raise ModelError(str(path), f"cannot write this file ({exc.strerror})", _CHECK_DISK) from exc


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
