"""Read the configuration from the file and the environment, and run every check that needs no network.

The environment variable `EDGE_POSE_<TABLE>__<KEY>` overrides a key, and `EDGE_POSE_ZONES` all tables `[[zones]]`. Every
error is a ConfigError whose `origin` is the file or the variable that set the key.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge.config.checks import check, check_broker, check_web
from edge.config.renamed import RENAMED, contradiction, rename_keys, warn
from edge.config.schema import Config
from edge.config.validation import explain, is_array_of_tables, plain_type
from edge.errors import ConfigError

DEFAULT_PATH = Path("/etc/edge-pose/edge-pose.toml")
ENV_PREFIX = "EDGE_POSE_"
_ARRAYS = {name for name in Config.__struct_fields__ if is_array_of_tables(plain_type(Config, [name]))}


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ, *, broker: bool = True) -> Config:
    """Read `path`, apply the environment, and check the result. Old key names are accepted with a warning.

    Without a path, it reads the default file. `broker=False` is for commands that publish nothing: without a path, it
    reads no file, and it does not check the keys of the broker and of the page. Raises ConfigError.
    """
    if path is None and not broker:
        origin, tables = "defaults", dict[str, Any]()
    else:
        path = path or DEFAULT_PATH
        origin, tables = str(path), _read(path)
    overridden: dict[str, str] = {}  # key -> the environment variable that set it
    try:
        for old, new in rename_keys(tables).items():
            warn(origin, old, new)
        overridden = _apply(environ, tables)
        return _checked(tables, broker=broker)
    except ConfigError as exc:
        if exc.origin:
            raise
        # A variable may set a whole table, and the error names one key of it.
        variable = next((overridden[key] for key in overridden if re.match(rf"{re.escape(key)}\b", exc.key)), None)
        raise exc.with_fields(origin=f"environment: {variable}" if variable else origin) from exc


def variable_of(key: str) -> str:
    """The environment variable that sets a key: EDGE_POSE_MQTT__HOST for `mqtt.host`."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = "create it from config/edge-pose.toml, or name another file with --config"
        raise ConfigError(str(path), "no such file", remedy) from None
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        raise ConfigError(str(path), f"cannot be read ({reason})", "make it a readable UTF-8 text file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(str(path), f"is not valid TOML: {exc}", "correct it at that position") from exc


def _checked(tables: dict[str, Any], *, broker: bool) -> Config:
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as exc:
        raise ConfigError(*explain(exc, tables, Config)) from exc
    check(config)
    if broker:
        check_broker(config.mqtt)
        check_web(config.web)
    return config


def _apply(environ: Mapping[str, str], tables: dict[str, Any]) -> dict[str, str]:
    """Write the keys that the environment sets into `tables`; returns key -> name of its variable."""
    overridden: dict[str, str] = {}
    for variable, raw in environ.items():
        key = _key_of(variable)
        if not variable.startswith(ENV_PREFIX) or ("__" not in variable and key not in _ARRAYS):
            _check_spelling(variable)
            continue
        if new := RENAMED.get(key):
            warn("environment", variable, variable_of(new))
            if environ.get(variable_of(new), raw) != raw:
                raise contradiction(variable, variable_of(new)).with_fields(origin="environment")
            key = new
        *parents, name = key.split(".")
        table: Any = tables
        if parents and parents[0] in _ARRAYS:
            remedy = f"set {variable_of(parents[0])} to all of them: [{{name = ...}}, ...]"
            raise ConfigError(variable, f"{parents[0]} is a list of tables", remedy, origin="environment")
        for parent in parents:
            table = table.setdefault(parent, {})
            if not isinstance(table, dict):
                remedy = f"use the form {ENV_PREFIX}TABLE__KEY"
                raise ConfigError(variable, f"{parent} is not a table", remedy, origin="environment")
        try:
            table[name] = _value(raw, plain_type(Config, [*parents, name]), exact=key in _ARRAYS)
        except tomllib.TOMLDecodeError as exc:
            remedy = "write a list of tables: [{name = ...}, ...]"
            raise ConfigError(variable, "is not valid TOML", remedy, origin="environment") from exc
        overridden[key] = variable
    return overridden


def _key_of(variable: str) -> str:
    names = variable.removeprefix(ENV_PREFIX).split("__")
    # Keys are lower case, except for the body parts in filter.parts.
    is_part = names[:2] == ["FILTER", "PARTS"]
    return ".".join(name if is_part and at == 2 else name.lower() for at, name in enumerate(names))


def _check_spelling(variable: str) -> None:
    """Refuse a variable that has one underscore instead of two after a table's name; ignore other programs' variables.

    Raises ConfigError.
    """
    table = variable.removeprefix(ENV_PREFIX).partition("_")[0].lower()
    if variable.startswith(ENV_PREFIX) and table in Config.__struct_fields__:
        (near,) = difflib.get_close_matches(variable, _variables(msgspec.to_builtins(Config())), 1, cutoff=0)
        raise ConfigError(variable, "unknown key", f"did you mean {near}?", origin="environment")


def _variables(tables: Mapping[str, Any], start: str = ENV_PREFIX) -> Iterator[str]:
    """The environment variable of each key in `tables`."""
    for name, value in tables.items():
        variable = start + name.upper()
        if isinstance(value, dict) and value:
            yield from _variables(value, variable + "__")
        else:
            yield variable


def _value(raw: str, wanted: Any, *, exact: bool) -> Any:
    """The text itself for a key of type str; otherwise a TOML value, or the text if it is not valid TOML.

    Raises TOMLDecodeError instead if it must be `exact`.
    """
    if wanted is str:
        return raw
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        if exact:
            raise
        return raw
