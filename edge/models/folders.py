"""Where models are kept: the shipped folder, the device's folder, and the user's own folder."""

import os
import shutil
import sysconfig
from pathlib import Path

from edge.errors import ModelError

INDEX = "catalogue.toml"
REINSTALL = "install edge-pose again"

_SHIPPED = (Path(__file__).parent, Path(__file__).parents[2] / "models")  # in the wheel, and in a checkout
_SYSTEM = Path("/var/lib/edge-pose/models")
_SUDO_PATH = "/usr/local/bin:/usr/bin"  # sudo replaces the user's PATH


def shipped() -> Path:
    """The folder of the shipped models. Raises ModelError if the installation has none."""
    for folder in _SHIPPED:
        if os.path.isfile(folder / INDEX):
            return folder
    raise ModelError(str(_SHIPPED[0] / INDEX), "the file is missing: the installation is damaged", REINSTALL)


def with_catalogue() -> list[Path]:
    """Every folder that has a catalogue, the shipped one first. Of models with the same name, the first one counts."""
    return [shipped(), *[folder for folder in owned() if os.path.isfile(folder / INDEX)]]


def owned() -> list[Path]:
    """The folders for the owner's models: the device's, which the daemon reads too, then the user's own."""
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path(os.path.expanduser("~/.local/share"))  # noqa: PTH111 - Path.expanduser raises without a home
    return [_SYSTEM, data / "edge-pose/models"] if data.is_absolute() else [_SYSTEM]


def writable() -> Path:
    """The first owned folder that this process can write or create. Raises ModelError if there is none."""
    for folder in owned():
        existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
        if existing.is_dir() and os.access(existing, os.W_OK):
            return folder
    raise ModelError(" and ".join(map(str, owned())), "these folders cannot be written", "check their permissions")


def is_private(path: Path) -> bool:
    """Whether a model's file is in the user's own folder, which the daemon does not read."""
    return path.parent in owned()[1:]


def needs_root(folder: Path) -> bool:
    """Whether only root may change the models of this folder."""
    return folder == _SYSTEM and os.geteuid() != 0 and not os.access(folder, os.W_OK)


def command(arguments: str, folder: Path | None = None) -> str:
    """The command `edge-pose models ARGUMENTS` as the owner of this device has to type it.

    It starts with sudo if the device has a folder for models, even if this process may write there, because this
    process may be the daemon or run under sudo. It has no sudo if it changes `folder` and that is the user's own.
    """
    as_root = os.geteuid() == 0 and "SUDO_UID" not in os.environ
    private = os.geteuid() != 0 and folder in owned()[1:]
    sudo = "sudo " if not as_root and not private and os.path.isdir(_SYSTEM) else ""
    program = os.path.join(sysconfig.get_path("scripts"), "edge-pose")  # noqa: PTH118
    found = shutil.which("edge-pose", path=_SUDO_PATH if sudo else None)
    if found and os.path.realpath(found) == os.path.realpath(program):
        program = "edge-pose"
    return f"{sudo}{program} models {arguments}"
