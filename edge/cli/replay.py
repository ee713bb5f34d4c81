"""`edge-pose replay`: play recordings through the rules, and print the events."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec
from rich.console import Console
from rich.progress import Progress

from edge.cli.room_text import event_line
from edge.config import Config, load
from edge.errors import EXIT_OK, UsageError
from edge.mqtt.events import event_out
from edge.recording.format import Header
from edge.recording.read import Flaw
from edge.recording.replay import Setup, replay
from edge.service.rules import config_of_rules, open_rules, reconfigure, tables_of_rules

BLOCK = 1 << 16  # bytes


def run(named: list[Path], config: Path | None, *, as_json: bool) -> int:
    """Print the events, and what is wrong with the files; returns the exit code. Raises ConfigError, UsageError."""
    wanted = None if config is None else load(config, broker=False)
    files = _files(named)
    out, notes = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
    count = 0

    def report(flaw: Flaw) -> None:
        notes.print(f"edge-pose: {flaw}", markup=False)

    with _progress(out if out.is_terminal else notes, files) as advance:
        open_file = partial(_open_counted, advance)
        for device, event in replay(files, _setup(wanted), report, open_file=open_file):
            count += 1
            sent = event_out(event)
            if as_json:
                sys.stdout.write(msgspec.json.encode(sent).decode() + "\n")
            else:
                out.print(event_line(device, sent))
    notes.print(f"{count} event{'' if count == 1 else 's'}", style="dim")
    return EXIT_OK


def _files(named: list[Path]) -> list[Path]:
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


def _setup(wanted: Config | None) -> Setup:
    """The rules of the configuration, or those with which the recording was made; these raise UsageError."""
    if wanted is None:
        return Setup(
            lambda header: open_rules(_recorded(header)), lambda rules, header: reconfigure(rules, _recorded(header))
        )
    tables = tables_of_rules(wanted)  # IDs of events depend on the device
    return Setup(lambda header: open_rules(config_of_rules(tables, header.device)))


def _recorded(header: Header) -> Config:
    """The configuration of the rules with which the recording was made. Raises UsageError."""
    try:
        return config_of_rules(header.rules, header.device)
    except msgspec.ValidationError as exc:
        problem = f"the rules of a recording by edge-pose {header.version} are not known here ({exc})"
        raise UsageError("--config", problem, "name a configuration for the rules") from exc


@contextmanager
def _progress(console: Console, files: list[Path]) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; gives a function that counts bytes."""
    total = sum(path.stat().st_size for path in files if path.is_file())
    both = console.is_terminal and sys.stderr.isatty()
    with Progress(console=console, transient=True, disable=not console.is_terminal, redirect_stderr=both) as progress:
        task = progress.add_task("replay", total=total)
        yield lambda count: progress.advance(task, count)


class _Counted(io.FileIO):
    """A file that reports how many bytes were read."""

    def __init__(self, advance: Callable[[int], None], path: Path) -> None:
        super().__init__(path)
        self._advance = advance

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]
        count = super().readinto(buffer)
        self._advance(count or 0)
        return count


def _open_counted(advance: Callable[[int], None], path: Path) -> BinaryIO:
    return io.BufferedReader(_Counted(advance, path), BLOCK)
