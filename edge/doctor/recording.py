"""The folder of recordings: whether the service can write into it, and whether it has room."""

import shutil
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from edge.config import Config
from edge.doctor.access import Account, allows
from edge.doctor.machine import STATE, size_text
from edge.doctor.result import SUDO, Result
from edge.recording.files import Files

_WRITE, _PASS = 0o3, 0o1  # permissions on a folder: to make files in it, and to reach what is in it


def recording(root: Path, config: Config, user: Account | None, unit: Mapping[str, str]) -> Result:
    """Whether `user` can write `recording.folder` from the service with the properties `unit`, up to the limit."""
    wanted = config.recording
    if not wanted.enabled:
        return Result("recording", "ok", "off")
    folder = Path(wanted.folder)
    if unit and not _is_writable_in(unit, folder):
        fix = f"sudo systemctl edit edge-pose, and add below [Service]: ReadWritePaths={folder}"
        return Result("recording", "problem", f"the service may not write {folder}, only below {STATE}", fix)
    try:
        return _examined(root, config, root / folder.relative_to("/"), user)
    except PermissionError:
        return Result("recording", "unknown", f"{folder} cannot be read", SUDO)


def _examined(root: Path, config: Config, place: Path, user: Account | None) -> Result:
    """The result for the folder `place` below `root`. Raises PermissionError."""
    folder = config.recording.folder
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not existing.is_dir():
        return Result(
            "recording", "problem", f"/{existing.relative_to(root)} is not a folder", "change recording.folder"
        )
    if user is not None:
        above = takewhile(lambda path: path != root, existing.parents)
        if not allows(existing, user, _WRITE) or not all(allows(path, user, _PASS) for path in above):
            fix = f"sudo install -d -o {user.name} -g {user.name} -m 700 {folder}, and let it pass the folders above"
            return Result("recording", "problem", f"{user.name} may not write {folder}", fix)
    limit = config.recording.max_mb * 1_000_000
    used = Files(place, config.device.topic_id, limit).total() if place == existing else 0
    free = shutil.disk_usage(existing).free
    text = f"at most {config.recording.max_mb} MB in {folder}, where {size_text(free >> 20)} are free"
    if free + used < limit:
        return Result("recording", "warning", text, "lower recording.max_mb, or delete other files")
    return Result("recording", "ok", text)


def _is_writable_in(unit: Mapping[str, str], folder: Path) -> bool:
    """Whether the sandbox of the unit lets the service write into this folder."""
    if unit.get("ProtectSystem") != "strict":
        return True
    others = [Path(path.lstrip("-+")) for path in unit.get("ReadWritePaths", "").split()]
    return any(folder.is_relative_to(path) for path in (STATE, *others))
