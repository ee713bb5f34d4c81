"""`edge-pose report`: turn recordings into one HTML page."""

import json
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from edge.cli.recordings import files_of, open_counted, progress, rules_of, setup_of
from edge.config import load
from edge.errors import EXIT_OK, UsageError
from edge.recording.read import Flaw
from edge.report.make import as_json, make
from edge.report.page import Report, page
from edge.system.files import write_atomically

STDOUT = Path("-")
PRIVATE = 0o600  # a report shows as much of people's lives as the recordings do


def run(named: list[Path], config: Path | None, out: Path | None, *, json_too: bool) -> int:
    """Write the page, print the figures; returns the exit code. Raises ConfigError, UsageError."""
    wanted = None if config is None else load(config, broker=False)
    files = files_of(named)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def note(flaw: Flaw) -> None:
        notes.print(f"edge-pose: {flaw}", markup=False)

    configured = rules_of(wanted)
    with progress(notes, files, "report") as advance:
        report = make(files, setup_of(configured), configured, note, open_file=partial(open_counted, advance))
    if json_too:
        sys.stdout.write(json.dumps(as_json(report), indent=2) + "\n")
        if out is None:
            return EXIT_OK
    text = page(report)
    if out == STDOUT:
        sys.stdout.write(text)
        return EXIT_OK
    out = out or Path(_default_name(report))
    try:
        write_atomically(out, text.encode(), PRIVATE)
    except OSError as exc:
        raise UsageError("--out", f"{out} cannot be written ({exc.strerror})", "name another file") from exc
    notes.print(f"wrote {out}", style="dim", markup=False)
    return EXIT_OK


def _default_name(report: Report) -> str:
    """A name such as hall-2026-12-01.html."""
    days = sorted({figures.date for _, _, figures in report.days})
    parts = [device.name.replace("/", "_") for device in report.devices] + [*days[:1], *days[1:][-1:]]
    return "-".join(parts or ["report"]) + ".html"
