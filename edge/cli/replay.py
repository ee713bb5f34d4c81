"""`edge-pose replay`: play recordings through the rules, and print the events."""

import sys
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console

from edge.cli.recordings import files_of, open_counted, progress, rules_of, setup_of
from edge.cli.room_text import event_line
from edge.config import load
from edge.errors import EXIT_OK
from edge.mqtt.events import event_out
from edge.recording.read import Flaw
from edge.recording.replay import replay


def run(named: list[Path], config: Path | None, *, as_json: bool) -> int:
    """Print the events, and what is wrong with the files; returns the exit code. Raises ConfigError, UsageError."""
    wanted = None if config is None else load(config, broker=False)
    files = files_of(named)
    out, notes = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
    count = 0

    def report(flaw: Flaw) -> None:
        notes.print(f"edge-pose: {flaw}", markup=False)

    with progress(out if out.is_terminal else notes, files, "replay") as advance:
        open_file = partial(open_counted, advance)
        for device, event in replay(files, setup_of(rules_of(wanted)), report, open_file=open_file):
            count += 1
            sent = event_out(event)
            if as_json:
                sys.stdout.write(msgspec.json.encode(sent).decode() + "\n")
            else:
                out.print(event_line(device, sent))
    notes.print(f"{count} event{'' if count == 1 else 's'}", style="dim")
    return EXIT_OK
