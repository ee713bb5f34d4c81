"""The passwords of the broker and of the page, from files or systemd credentials, never from the configuration."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import msgspec

from edge.config.schema import Mqtt, Web
from edge.errors import ConfigError

# Names of systemd credentials, and of files in FOLDER.
PASSWORD_CREDENTIAL = "mqtt_password"  # noqa: S105 - a name, not a password
WEB_CREDENTIAL = "web_password"
FOLDER = Path("/etc/edge-pose")
HOME = "home"  # a login that may read the topics of all devices; docs/mqtt.md lists its rights


def password(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> str | None:
    """The broker's password, from `mqtt.password_file` or a systemd credential; None if there is neither.

    The credential `mqtt_password_<user name>` takes precedence over `mqtt_password`. Raises ConfigError if
    `mqtt.password_file` is empty, or the file cannot be read.
    """
    if mqtt.password_file:
        return _from_file("mqtt.password_file", mqtt.password_file, f"the password of {mqtt.username!r}")
    return _from_credential([_name_of(mqtt.username), PASSWORD_CREDENTIAL], environ)


def web_password(web: Web, environ: Mapping[str, str] = os.environ) -> str | None:
    """The page's password, from `web.password_file` or the systemd credential; None if there is neither.

    Raises ConfigError if `web.password_file` is empty, or the file cannot be read.
    """
    if web.password_file:
        return _from_file("web.password_file", web.password_file, "the password of the page")
    return _from_credential([WEB_CREDENTIAL], environ)


def has_web_password(web: Web, environ: Mapping[str, str] = os.environ, folder: Path = FOLDER) -> bool:
    """Whether the service has a password for the page, although this process may not be allowed to read it."""
    kept = folder / WEB_CREDENTIAL
    unreadable = os.path.exists(kept) and not os.access(kept, os.R_OK)
    return bool(web_password(web, environ)) or unreadable or _has_text(kept)


def find_credential(environ: MutableMapping[str, str] = os.environ, folder: Path = FOLDER) -> None:
    """Let a command started by hand use the service's passwords, if the user may read one in `folder`."""
    files = [*folder.glob(f"{PASSWORD_CREDENTIAL}*"), folder / WEB_CREDENTIAL]
    if any(os.access(file, os.R_OK) for file in files):
        environ.setdefault("CREDENTIALS_DIRECTORY", str(folder))


def as_home(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> Mqtt:
    """`mqtt` with the login that may read all devices, if its password is here and the environment names no other."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder or "EDGE_POSE_MQTT__USERNAME" in environ or not _has_text(Path(folder) / _name_of(HOME)):
        return mqtt
    return msgspec.structs.replace(mqtt, username=HOME, password_file="")


def _from_file(key: str, file: str, meaning: str) -> str:
    """The text of a file that a configuration key names. Raises ConfigError, also if there is none."""
    secret = _read(key, Path(file))
    if not secret:
        raise ConfigError(key, f"{file} is empty", f"write {meaning} into it")
    return secret


def _from_credential(names: list[str], environ: Mapping[str, str]) -> str | None:
    """The first of these credentials that has a text; None if none has. Raises ConfigError."""
    if not environ.get("CREDENTIALS_DIRECTORY"):
        return None
    folder = Path(environ["CREDENTIALS_DIRECTORY"])
    name = next((name for name in names[:-1] if _has_text(folder / name)), names[-1])
    if not os.path.lexists(folder / name):
        return None
    return _read(f"credential {name}", folder / name) or None


def _read(key: str, file: Path) -> str:
    try:
        # Editors add a newline at the end of a file.
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        remedy = "make it readable for the user that runs edge-pose; under systemd, that is edge-pose"
        raise ConfigError(key, f"cannot read {file} ({reason})", remedy) from exc


def _name_of(username: str) -> str:
    """The credential of one login."""
    return f"{PASSWORD_CREDENTIAL}_{username.replace('/', '_')}"


def _has_text(file: Path) -> bool:
    """Whether the file has a password in it; systemd sets an empty one where there is no file."""
    return file.is_file() and os.access(file, os.R_OK) and bool(file.read_bytes().strip())
