"""Write zones and lines as text for the configuration file."""

import json
from collections.abc import Iterable, Iterator

import msgspec

from edge.config.schema import Line, Zone


def places_toml(zones: Iterable[Zone], lines: Iterable[Line]) -> str:
    """Tables `[[zones]]` and `[[lines]]`. Keys that have their default are left out."""
    return "\n".join([*_tables("zones", zones), *_tables("lines", lines)])


def _tables(key: str, places: Iterable[Zone | Line]) -> Iterator[str]:
    """The text of each table. Its values look as in JSON; tomlkit would take seconds for many zones."""
    for place in places:
        table = msgspec.to_builtins(place)
        defaults = {field.encode_name: field.default for field in msgspec.structs.fields(place)}
        values = (f"{name} = {json.dumps(value)}" for name, value in table.items() if value != defaults[name])
        yield "\n".join([f"[[{key}]]", *values, ""])
