"""`python -m edge.config.upgrade FILE...`: rewrite old key names in configuration files. install.sh --upgrade runs it.

Comments and layout stay. The old file is kept as FILE.bak (.bak2, ... if there is one already).
"""

import os
import shutil
import stat
import sys
import tomllib
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Comment, Item, Key, SingleKey
from tomlkit.items import Table as TomlTable

from edge.config.renamed import RENAMED, rename_keys
from edge.errors import EXIT_FAILURE, EXIT_OK, ConfigError, EdgeError, print_error
from edge.system.files import write_atomically

Body = list[tuple[Key | None, Item]]


def upgrade(path: Path) -> str:
    """Rewrite the old names in a file; returns a line about the changes, or "" if there were none.

    Raises ConfigError if the file cannot be read, rewritten or saved; it is then unchanged.
    """
    path = path.resolve()
    try:
        after, found = rewrite(path.read_bytes().decode())
        if not found:
            return ""
        backup = next(
            name for number in count(1) if not (name := path.with_name(f"{path.name}.bak{_suffix(number)}")).exists()
        )
        shutil.copy2(path, backup)
        status = path.stat()
        write_atomically(path, after.encode(), stat.S_IMODE(status.st_mode))
        os.chown(path, status.st_uid, status.st_gid)
    except (OSError, ValueError) as exc:
        if isinstance(exc, EdgeError):
            raise exc.with_fields(origin=str(path)) from exc
        raise ConfigError(str(path), f"cannot be upgraded ({exc})", _by_hand(RENAMED.items())) from exc
    names = ", ".join(f"{old} is now {new}" for old, new in found.items())
    return f"{path}: {names}; the old file is {backup}"


def _suffix(number: int) -> str:
    return "" if number == 1 else str(number)


def _by_hand(names: Iterable[tuple[str, str]]) -> str:
    return "rename by hand: " + ", ".join(f"{old} to {new}" for old, new in names)


def rewrite(text: str) -> tuple[str, dict[str, str]]:
    """The text of a file with the new names, and the names that changed. Raises ConfigError, ValueError."""
    wanted = tomllib.loads(text)
    found = rename_keys(wanted)
    document = tomlkit.parse(text)
    for old, new in found.items():
        _move(document.body, old, new)
    after = document.as_string()
    if tomllib.loads(after) != wanted:  # inline tables, for example: their commas are not part of the entries
        raise ConfigError("", "old keys cannot be renamed without changing other keys", _by_hand(found.items()))
    return after, found


def _move(document: Body, old: str, new: str) -> None:
    """Move an entry, together with its comment and the indented comment lines below it."""
    (old_table, old_name), (new_table, new_name) = old.split("."), new.split(".")
    source = _body(document, old_table) or []
    start = _find(source, old_name)
    if start is None:
        return
    end = start + 1
    while end < len(source) and isinstance(source[end][1], Comment) and source[end][1].trivia.indent:
        end += 1
    entry, comments = source[start][1], source[start + 1 : end]
    if entry.trivia.comment:  # keep comments aligned
        entry.trivia.comment_ws = " " * max(len(entry.trivia.comment_ws) - len(new_name) + len(old_name), 1)
    moved: Body = [(SingleKey(new_name), entry), *comments]
    target = _body(document, new_table)
    if target is not None and _find(target, new_name) is not None:  # rename_keys has checked that the values are equal
        del source[start:end]
    elif target is source:
        source[start:end] = moved
    else:
        del source[start:end]
        if target is None:
            table: Any = tomlkit.parse(f"[{new_table}]\n\n").body[0]
            target = table[1].value.body
            at = _find(document, old_table)
            document.insert(len(document) if at is None else at + 1, table)
        # Insert it before the blank line at the end of the table.
        last = max((at for at, (key, _) in enumerate(target) if key is not None), default=-1)
        target[last + 1 : last + 1] = moved


def _find(body: Body, name: str) -> int | None:
    return next((at for at, (key, _) in enumerate(body) if key is not None and key.key == name), None)


def _body(document: Body, name: str) -> Body | None:
    """The entries of a table, as a mutable list; None if there is no such table."""
    for key, item in document:
        if key is not None and key.key == name and isinstance(item, TomlTable):
            body: Body = item.value.body
            return body
    return None


def main(files: list[str]) -> int:
    """Upgrade every file; returns the exit code."""
    code = EXIT_OK
    for file in files:
        try:
            if line := upgrade(Path(file)):
                sys.stdout.write(line + "\n")
        except ConfigError as exc:
            print_error(exc)
            code = EXIT_FAILURE
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
