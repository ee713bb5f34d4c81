"""`python -m edge.config.switch_page FILE`: switch the page on for all addresses. install.sh --page runs it.

Comments and layout stay, and so does everything that needs no change.
"""

import os
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import tomlkit

from edge.config.hosts import is_loopback
from edge.config.schema import Web
from edge.errors import EXIT_OK, ConfigError, print_error
from edge.system.files import write_atomically

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - this is what the user asked for


def switch_page(path: Path) -> str:
    """Switch the page on in a file; returns a line about the changes, or "" if there were none. Raises ConfigError."""
    path = path.resolve()
    try:
        after, changed = rewrite(path.read_bytes().decode())
        if changed:
            status = path.stat()
            write_atomically(path, after.encode(), stat.S_IMODE(status.st_mode))
            os.chown(path, status.st_uid, status.st_gid)
    except (OSError, ValueError) as exc:
        if isinstance(exc, ConfigError):
            raise exc.with_fields(origin=str(path)) from exc
        raise ConfigError(str(path), f"cannot be changed ({exc})", _BY_HAND) from exc
    return f"{path}: {', '.join(f'web.{key} = {value}' for key, value in changed.items())}" if changed else ""


_BY_HAND = f'set web.enabled = true and web.host = "{EVERY_ADDRESS}" by hand'


def rewrite(text: str) -> tuple[str, dict[str, str]]:
    """The text of a file with the page switched on, and the changed keys with their values in TOML.

    An address that other machines can reach is kept. Raises ConfigError, ValueError.
    """
    wanted = tomllib.loads(text)
    web = wanted.setdefault("web", {})
    new: dict[str, Any] = {}
    if web.get("enabled") is not True:
        new["enabled"] = True
    if is_loopback(web.get("host", Web().host)):
        new["host"] = EVERY_ADDRESS
    if not new:
        return text, {}
    web.update(new)
    document = tomlkit.parse(text)
    if "web" not in document:
        document["web"] = tomlkit.table()
    table: Any = document["web"]
    for key, value in new.items():
        before = len(table.value.item(key).as_string()) if key in table else 0
        table[key] = value
        trivia = table.value.item(key).trivia
        if trivia.comment:  # keep comments aligned
            grown = len(table.value.item(key).as_string()) - before
            trivia.comment_ws = " " * max(len(trivia.comment_ws) - grown, 1)
    after = document.as_string()
    if tomllib.loads(after) != wanted:
        raise ConfigError("web", "it cannot be changed without changing other keys", _BY_HAND)
    return after, {key: table.value.item(key).as_string() for key in new}


def main(files: list[str]) -> int:
    """Change every file; returns the exit code."""
    for file in files:
        try:
            if line := switch_page(Path(file)):
                sys.stdout.write(line + "\n")
        except ConfigError as exc:
            return print_error(exc)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
