"""The figures of a report, as plain values: what `--json` prints, and what the page says in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import TypeAlias

from edge.report.collect import Day, Device, Jump, Missing, Occurrence, missing
from edge.report.days import local
from edge.report.series import POSTURES, Bin
from edge.rules.values import EVENT_TYPES

Seconds: TypeAlias = float


@dataclass(frozen=True, slots=True)
class Falls:
    suspected: int = 0  # all that were suspected, also those that were dismissed
    confirmed: int = 0
    still_down: int = 0
    longest_s: Seconds = 0.0  # from the beginning of a confirmed fall to its end, or to the last that is known of it


@dataclass(frozen=True, slots=True)
class Visits:
    """How long a zone was occupied, and how often a person entered it."""

    occupied_s: Seconds
    visits: int


@dataclass(frozen=True, slots=True)
class Crossings:
    inwards: int
    outwards: int


@dataclass(frozen=True, slots=True)
class Span:
    start: str  # local time, ISO 8601
    end: str
    reason: str  # as in the recording; "" if that does not say


@dataclass(frozen=True, slots=True)
class DayFigures:
    device: str
    date: str
    frames: int
    start: str  # of the first and the last frame; local time, ISO 8601
    end: str
    dropped: int  # frames that were not written
    recorded_s: Seconds
    present_s: Seconds
    visits: int | None  # how often a person arrived in an empty room; None: the rule was off
    first_seen: str | None  # local time, ISO 8601
    last_seen: str | None
    most_people: int
    postures_s: dict[str, Seconds] | None  # seconds of people; None: the rule was off
    falls: Falls | None
    gestures: dict[str, int] | None
    zones: dict[str, Visits]
    lines: dict[str, Crossings]
    gaps: tuple[Span, ...]
    clock_set: tuple[Span, ...]  # what the clock said before and after; no reason


def day_figures(device: Device, day: Day, zone: tzinfo | None) -> DayFigures:
    total = day.series.total()

    def time(wall_s: float) -> str:
        return local(wall_s, zone).isoformat(timespec="milliseconds")

    def span(start_s: float, end_s: float, reason: str = "") -> Span:
        return Span(time(start_s), time(end_s), reason)

    return DayFigures(
        device=device.name,
        date=day.day.date.isoformat(),
        frames=day.frames,
        dropped=day.dropped,
        start=time(day.start_s),
        end=time(day.end_s),
        recorded_s=round(total.watched_s, 3),
        present_s=round(total.present_s, 3),
        visits=_visits(day),
        first_seen=None if day.first_seen_s is None else time(day.first_seen_s),
        last_seen=None if day.last_seen_s is None else time(day.last_seen_s),
        most_people=total.most,
        postures_s=_postures(day, total),
        falls=_falls(day),
        gestures=_gestures(day),
        zones=_zones(day, total),
        lines=_lines(day),
        gaps=tuple(span(one.start_s, one.end_s, one.reason) for one in gaps_of(device, day)),
        clock_set=tuple(span(one.before_s, one.after_s) for one in jumps_of(device, day)),
    )


def gaps_of(device: Device, day: Day) -> list[Missing]:
    """The gaps of a device that touch a day."""
    return [one for one in missing(device) if one.start_s < day.day.end_s and one.end_s > day.day.start_s]


def jumps_of(device: Device, day: Day) -> list[Jump]:
    """When the clock of a device was set on a day, by what it said before."""
    return [one for one in device.jumps if day.day.start_s <= one.before_s < day.day.end_s]


def is_confirmed(fall: Occurrence) -> bool:
    """Whether a fall was confirmed. Only a confirmed one can outlast the recording in which it began."""
    return bool(fall.types & {"confirmed", "still_down", "cleared"})


def of_rule(day: Day, rule: str) -> list[Occurrence]:
    return [one for one in day.occurrences if one.first.rule == rule]


def _visits(day: Day) -> int | None:
    visits = of_rule(day, "presence")
    return _count(visits, "arrived") if day.watched.presence or visits else None


def _postures(day: Day, total: Bin) -> dict[str, Seconds] | None:
    if not day.watched.postures and not any(total.postures):
        return None
    return {name: round(seconds, 3) for name, seconds in zip(POSTURES, total.postures, strict=True)}


def _falls(day: Day) -> Falls | None:
    falls = of_rule(day, "fall")
    if not day.watched.falls and not falls:
        return None
    confirmed = [one for one in falls if is_confirmed(one)]
    return Falls(
        suspected=len(falls),
        confirmed=len(confirmed),
        still_down=sum("still_down" in one.types for one in falls),
        longest_s=max((one.last.duration_s for one in confirmed), default=0.0),
    )


def _gestures(day: Day) -> dict[str, int] | None:
    gestures = of_rule(day, "gesture")
    if not day.watched.gestures and not gestures:
        return None
    counts = {name: _count(gestures, name) for name in EVENT_TYPES["gesture"] if name != "ended"}
    return {name: count for name, count in counts.items() if count}


def _zones(day: Day, total: Bin) -> dict[str, Visits]:
    """The zones of the configuration, and those that had people before it was changed."""
    names = [one.name for one in day.watched.zones if one.kind != "exclude"]
    return {
        name: Visits(
            round(total.zones.get(name, 0.0), 3),
            _count([one for one in of_rule(day, "zone") if one.first.zone == name], "entered"),
        )
        for name in dict.fromkeys([*names, *total.zones])
    }


def _lines(day: Day) -> dict[str, Crossings]:
    crossed: dict[str, list[Occurrence]] = {one.name: [] for one in day.watched.lines}
    for one in of_rule(day, "line"):
        crossed.setdefault(one.first.zone or "", []).append(one)
    return {name: Crossings(_count(some, "crossed_in"), _count(some, "crossed_out")) for name, some in crossed.items()}


def _count(occurrences: Iterable[Occurrence], type_: str) -> int:
    """How many phases have this type. A gesture may change into another one, which is a phase of the same event."""
    return sum(phase.type == type_ for one in occurrences for phase in one.phases)
