"""Run all rules on each observation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from edge.rules.body import measure
from edge.rules.episode import OpenEvent
from edge.rules.fall import Falls
from edge.rules.falling import OpenFall
from edge.rules.values import Event, Moment, PersonState, Posture, State, Subject
from edge.types import Observation

# A longer gap between two frames counts as this much time watched. Without frames, absence proves nothing.
LONGEST_GAP_S = 3.0
AFTER_LOSS_S = 0.1  # the same after `Rules.end`: the time without a picture was not watched at all
MISSED_S = 0.5  # a person who is missed for less still counts, so that the state does not flicker
FORGET_S = 60.0  # how long an absent person keeps the time of the first observation


class Rule(Protocol):
    """Derives events from moments only; it may keep state between them."""

    def update(self, moment: Moment) -> Sequence[Event]: ...
    def describe(self, state: State) -> State: ...  # `state` with the fields that this rule knows
    def open(self) -> Sequence[OpenEvent]: ...  # the events that have begun and not ended
    def end(
        self, moment: Moment, reasons: Iterable[str]
    ) -> Sequence[Event]: ...  # the picture is lost: end what is open


class Postures(Protocol):
    """Classifies the postures of people; it may keep state between frames."""

    def update(self, people: Sequence[Subject], now_s: float) -> list[Posture]: ...  # in the order of `people`


class Places(Protocol):
    """Says which zones people are in; it may keep state between frames."""

    def locate(self, moment: Moment) -> list[tuple[str, ...]]: ...  # names, in the order of the subjects


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules say about one frame."""

    events: tuple[Event, ...] = ()  # in the order of the rules
    state: State | None = None  # None: unknown


@dataclass(frozen=True, slots=True)
class _Known:
    """A person as last seen."""

    person: PersonState
    seen_s: float


@dataclass(frozen=True, slots=True)
class Saved:
    """What the rules need to know after a restart."""

    falls: tuple[OpenFall, ...] = ()  # they go on
    events: tuple[OpenEvent, ...] = ()  # they end


class Rules:
    """All enabled rules, run in order."""

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        device_id: str = "",
        postures: Postures | None = None,
        show_postures: bool = True,
        places: Places | None = None,
    ) -> None:
        self._rules = tuple(rules)
        self._device_id = device_id
        self._postures = postures
        self._show_postures = postures is not None and show_postures
        self._places = places
        self._now_s = 0.0
        self._last_s: float | None = None
        self._longest_gap_s = LONGEST_GAP_S
        self._moment: Moment | None = None  # the last one
        # What ends with the next frame because of a restart, and why.
        self._interrupted: tuple[tuple[OpenEvent, str], ...] = ()
        self._known: dict[int, _Known] = {}  # by ID

    def update(self, seen: Observation) -> Outcome:
        """The events of this observation, and the state after it."""
        self._advance(seen.monotonic_s)
        subjects = tuple(Subject(person, person.id, measure(person)) for person in seen.people if person.id is not None)
        if self._postures:
            postures = self._postures.update(subjects, self._now_s)
            subjects = tuple(replace(one, posture=posture) for one, posture in zip(subjects, postures, strict=True))
        moment = Moment(self._device_id, seen, self._now_s, subjects)
        if self._places:
            places = self._places.locate(moment)
            subjects = tuple(replace(one, zones=zones) for one, zones in zip(subjects, places, strict=True))
            moment = replace(moment, subjects=subjects)
        self._moment = moment
        events = tuple(one.end(moment, [reason]) for one, reason in self._interrupted)
        self._interrupted = ()
        events += tuple(event for rule in self._rules for event in rule.update(moment))
        return Outcome(events, self._state(moment))

    @property
    def running(self) -> tuple[Rule, ...]:
        """The enabled rules, in order."""
        return self._rules

    @property
    def seen(self) -> Observation | None:
        """The last observation."""
        return self._moment.seen if self._moment else None

    def open(self) -> list[OpenEvent]:
        """The events that have begun and not ended."""
        return [*(one for one, _ in self._interrupted), *(one for rule in self._rules for one in rule.open())]

    def end(self, reason: str) -> tuple[Event, ...]:
        """End all open events but falls, because no picture follows for a while. The next frame begins again.

        The events have the time and number of the last frame. The time until the next one does not count as watched.
        """
        if self._moment is None:
            return ()
        self._longest_gap_s = AFTER_LOSS_S
        self._known = {}
        return tuple(event for rule in self._rules for event in rule.end(self._moment, [reason]))

    def stop(self, reason: str) -> tuple[Event, ...]:
        """End all open events but confirmed falls, because no frame follows."""
        if self._moment is None:
            return ()
        return tuple(one.end(self._moment, [reason]) for one in self.open() if not one.resumes)

    def saved(self) -> Saved:
        """What a restart must know."""
        falls = tuple(fall for rule in self._rules if isinstance(rule, Falls) for fall in rule.export())
        return Saved(falls, tuple(one for one in self.open() if not one.resumes))

    def resume(self, saved: Saved) -> None:
        """Continue falls from before a restart, and end other events, with the next frame."""
        interrupted = [(one, "restarted") for one in saved.events]
        falls = next((rule for rule in self._rules if isinstance(rule, Falls)), None)
        if falls:
            falls.restore(saved.falls)
        else:
            interrupted += [(OpenEvent(one.episode, "cleared"), "switched off") for one in saved.falls]
        self._interrupted = tuple(interrupted)

    def replace(
        self,
        rules: Sequence[Rule],
        *,
        places: Places | None,
        show_postures: bool,
        reason: str,
        ended: Sequence[tuple[OpenEvent, str]] = (),
    ) -> tuple[Event, ...]:
        """Run these rules from the next frame on.

        The open events of rules that are not among them end with this `reason`, and the `ended` ones with their own.
        """
        gone = [(one, reason) for rule in self._rules if rule not in rules for one in rule.open()]
        self._rules = tuple(rules)
        self._places = places
        self._show_postures = self._postures is not None and show_postures
        return self._end([*ended, *gone])

    def clear_falls(self, reason: str) -> tuple[Event, ...]:
        """Clear all confirmed falls now."""
        falls = [rule for rule in self._rules if isinstance(rule, Falls)]
        return self._end([(one, reason) for rule in falls for one in rule.clear()])

    def _end(self, ending: Sequence[tuple[OpenEvent, str]]) -> tuple[Event, ...]:
        """End events with the last frame; before the first one, they end with that."""
        if self._moment is None:
            self._interrupted += tuple(ending)
            return ()
        return tuple(one.end(self._moment, [reason]) for one, reason in ending)

    def _advance(self, monotonic_s: float) -> None:
        """Advance the time watched. The camera's clock may jump back when a file is played again."""
        if self._last_s is not None:
            self._now_s += min(max(monotonic_s - self._last_s, 0.0), self._longest_gap_s)
        self._last_s, self._longest_gap_s = monotonic_s, LONGEST_GAP_S

    def _state(self, moment: Moment) -> State:
        now_s, wall_s = moment.now_s, moment.seen.wall_s
        for subject in moment.subjects:
            known = self._known.get(subject.id)
            since_s = known.person.since_wall_s if known else wall_s
            posture = subject.posture if self._show_postures else "unknown"
            self._known[subject.id] = _Known(PersonState(subject.id, posture, subject.zones, since_s), now_s)
        if len(self._known) > len(moment.subjects):
            self._known = {id_: one for id_, one in self._known.items() if now_s - one.seen_s <= FORGET_S}
        persons = tuple(one.person for one in self._known.values() if now_s - one.seen_s <= MISSED_S)
        state = State(people=len(persons), persons=persons)
        if self._show_postures:
            counts = [person.posture for person in persons]
            state = replace(
                state,
                standing=counts.count("standing"),
                sitting=counts.count("sitting"),
                lying=counts.count("lying"),
            )
        for rule in self._rules:
            state = rule.describe(state)
        return state
