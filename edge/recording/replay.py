"""Play recordings through rules. Rules read nothing but observations, so they give the same events as live."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge.recording.format import Header
from edge.recording.read import Flaw, Open, Report, entries, header_of
from edge.rules.rules import Rules
from edge.rules.values import Event


def replay(
    paths: Sequence[Path], open_rules: Callable[[Header], Rules], report: Report, *, open_file: Open | None = None
) -> Iterator[tuple[str, Event]]:
    """The device and event for each event in these files.

    The files of one run are played in the order of their parts, through the same rules; `open_rules` builds them for
    each run. Raises UsageError if a file is not a recording.
    """
    rules: Rules | None = None
    last: Header | None = None
    for path in in_order(paths):
        for entry in entries(path, report, frame=last.frame if last else None, open_file=open_file):
            if isinstance(entry, Header):
                if last is None or last.run != entry.run:
                    rules, expected = open_rules(entry), 0
                else:
                    expected = last.part + 1
                if entry.part != expected:
                    problem = f"part {entry.part} of the recording follows without part {expected}; events may differ"
                    report(Flaw(path, 1, problem))
                last = entry
            elif rules is not None and last is not None:
                for event in rules.update(entry).events:
                    yield last.device, event


def in_order(paths: Sequence[Path]) -> list[Path]:
    """The files of each run by their parts; runs in the order in which they are named first."""
    runs: dict[str, int] = {}
    keys: list[tuple[int, int, Path]] = []
    for path in paths:
        header = header_of(path)
        if header is not None:
            keys.append((runs.setdefault(header.run, len(runs)), header.part, path))
        else:  # stays behind the file before
            run, part = keys[-1][:2] if keys else (-1, 0)
            keys.append((run, part, path))
    return [path for *_, path in sorted(keys, key=lambda key: key[:2])]
