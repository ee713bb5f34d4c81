"""Open recordings for `replay` and `report`: files, rules, and a progress bar."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from rich.console import Console
from rich.progress import Progress

from edge.config import Config
from edge.errors import UsageError
from edge.recording.format import Header
from edge.recording.replay import Setup
from edge.service.rules import config_of_rules, open_rules, reconfigure, tables_of_rules

BLOCK = 1 << 16  # bytes


def files_of(named: list[Path]) -> list[Path]:
    """The files, and those in the folders, by name; of a file and its compressed copy, only one. Raises UsageError."""
    files: list[Path] = []
    for path in named:
        found = [path]
        if path.is_dir():
            by_name = {file.name.removesuffix(".gz"): file for file in path.glob("*.jsonl.gz")}
            by_name |= {file.name: file for file in path.glob("*.jsonl")}
            found = [by_name[name] for name in sorted(by_name)]
        if not found:
            raise UsageError(str(path), "has no recordings", "name a folder with .jsonl files")
        files += found
    return files


def rules_of(wanted: Config | None) -> Callable[[Header], Config]:
    """The configuration of the rules for a recording: the wanted one, or the one in its header.

    The latter raises UsageError if this version does not know it.
    """
    if wanted is None:
        return _recorded
    tables = tables_of_rules(wanted)
    return lambda header: config_of_rules(tables, header.device)  # IDs of events depend on the device


def setup_of(configured: Callable[[Header], Config]) -> Setup:
    """How to build the rules with this configuration."""
    return Setup(
        lambda header: open_rules(configured(header)), lambda rules, header: reconfigure(rules, configured(header))
    )


def _recorded(header: Header) -> Config:
    """The configuration of the rules with which the recording was made. Raises UsageError."""
    try:
        return config_of_rules(header.rules, header.device)
    except msgspec.ValidationError as exc:
        problem = f"the rules of a recording by edge-pose {header.version} are not known here ({exc})"
        raise UsageError("--config", problem, "name a configuration for the rules") from exc


@contextmanager
def progress(console: Console, files: list[Path], doing: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; gives a function that counts bytes."""
    total = sum(path.stat().st_size for path in files if path.is_file())
    both = console.is_terminal and sys.stderr.isatty()
    with Progress(console=console, transient=True, disable=not console.is_terminal, redirect_stderr=both) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda count: bar.advance(task, count)


class _Counted(io.FileIO):
    """A file that reports how many bytes were read."""

    def __init__(self, advance: Callable[[int], None], path: Path) -> None:
        super().__init__(path)
        self._advance = advance

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]
        count = super().readinto(buffer)
        self._advance(count or 0)
        return count


def open_counted(advance: Callable[[int], None], path: Path) -> BinaryIO:
    return io.BufferedReader(_Counted(advance, path), BLOCK)
