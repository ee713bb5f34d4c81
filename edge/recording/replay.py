"""Play recordings through rules. Rules read nothing but observations, so they give the same events as live."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.recording.format import Cleared, End, Gap, Header, Resumed
from edge.recording.read import Entry, Flaw, Open, Report, entries, header_of
from edge.rules.rules import Rules, Saved
from edge.rules.values import Event, State
from edge.types import Observation


@dataclass(frozen=True, slots=True)
class Setup:
    """How to build the rules of a recording, and how to follow a change of their settings."""

    open: Callable[[Header], Rules]
    reconfigure: Callable[[Rules, Header], Iterable[Event]] = lambda _rules, _header: ()


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a recording, and what the rules say about it."""

    header: Header  # of the file
    entry: Entry
    events: Iterable[Event]
    state: State | None  # after a frame; None after other lines


def replay(
    paths: Sequence[Path], setup: Setup, report: Report, *, open_file: Open | None = None
) -> Iterator[tuple[str, Event]]:
    """The device and event for each event in these files. Raises UsageError if a file is not a recording."""
    for step in play(paths, setup, report, open_file=open_file):
        for event in step.events:
            yield step.header.device, event


def play(paths: Sequence[Path], setup: Setup, report: Report, *, open_file: Open | None = None) -> Iterator[Step]:
    """All lines in these files.

    The files of one run are played in the order of their parts, through the same rules. Raises UsageError if a file is
    not a recording.
    """
    rules: Rules | None = None
    last: Header | None = None
    for path in in_order(paths):
        for entry in entries(path, report, frame=last.frame if last else None, open_file=open_file):
            events: Iterable[Event] = ()
            state: State | None = None
            if isinstance(entry, Header):
                if rules is None or last is None or last.run != entry.run:
                    rules, expected = setup.open(entry), 0
                else:
                    expected = last.part + 1
                    if last.rules != entry.rules:
                        events = setup.reconfigure(rules, entry)
                if entry.part != expected:
                    problem = f"part {entry.part} of the recording follows without part {expected}; events may differ"
                    report(Flaw(path, 1, problem))
                last = entry
            elif rules is not None:
                events, state = _played(entry, rules)
            if last is not None:
                yield Step(last, entry, events, state)


def _played(entry: Observation | Gap | End | Cleared | Resumed, rules: Rules) -> tuple[Iterable[Event], State | None]:
    match entry:
        case Observation():
            outcome = rules.update(entry)
            return outcome.events, outcome.state
        case Resumed():
            rules.resume(Saved(entry.falls, entry.events))
        case End():
            return (rules.stop(entry.reason) if entry.stopped else rules.end(entry.reason)), None
        case Cleared():
            return rules.clear_falls(entry.reason), None
    return (), None


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
