"""Convert msgspec's validation errors to key, problem and remedy."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

_NAMES = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}

Step: TypeAlias = str | int  # the name of a key or of an entry, or an index in an array


def explain(exc: msgspec.ValidationError, tables: Mapping[str, Any], root: type[Struct]) -> tuple[str, str, str]:
    """Key, problem and remedy of an error that `msgspec.convert(tables, root)` raised."""
    message, _, location = str(exc).partition(" - at `")
    key, value, steps = _locate(_steps(location), tables, root)
    if unknown := re.match(r"Object contains unknown field `(.*)`", message):
        known = list(_fields(_hint(root, steps)))
        near = difflib.get_close_matches(unknown[1], known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        return _join(key, unknown[1]), "unknown key", remedy
    if missing := re.match(r"Object missing required field `(.*)`", message):
        return _join(key, missing[1]), "is missing", f"set it to {_allowed(_hint(root, [*steps, missing[1]]), steps)}"
    return key, f"invalid value {_shown(value)}", f"use {_allowed(_hint(root, steps), steps)}"


def _shown(value: Any) -> str:
    """A value as in TOML: "text", true, nan, [0, 1]. A table is shown as in JSON."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False, default=str)


def plain_type(root: type[Struct], names: Sequence[str]) -> Any:
    """The type of a key without its limits; None if there is no such key."""
    return _plain(_hint(root, names))


def limits(root: type[Struct], names: Sequence[str]) -> tuple[float, float]:
    """The smallest and the largest value of a key whose numbers are limited."""
    _, meta = get_args(_hint(root, names))
    return meta.ge, meta.le


def is_array_of_tables(hint: Any) -> bool:
    """Whether the type of a key is that of `[[zones]]`."""
    return get_origin(hint) is tuple and isinstance(get_args(hint)[0], type) and issubclass(get_args(hint)[0], Struct)


def key_of_entry(key: str, index: int, entry: Any) -> str:
    """The key of an entry in an array of tables: `zones.bed`, or `zones[1]` for a first one without a name."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return f"{key}.{name}" if isinstance(name, str) and re.fullmatch(r"\w+", name) else f"{key}[{index + 1}]"


def _steps(location: str) -> list[Step]:
    """The steps of a location such as `$.zones[0].points`. `*` stands for any entry of a dict."""
    found = re.findall(r"\[(\d+|\.\.\.)\]|([^.\[\]`$]+)", location)
    return [name or ("*" if index == "..." else int(index)) for index, name in found]


def _locate(steps: Sequence[Step], tables: Mapping[str, Any], root: type[Struct]) -> tuple[str, Any, list[Step]]:
    """Key and value at a location, and the steps to the key. In nested arrays, the value is the innermost array."""
    key, done = "", list[Step]()
    value: Any = tables
    place: Any = tables
    for step in steps:
        if isinstance(step, int):
            place = place[step]
            if is_array_of_tables(_plain(_hint(root, done))):
                key, value, done = key_of_entry(key, step, place), place, [*done, step]
            elif isinstance(place, list):
                value = place
            continue
        name = step
        if name == "*":
            # msgspec does not report which entry of a dict is wrong.
            name = next((entry for entry in place if not _fits(place[entry], _hint(root, [*done, entry]))), step)
        if not isinstance(place, Mapping) or name not in place:
            break
        place = value = place[name]
        key, done = _join(key, name), [*done, name]
    return key, value, done


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _hint(root: type[Struct], steps: Sequence[Step]) -> Any:
    place: Any = root
    for step in steps:
        plain = _plain(place)
        if isinstance(step, int) or get_origin(plain) is dict:
            place = get_args(plain)[0 if isinstance(step, int) else 1]
        elif isinstance(plain, type) and issubclass(plain, Struct):
            place = _fields(plain).get(step)
        else:
            return None
    return place


def _fields(table: type[Struct]) -> dict[str, Any]:
    """The keys of a table with their types."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(table)}


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _fits(value: Any, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _allowed(hint: Any, steps: Sequence[Step]) -> str:
    if get_origin(hint) is Literal:
        choices = [f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in get_args(hint)]
        return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
    plain, limits = (hint, Meta())
    if get_origin(hint) is Annotated:
        plain, limits = get_args(hint)[:2]
    if limits.description:
        return str(limits.description)
    if plain not in _NAMES:
        name = ".".join(step for step in steps if isinstance(step, str))
        several = is_array_of_tables(plain) or (steps and isinstance(steps[-1], int))
        return f"a table for each: [[{name}]]" if several else f"a table: [{name}]"
    text = _NAMES[plain]
    if limits.ge is not None:
        text += f" from {limits.ge} to {limits.le}"
    elif limits.min_length:
        text += ", not empty"
    return text
