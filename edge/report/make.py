"""Make a report from files."""

from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import msgspec

from edge import __version__
from edge.recording.read import Flaw, Open
from edge.recording.read import Report as ReportFlaw
from edge.recording.replay import Setup, play
from edge.report.collect import Collector, Configured
from edge.report.page import MOST_FLAWS, Report


def make(  # noqa: PLR0913 - what to read, and how
    paths: Sequence[Path],
    setup: Setup,
    configured: Configured,
    note: ReportFlaw,
    *,
    zone: tzinfo | None = None,
    open_file: Open | None = None,
) -> Report:
    """Read recordings. `configured` gives the configuration of the rules that `setup` builds. Raises UsageError.

    `zone` is the time zone of all times, by default that of this machine.
    """
    flaws: list[Flaw] = []
    more = 0

    def keep(flaw: Flaw) -> None:
        nonlocal more
        note(flaw)
        if len(flaws) < MOST_FLAWS:
            flaws.append(flaw)
        else:
            more += 1

    collector = Collector(configured, zone)
    collector.add_all(play(paths, setup, keep, open_file=open_file))
    devices = tuple(device for _, device in sorted(collector.devices.items()))
    return Report(devices, zone, len(paths), collector.frames, tuple(flaws), more)


def as_json(report: Report) -> dict[str, Any]:
    """The figures of a report."""
    return {
        "version": __version__,
        "files": report.files,
        "frames": report.frames,
        "days": [msgspec.to_builtins(figures) for _, _, figures in report.days],
        "flaws": [str(flaw) for flaw in report.flaws],
        "more_flaws": report.more_flaws,
    }
