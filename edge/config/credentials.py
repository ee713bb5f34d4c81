"""The broker's password, from a file or a systemd credential. The configuration itself never contains it."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from edge.config.schema import Mqtt
from edge.errors import ConfigError

PASSWORD_CREDENTIAL = "mqtt_password"  # noqa: S105 - a name, not a password
FOLDER = Path("/etc/edge-pose")


def password(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> str | None:
    """The broker's password, from `mqtt.password_file` or the systemd credential; None if there is neither.

    Raises ConfigError if `mqtt.password_file` is empty, or either file cannot be read.
    """
    key, file = "mqtt.password_file", Path(mqtt.password_file)
    if not mqtt.password_file:
        if not environ.get("CREDENTIALS_DIRECTORY"):
            return None
        key, file = f"credential {PASSWORD_CREDENTIAL}", Path(environ["CREDENTIALS_DIRECTORY"]) / PASSWORD_CREDENTIAL
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
    """Let a command started by hand use the service's password, if the user may read the file in `folder`."""
    if os.access(folder / PASSWORD_CREDENTIAL, os.R_OK):
        environ.setdefault("CREDENTIALS_DIRECTORY", str(folder))
