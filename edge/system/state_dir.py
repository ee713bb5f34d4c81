"""The state directory: small files that the sensor keeps across restarts, separate for each device."""

import os
from pathlib import Path

from edge.system.files import write_atomically

_SYSTEM = Path("/var/lib/edge-pose")


def state_file(name: str, device_id: str, kind: str = "json") -> Path:
    """The file in which a device keeps its `name`, such as "settings". Its folder may not exist yet.

    It is in systemd's state directory; without systemd in /var/lib/edge-pose if that can be written, otherwise in the
    user's own state directory. Device IDs have no dots, so files of different devices never have the same name.
    """
    return _folder() / f"{device_id}.{name}.{kind}"


def write_state(path: Path, content: bytes) -> None:
    """Replace a file of the state directory, and create the folder if necessary. Raises OSError.

    The file belongs to the owner of the folder, so that the service can read it after a run with sudo.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, content, mode=0o600, owner=path.parent.stat())
    _sync(path.parent)


def delete_state(path: Path) -> None:
    """Delete a file of the state directory, if it exists. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    _sync(path.parent)


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be used, so that its owner can look at it. Returns where it is then."""
    try:
        return path.replace(path.with_name(f"{path.name}.damaged"))
    except OSError:
        return path


def _sync(folder: Path) -> None:
    """Wait until the disk has the names in a folder. Otherwise a power failure may bring an old file back."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _folder() -> Path:
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd separates several by colons
    if given:
        return Path(given)
    if _SYSTEM.is_dir() and os.access(_SYSTEM, os.W_OK):
        return _SYSTEM
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not home.is_absolute():
        home = Path(os.path.expanduser("~/.local/state"))  # noqa: PTH111 - Path.expanduser raises without a home
    return home / "edge-pose"
