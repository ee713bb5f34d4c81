"""Presence: whether any person is in view, and whether any moves."""

from collections.abc import Iterable
from dataclasses import replace

from edge.rules.episode import Episode, OpenEvent, begin
from edge.rules.moving import Movements
from edge.rules.steady import Steady
from edge.rules.values import Event, Moment, State

FLICKER_S = 0.5  # a shorter absence does not interrupt an arrival
MOVES_S, RESTS_S = 0.2, 1.0  # people must move, or rest, for this long before the state says so


class Presence:
    """One event from `arrived` to `left`."""

    def __init__(self, *, enter_s: float, leave_s: float) -> None:
        self._enter_s = enter_s
        self.leave_s = leave_s
        self._visit: Episode | None = None
        self._since_s: float | None = None  # of the first frame with a person
        self._seen_s = 0.0  # of the last frame with a person
        self._movements = Movements()
        self._moving = Steady()

    def update(self, moment: Moment) -> list[Event]:
        now_s = moment.now_s
        moves = self._movements.update(moment)
        self._moving.update(moves, now_s, MOVES_S if moves else RESTS_S)
        if moment.subjects:
            self._seen_s = now_s
            if self._since_s is None:
                self._since_s = now_s
        elif self._visit is None and now_s - self._seen_s > FLICKER_S:
            self._since_s = None
        if self._visit is None:
            return self._arrived(moment)
        absent_s = now_s - self._seen_s
        if absent_s < self.leave_s or moment.subjects:
            return []
        left = self._visit.phase("left", moment, reasons=[f"no person in view for {absent_s:.1f} s"])
        self._visit = self._since_s = None
        return [left]

    def describe(self, state: State) -> State:
        return replace(state, present=self._visit is not None, moving=self._moving.answer)

    def open(self) -> list[OpenEvent]:
        return [OpenEvent(self._visit, "left")] if self._visit else []

    def end(self, moment: Moment, reasons: Iterable[str]) -> list[Event]:
        events = [one.end(moment, reasons) for one in self.open()]
        self._visit = self._since_s = None
        self._movements, self._moving = Movements(), Steady()
        return events

    def _arrived(self, moment: Moment) -> list[Event]:
        if not moment.subjects or self._since_s is None or moment.now_s - self._since_s < self._enter_s:
            return []
        self._visit = begin("presence", moment)
        people = len(moment.subjects)
        reason = f"{people} {'person' if people == 1 else 'people'} in view, for {moment.now_s - self._since_s:.1f} s"
        return [self._visit.phase("arrived", moment, reasons=[reason])]
