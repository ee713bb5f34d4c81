"""Write zones and lines as text for the configuration file."""

from collections.abc import Iterable
from typing import Any

import msgspec
import tomlkit

from edge.config.schema import Line, Zone


def places_toml(zones: Iterable[Zone], lines: Iterable[Line]) -> str:
    """Tables `[[zones]]` and `[[lines]]`. Keys that have their default are left out."""
    tables = {"zones": [_table(zone) for zone in zones], "lines": [_table(line) for line in lines]}
    return tomlkit.dumps({name: of_kind for name, of_kind in tables.items() if of_kind})


def _table(place: Zone | Line) -> dict[str, Any]:
    table: dict[str, Any] = msgspec.to_builtins(place)
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(place)}
    return {key: _plain(value) for key, value in table.items() if value != defaults[key]}


def _plain(value: Any) -> Any:
    """The value with lists, since TOML has no tuples."""
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
