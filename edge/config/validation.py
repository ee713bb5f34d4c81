"""Convert msgspec's validation errors to key, problem and remedy."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

_NAMES = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}


def explain(exc: msgspec.ValidationError, tables: Mapping[str, Any], root: type[Struct]) -> tuple[str, str, str]:
    """Key, problem and remedy of an error that `msgspec.convert(tables, root)` raised."""
    message, _, location = str(exc).partition(" - at `")
    names = [
        name
        for name in re.split(r"[.`]", re.sub(r"\[\d+\]", "", location.removeprefix("$").replace("[...]", ".*")))
        if name
    ]
    if unknown := re.match(r"Object contains unknown field `(.*)`", message):
        known = list(get_type_hints(_hint(root, names)))
        near = difflib.get_close_matches(unknown[1], known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        return ".".join([*names, unknown[1]]), "unknown key", remedy
    value: Any = tables
    keys: list[str] = []
    for step in names:
        name = step
        if step == "*":
            # msgspec does not report which entry of a dict is wrong.
            name = next((entry for entry in value if not _fits(value[entry], _hint(root, [*keys, entry]))), step)
        if not isinstance(value, Mapping) or name not in value:
            break
        value = value[name]
        keys.append(name)
    return ".".join(keys), f"invalid value {value!r}", f"use {_allowed(_hint(root, keys), keys)}"


def plain_type(root: type[Struct], names: Sequence[str]) -> Any:
    """The type of a key without its limits; None if there is no such key."""
    hint = _hint(root, names)
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _hint(root: type[Struct], names: Sequence[str]) -> Any:
    place: Any = root
    for name in names:
        if get_origin(place) is dict:
            place = get_args(place)[1]
        elif isinstance(place, type) and issubclass(place, Struct):
            place = get_type_hints(place, include_extras=True).get(name)
        else:
            return None
    return place


def _fits(value: Any, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _allowed(hint: Any, keys: Sequence[str]) -> str:
    if get_origin(hint) is Literal:
        choices = [f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in get_args(hint)]
        return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
    plain, limits = (hint, Meta())
    if get_origin(hint) is Annotated:
        plain, limits = get_args(hint)[:2]
    if limits.description:
        return str(limits.description)
    if plain not in _NAMES:
        return f"a table: [{'.'.join(keys)}]"
    text = _NAMES[plain]
    if limits.ge is not None:
        text += f" from {limits.ge} to {limits.le}"
    elif limits.min_length:
        text += ", not empty"
    return text
