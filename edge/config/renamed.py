"""Renamed keys. The old names work through version 0.3, with a warning."""

import logging
from typing import Any

from edge.errors import ConfigError

log = logging.getLogger(__name__)

RENAMED = {"decode.turned": "people.detect_lying", "inference.probe_s": "inference.retry_s"}  # old -> new

_ABSENT = object()


def rename_keys(tables: dict[str, Any]) -> dict[str, str]:
    """Move the values of old keys to the new keys, in place; returns the names found, old -> new.

    Raises ConfigError if `tables` has both names with different values.
    """
    found = {}
    for old, new in RENAMED.items():
        old_table, old_name = old.split(".")
        new_table, new_name = new.split(".")
        source, target = tables.get(old_table), tables.get(new_table, {})
        if not isinstance(source, dict) or not isinstance(target, dict) or old_name not in source:
            continue
        if target.get(new_name, _ABSENT) not in (_ABSENT, source[old_name]):
            raise contradiction(old, new)
        target[new_name] = source.pop(old_name)
        tables[new_table] = target
        found[old] = new
    return found


def warn(origin: str, old: str, new: str) -> None:
    """Log that an old name is used; the names are keys or environment variables."""
    log.warning("%s: %s is now called %s; the old name will stop working after version 0.3", origin, old, new)


def contradiction(old: str, new: str) -> ConfigError:
    """The error for an old and a new name with different values."""
    return ConfigError(new, f"differs from {old}, its old name", f"remove {old}")
