"""Read recordings once, in bounded memory, and sum up what they show per device and day."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from itertools import pairwise

from edge.config import Config, Line, Zone
from edge.errors import UsageError
from edge.recording.format import End, Gap, Header
from edge.recording.replay import Step
from edge.report.days import LocalDay, day_of, plausible
from edge.report.heat import Heat, place_of
from edge.report.series import Series
from edge.report.strips import ENDS, MOST_STRIPS, Strip, Strips
from edge.rules.values import Event, State
from edge.types import Observation

GAP_S = 5.0  # a longer time between two frames was not watched; without movement, one frame comes every 3 s at least
JUMP_S = 2.0  # a larger difference between the two clocks means that the wall clock was set
MOST_DAYS = 400

Configured = Callable[[Header], Config]


@dataclass(slots=True)
class Occurrence:
    """An event with all its phases, in order."""

    first: Event
    phases: list[Event]
    persons: set[int]  # all IDs that its phases name
    strip: Strip | None = None

    @property
    def types(self) -> set[str]:
        return {phase.type for phase in self.phases}

    @property
    def last(self) -> Event:
        return self.phases[-1]


@dataclass(frozen=True, slots=True)
class Watched:
    """What the rules were configured to report."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    presence: bool = True
    postures: bool = True
    falls: bool = True
    gestures: bool = True


@dataclass(slots=True)
class Day:
    """What one device saw on one local day."""

    device: str
    day: LocalDay
    series: Series
    heat: Heat
    width: int  # of the frames, px
    height: int
    watched: Watched  # at the end of the day
    watched_changed: bool = False
    frames: int = 0
    dropped: int = 0  # frames that a slow or full disk did not take
    start_s: float = math.inf  # of the first and the last frame, by the wall clock
    end_s: float = -math.inf
    first_seen_s: float | None = None  # wall clock
    last_seen_s: float | None = None
    occurrences: list[Occurrence] = field(default_factory=list)
    strips: dict[str, int] = field(default_factory=dict)  # how many, by rule


@dataclass(slots=True)
class Stretch:
    """A time in which frames followed each other, on the wall clock."""

    start_s: float
    end_s: float
    was_set: bool = False  # whether it began because the clock was set, and not after a gap
    reason: str = ""  # why it ended, as in the recording; "" if that does not say


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock was set while the sensor ran."""

    before_s: float  # what it said
    after_s: float


@dataclass(slots=True)
class Device:
    """The recordings of one device."""

    name: str
    days: dict[str, Day] = field(default_factory=dict)  # by date
    runs: list[list[Stretch]] = field(default_factory=list)  # of the service, each in order
    jumps: list[Jump] = field(default_factory=list)
    occurrences: dict[str, Occurrence] = field(default_factory=dict)  # by ID; a fall may outlast a run of the service

    @property
    def stretches(self) -> list[Stretch]:
        """The stretches of all runs, by run."""
        return [one for run in sorted(self.runs, key=_start) for one in run]


@dataclass(slots=True)
class _Run:
    """One run of the service on one device."""

    id: str
    device: Device
    watched: Watched
    strips: Strips = field(default_factory=Strips)
    before: tuple[Observation, State] | None = None  # the last frame
    stretch: Stretch | None = None
    dropped: int = 0  # frames before the next one


class Collector:
    """Takes the lines of recordings in the order in which they are played."""

    def __init__(self, configured: Configured, zone: tzinfo | None) -> None:
        """`configured` gives the configuration of the rules that are played; times are local to `zone`."""
        self._configured = configured
        self._zone = zone
        self._run: _Run | None = None
        self._day: Day | None = None
        self.devices: dict[str, Device] = {}
        self.frames = 0

    def add_all(self, steps: Iterable[Step]) -> None:
        """Add all lines. Raises UsageError if they spread over too many days."""
        for step in steps:
            match step.entry:
                case Header():
                    self._begin(step.entry)
                case Observation() if step.state is not None:
                    self._frame(step.entry, step.state)
                case Gap():
                    self._run_of(step).dropped += step.entry.frames
            for event in step.events:
                self._event(self._run_of(step), event)
            if isinstance(step.entry, End):
                self._lost(step.entry.reason)

    def _run_of(self, step: Step) -> _Run:
        if self._run is None:
            self._begin(step.header)
        assert self._run is not None
        return self._run

    def _begin(self, header: Header) -> None:
        config = self._configured(header)
        rules = config.presence.enabled, config.posture.enabled, config.fall.enabled, config.gestures.enabled
        watched = Watched(config.zones, config.lines, *rules)
        if self._run is None or self._run.id != header.run:
            device = self.devices.setdefault(header.device, Device(header.device))
            device.runs.append([])
            self._run, self._day = _Run(header.run, device, watched), None
        self._run.watched = watched

    def _frame(self, seen: Observation, state: State) -> None:
        run = self._run
        assert run is not None
        self.frames += 1
        seen = replace(seen, wall_s=plausible(seen.wall_s)) if plausible(seen.wall_s) != seen.wall_s else seen
        self._pass_time(run, seen)
        run.strips.frame(seen, state)
        run.before = seen, state
        day = self._day_of(run, seen.wall_s, seen)
        day.frames += 1
        day.dropped, run.dropped = day.dropped + run.dropped, 0
        day.start_s, day.end_s = min(day.start_s, seen.wall_s), max(day.end_s, seen.wall_s)
        if any(person.id is not None for person in seen.people):
            if day.first_seen_s is None or seen.wall_s < day.first_seen_s:
                day.first_seen_s = seen.wall_s
            if day.last_seen_s is None or seen.wall_s > day.last_seen_s:
                day.last_seen_s = seen.wall_s

    def _pass_time(self, run: _Run, seen: Observation) -> None:
        """Count the time since the frame before, in which its state held; or note that nothing was watched."""
        was_set = False
        if run.before is not None:
            before, state = run.before
            passed_s = seen.monotonic_s - before.monotonic_s
            jumped = abs(seen.wall_s - before.wall_s - passed_s) > JUMP_S
            if jumped:
                run.device.jumps.append(Jump(before.wall_s, seen.wall_s))
            if run.stretch and 0 <= passed_s <= GAP_S:
                self._count(run, before, state, passed_s)
                run.stretch.end_s = max(run.stretch.end_s, before.wall_s + passed_s if jumped else seen.wall_s)
                if not jumped:
                    return
                was_set = True
            else:
                run.strips.lost()
        run.stretch = Stretch(seen.wall_s, seen.wall_s, was_set)
        run.device.runs[-1].append(run.stretch)

    def _count(self, run: _Run, seen: Observation, state: State, seconds: float) -> None:
        at_s = seen.wall_s
        for person in seen.people:
            if person.id is not None:
                day = self._day_of(run, at_s, seen)
                day.heat.add(place_of(person, seen.width, seen.height), seconds)
        while seconds > 0:
            day = self._day_of(run, at_s, seen)
            part_s = min(seconds, max(day.day.end_s - at_s, 0.001))
            day.series.add(at_s - day.day.start_s, part_s, state)
            at_s, seconds = at_s + part_s, seconds - part_s

    def _lost(self, reason: str) -> None:
        """No frame follows for a while."""
        run = self._run
        if run is None:
            return
        run.strips.lost()
        if run.stretch:
            run.stretch.reason, run.stretch = reason, None

    def _event(self, run: _Run, event: Event) -> None:
        """Add a phase of an event, in the day of its first one."""
        event = replace(event, wall_s=plausible(event.wall_s), started_wall_s=plausible(event.started_wall_s))
        known = run.device.occurrences.get(event.id)
        if known is None and run.before is not None:
            known = run.device.occurrences[event.id] = Occurrence(event, [], set())
            day = self._day_of(run, event.wall_s, run.before[0])
            day.occurrences.append(known)
            # An event that began before the recording has no frames from its beginning.
            if event.duration_s == 0 and day.strips.get(event.rule, 0) < MOST_STRIPS.get(event.rule, 0):
                known.strip = run.strips.begin(event)
                day.strips[event.rule] = day.strips.get(event.rule, 0) + 1
        if known is not None:
            known.phases.append(event)
            if event.person is not None:
                known.persons.add(event.person)
            if event.type in ENDS:
                run.strips.end(event)

    def _day_of(self, run: _Run, wall_s: float, seen: Observation) -> Day:
        """The day of a time on this device. Raises UsageError if there are too many."""
        day = self._day
        if day is None or not day.day.start_s <= wall_s < day.day.end_s:
            found = day_of(wall_s, self._zone)
            key = found.date.isoformat()
            if key not in run.device.days and len(run.device.days) >= MOST_DAYS:
                raise UsageError("FILE", f"the recordings spread over more than {MOST_DAYS} days", "name fewer files")
            heat = Heat(seen.width, seen.height)
            day = Day(run.device.name, found, Series(), heat, seen.width, seen.height, run.watched)
            day = self._day = run.device.days.setdefault(key, day)
        if day.watched is not run.watched:
            day.watched_changed |= day.watched != run.watched
            day.watched = run.watched
        return day


@dataclass(frozen=True, slots=True)
class Missing:
    """A time without frames between two frames, on the wall clock."""

    start_s: float
    end_s: float
    reason: str


def missing(device: Device) -> Iterator[Missing]:
    """The gaps in the recordings of a device, run by run."""
    for before, after in pairwise(device.stretches):
        if after.start_s - before.end_s > GAP_S and not after.was_set:
            yield Missing(before.end_s, after.start_s, before.reason)


def _start(run: Sequence[Stretch]) -> float:
    return run[0].start_s if run else 0.0
