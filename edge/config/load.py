"""Read the configuration: the file, the environment over it, and the checks that need no network.

`EDGE_POSE_<TABLE>__<KEY>` in the environment overrides a key. Anything that does not fit is one ConfigError: file, key,
what is wrong, what to do.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge.config.credentials import password
from edge.config.hosts import is_host
from edge.config.schema import PART_NAMES, SLOWEST_FPS, Camera, Config, Filter, Mqtt
from edge.config.validation import explain, plain_type
from edge.errors import ConfigError

DEFAULT_PATH = Path("/etc/edge-pose/edge-pose.toml")
ENV_PREFIX = "EDGE_POSE_"


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ, *, broker: bool = True) -> Config:
    """Read `path`, lay the environment over it, and check everything that can be checked without a network.

    Without a path the default one is read. With `broker=False`, for work that publishes nothing, no file is read
    without a path, and what concerns the broker is not looked at. Raises ConfigError.
    """
    if path is None and not broker:
        return _settled({}, "defaults", environ, broker=broker)
    path = path or DEFAULT_PATH
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make it (config/edge-pose.toml is the pattern) or name another "
                          "with --config") from None  # fmt: skip
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); it must be a readable UTF-8 text file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: is not TOML: {exc}; mend that place") from exc
    return _settled(tables, str(path), environ, broker=broker)


def _settled(tables: dict[str, Any], origin: str, environ: Mapping[str, str], *, broker: bool) -> Config:
    overridden = _overlay(tables, environ)
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as exc:
        key, problem = explain(exc, tables, Config)
        raise ConfigError(f"{_origin(key, origin, overridden)}: {key}: {problem}") from exc
    try:
        _check_text(msgspec.to_builtins(config))
        _check_parts(config.filter)
        _check_rate(config.camera)
        if broker:
            _check_mqtt(config.mqtt)
    except ConfigError as exc:
        key = str(exc).partition(":")[0]
        raise ConfigError(f"{_origin(key, origin, overridden)}: {exc}") from exc
    return config


def variable_of(key: str) -> str:
    """The environment variable that sets a key: EDGE_POSE_MQTT__HOST for `mqtt.host`."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def _origin(key: str, origin: str, overridden: Mapping[str, str]) -> str:
    return f"environment: {overridden[key]}" if key in overridden else origin


def _check_text(value: Any, key: str = "") -> None:
    """No file name, topic or address has a line break or a NUL in it, and most of who takes them would choke."""
    if isinstance(value, dict):
        for name, entry in value.items():
            _check_text(entry, f"{key}.{name}" if key else name)
    elif isinstance(value, str) and any(ord(character) < ord(" ") for character in value):
        raise ConfigError(f"{key}: {value!r} has control characters in it; leave them out")


def _check_rate(camera: Camera) -> None:
    if 0 < camera.fps < SLOWEST_FPS:
        raise ConfigError(f"camera.fps: {camera.fps} is too slow for systemd's watchdog; use 0 or {SLOWEST_FPS} to 240")


def _check_parts(filtering: Filter) -> None:
    for name in filtering.parts:
        if name not in PART_NAMES:
            near = difflib.get_close_matches(name.upper(), PART_NAMES, 1)
            right = f"did you mean {near[0]}?" if near else f"known are {', '.join(PART_NAMES)}"
            raise ConfigError(f"filter.parts.{name}: unknown body part; {right}")


def _check_mqtt(mqtt: Mqtt) -> None:
    """What cannot be said of one key alone."""
    if not mqtt.host:
        raise ConfigError('mqtt.host: is missing; name the broker, e.g. host = "192.168.1.10"')
    if not is_host(mqtt.host):
        raise ConfigError(f"mqtt.host: {mqtt.host!r} is no host name; give the name or address alone, "
                          "without mqtt:// and without the port")  # fmt: skip
    secret = password(mqtt)
    if mqtt.password_file and secret and not mqtt.username:
        raise ConfigError("mqtt.username: is missing beside mqtt.password_file; name the broker's user")
    tls = mqtt.tls
    if not tls.enabled and (tls.ca_file or tls.cert_file or tls.key_file):
        raise ConfigError("mqtt.tls.enabled: is false although files are named; set enabled = true")
    if bool(tls.cert_file) != bool(tls.key_file):
        raise ConfigError("mqtt.tls: cert_file and key_file belong together; name both or neither")
    for key in ("ca_file", "cert_file", "key_file"):
        if file := getattr(tls, key):
            try:
                Path(file).read_bytes()
            except OSError as exc:
                raise ConfigError(f"mqtt.tls.{key}: cannot read {file} ({exc.strerror}); "
                                  "check the path and its permissions") from exc  # fmt: skip


def _overlay(tables: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Write the environment's keys into `tables`; returns key -> name of the variable that set it."""
    overridden = {}
    for variable, raw in environ.items():
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            _check_meant(variable)
            continue
        names = variable.removeprefix(ENV_PREFIX).split("__")
        # Keys are lower case, but for the body parts, which the wire spells in capitals.
        names = [
            name if names[:2] == ["FILTER", "PARTS"] and at == 2 else name.lower() for at, name in enumerate(names)
        ]
        place: Any = tables
        for name in names[:-1]:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"environment: {variable}: {name} is not a table; the form is {ENV_PREFIX}TABLE__KEY")
        place[names[-1]] = _env_value(raw, plain_type(Config, names))
        overridden[".".join(names)] = variable
    return overridden


def _check_meant(variable: str) -> None:
    """Refuse what has one underscore too few, which would change nothing; what names no table may be another's."""
    table = variable.removeprefix(ENV_PREFIX).partition("_")[0].lower()
    if variable.startswith(ENV_PREFIX) and table in Config.__struct_fields__:
        (near,) = difflib.get_close_matches(variable, _variables(msgspec.to_builtins(Config())), 1, cutoff=0)
        raise ConfigError(f"environment: {variable}: unknown key; did you mean {near}?")


def _variables(tables: Mapping[str, Any], start: str = ENV_PREFIX) -> Iterator[str]:
    """What sets each key, in the environment."""
    for name, value in tables.items():
        variable = start + name.upper()
        if isinstance(value, dict) and value:
            yield from _variables(value, variable + "__")
        else:
            yield variable


def _env_value(raw: str, wanted: Any) -> Any:
    """Text for a key that wants text; TOML for all others, and the text itself if that fails."""
    if wanted is str:
        return raw
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return raw
