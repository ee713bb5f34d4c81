"""The broker password: from a file or a systemd credential, never from the configuration itself."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from edge.config.schema import Mqtt
from edge.errors import ConfigError

PASSWORD_CREDENTIAL = "mqtt_password"  # noqa: S105 - a name, not a password
FOLDER = Path("/etc/edge-pose")


def password(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> str | None:
    """The broker password: from `mqtt.password_file`, or the systemd credential; None where there is neither.

    Raises ConfigError if the file cannot be read or is empty.
    """
    key, file = "mqtt.password_file", Path(mqtt.password_file)
    if not mqtt.password_file:
        if not environ.get("CREDENTIALS_DIRECTORY"):
            return None
        key, file = f"credential {PASSWORD_CREDENTIAL}", Path(environ["CREDENTIALS_DIRECTORY"]) / PASSWORD_CREDENTIAL
    try:
        # Editors end a file with a newline, and nobody has one in a password.
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        if isinstance(exc, FileNotFoundError) and not mqtt.password_file:
            return None
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{key}: cannot read {file} ({reason}); make it readable for the user that runs this, "
                          "who is «edge-pose» under systemd") from exc  # fmt: skip
    if not secret and not mqtt.password_file:
        return None
    if not secret:
        raise ConfigError(f"{key}: {file} is empty; write the password of {mqtt.username!r} into it")
    return secret


def find_credential(environ: MutableMapping[str, str] = os.environ, folder: Path = FOLDER) -> None:
    """By hand as by systemd: let `password` look into `folder`, if this user may read the password there."""
    if os.access(folder / PASSWORD_CREDENTIAL, os.R_OK):
        environ.setdefault("CREDENTIALS_DIRECTORY", str(folder))
