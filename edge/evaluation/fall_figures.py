"""Compare the fall alarms of a clip with the true falls. An alarm is an event of the type `confirmed`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, Fall, FallKind
from edge.evaluation.people_matching import Matching
from edge.rules.values import Event

EARLY_S = 0.5  # times of falls are annotated by eye
DOWN_S = 2.0  # from the start of a fall to the floor, if that is not known
FOUND_S = 10.0  # a fall counts as found if it is confirmed at most this long after the person was down
CLEAR_S = 5.0  # it counts as cleared if that is reported at most this long after the person was up
WATCHED_S = 2.0  # how long the clip must show the person upright


@dataclass(slots=True)
class FallFigures:
    """A true fall, and what was reported about it."""

    kind: FallKind
    start_s: float
    how: str
    left_s: float  # from the start of the fall to the end of the clip
    suspected: bool = False
    confirmed_s: float | None = None  # time of the first alarm
    found: bool = False
    delay_s: float | None = None  # from the start of the fall to the alarm
    wrong_person: bool = False  # the alarm names another person
    repeated: int = 0  # further alarms while the person is down
    cleared_s: float | None = None
    cleared: bool | None = None  # None: nothing to clear
    cleared_early: bool = False  # while the person was down


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm without a fall."""

    at_s: float
    person: int | None
    reasons: tuple[str, ...]


@dataclass(slots=True)
class ClipFalls:
    """All that was reported about falls in a clip."""

    falls: list[FallFigures] = field(default_factory=list)
    false_alarms: list[Alarm] = field(default_factory=list)
    false_suspicions: int = 0  # that did not become alarms


@dataclass(slots=True)
class _Episode:
    """The phases of one event."""

    event: Event  # the first phase, or the alarm
    at_s: float  # of that phase
    confirmed: bool = False
    cleared_s: float | None = None


def measure_falls(clip: Clip, played: Sequence[Played], matching: Matching | None) -> ClipFalls | None:
    """None if the product does not report falls."""
    if not any(one.outcome.state is not None and one.outcome.state.fall is not None for one in played):
        return None
    end_s = played[-1].at_s
    result = ClipFalls(
        [FallFigures(fall.counted_as, fall.start_s, fall.how, end_s - fall.start_s) for fall in clip.falls]
    )
    for episode in _episodes(played):
        n = _fall_of(episode, clip.falls, result.falls, matching)
        if n is not None:
            _note(result.falls[n], clip.falls[n], episode, matching)
        elif episode.confirmed:
            result.false_alarms.append(Alarm(episode.at_s, episode.event.person, episode.event.reasons))
        else:
            result.false_suspicions += 1
    for figures, fall in zip(result.falls, clip.falls, strict=True):
        if figures.found and fall.up_s is not None and end_s >= fall.up_s + WATCHED_S:
            cleared_s = figures.cleared_s
            figures.cleared = cleared_s is not None and _getup_s(fall) <= cleared_s <= fall.up_s + CLEAR_S
    return result


def _episodes(played: Sequence[Played]) -> list[_Episode]:
    episodes: dict[str, _Episode] = {}
    for one in played:
        for event in one.outcome.events:
            if event.rule != "fall":
                continue
            episode = episodes.setdefault(event.id, _Episode(event, one.at_s))
            if event.type == "confirmed":
                episode.event, episode.at_s, episode.confirmed = event, one.at_s, True
            elif event.type == "cleared":
                episode.cleared_s = one.at_s
    return list(episodes.values())


def _fall_of(
    episode: _Episode, falls: Sequence[Fall], figures: Sequence[FallFigures], matching: Matching | None
) -> int | None:
    """The index of the fall that an event reports: best of the same person, then without an alarm, then the latest."""
    possible = [
        n
        for n, fall in enumerate(falls)
        if fall.start_s - EARLY_S <= episode.at_s and (fall.up_s is None or episode.at_s <= fall.up_s)
    ]

    def rank(n: int) -> tuple[bool, bool, float]:
        return _is_wrong(episode, falls[n], matching), figures[n].confirmed_s is not None, -falls[n].start_s

    return min(possible, key=rank, default=None)


def _note(figures: FallFigures, fall: Fall, episode: _Episode, matching: Matching | None) -> None:
    figures.suspected = True
    if not episode.confirmed:
        return
    if figures.confirmed_s is None:
        down_s = fall.start_s + DOWN_S if fall.down_s is None else fall.down_s
        figures.confirmed_s = episode.at_s
        figures.found = episode.at_s <= down_s + FOUND_S
        figures.delay_s = round(episode.at_s - fall.start_s, 3)
        figures.wrong_person = _is_wrong(episode, fall, matching)
    else:
        figures.repeated += 1
    # The last one counts: an alarm that was cleared too early, and raised again, may still be cleared in time.
    figures.cleared_s = episode.cleared_s
    figures.cleared_early |= episode.cleared_s is not None and episode.cleared_s < _getup_s(fall)


def _getup_s(fall: Fall) -> float:
    """When the person begins to get up; infinite if that is not in the clip."""
    known = [value for value in (fall.getup_s, fall.up_s) if value is not None]
    return known[0] if known else math.inf


def _is_wrong(episode: _Episode, fall: Fall, matching: Matching | None) -> bool:
    person = episode.event.person
    if matching is None or fall.person is None or person is None:
        return False
    return matching.owner(person, episode.at_s) != fall.person
