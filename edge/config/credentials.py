"""The broker's password, from a file or a systemd credential. The configuration itself never contains it."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import msgspec

from edge.config.schema import Mqtt
from edge.errors import ConfigError

PASSWORD_CREDENTIAL = "mqtt_password"  # noqa: S105 - a name, not a password
FOLDER = Path("/etc/edge-pose")
HOME = "home"  # a login that may read the topics of all devices; docs/mqtt.md lists its rights


def password(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> str | None:
    """The broker's password, from `mqtt.password_file` or a systemd credential; None if there is neither.

    The credential `mqtt_password_<user name>` takes precedence over `mqtt_password`. Raises ConfigError if
    `mqtt.password_file` is empty, or the file cannot be read.
    """
    key, file = "mqtt.password_file", Path(mqtt.password_file)
    if not mqtt.password_file:
        if not environ.get("CREDENTIALS_DIRECTORY"):
            return None
        folder = Path(environ["CREDENTIALS_DIRECTORY"])
        own = _name_of(mqtt.username)
        name = own if _has_text(folder / own) else PASSWORD_CREDENTIAL
        key, file = f"credential {name}", folder / name
    try:
        # Editors add a newline at the end of a file.
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        if isinstance(exc, FileNotFoundError) and not mqtt.password_file:
            return None
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        remedy = "make it readable for the user that runs edge-pose; under systemd, that is edge-pose"
        raise ConfigError(key, f"cannot read {file} ({reason})", remedy) from exc
    if secret:
        return secret
    if not mqtt.password_file:
        return None
    raise ConfigError(key, f"{file} is empty", f"write the password of {mqtt.username!r} into it")


def find_credential(environ: MutableMapping[str, str] = os.environ, folder: Path = FOLDER) -> None:
    """Let a command started by hand use the service's passwords, if the user may read one in `folder`."""
    if any(os.access(file, os.R_OK) for file in folder.glob(f"{PASSWORD_CREDENTIAL}*")):
        environ.setdefault("CREDENTIALS_DIRECTORY", str(folder))


def as_home(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> Mqtt:
    """`mqtt` with the login that may read all devices, if its password is here and the environment names no other."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder or "EDGE_POSE_MQTT__USERNAME" in environ or not _has_text(Path(folder) / _name_of(HOME)):
        return mqtt
    return msgspec.structs.replace(mqtt, username=HOME, password_file="")


def _name_of(username: str) -> str:
    """The credential of one login."""
    return f"{PASSWORD_CREDENTIAL}_{username.replace('/', '_')}"


def _has_text(file: Path) -> bool:
    """Whether the file has a password in it; systemd sets an empty one where there is no file."""
    return file.is_file() and os.access(file, os.R_OK) and bool(file.read_bytes().strip())
