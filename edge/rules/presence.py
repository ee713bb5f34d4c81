"""Presence: whether any person is in view, and whether any moves."""

from dataclasses import replace

from edge.rules.episode import Episode, begin
from edge.rules.moving import Movements
from edge.rules.values import Event, Moment, State

FLICKER_S = 0.5  # a shorter absence does not interrupt an arrival


class Presence:
    """One event from `arrived` to `left`."""

    def __init__(self, *, enter_s: float, leave_s: float) -> None:
        self._enter_s = enter_s
        self._leave_s = leave_s
        self._visit: Episode | None = None
        self._since_s: float | None = None  # of the first frame with a person
        self._seen_s = 0.0  # of the last frame with a person
        self._movements = Movements()
        self._moving = False

    def update(self, moment: Moment) -> list[Event]:
        self._moving = self._movements.update(moment)
        now_s = moment.now_s
        if moment.subjects:
            self._seen_s = now_s
            if self._since_s is None:
                self._since_s = now_s
        elif self._visit is None and now_s - self._seen_s > FLICKER_S:
            self._since_s = None
        if self._visit is None:
            return self._arrived(moment)
        absent_s = now_s - self._seen_s
        if absent_s < self._leave_s or moment.subjects:
            return []
        left = self._visit.phase("left", moment, reasons=[f"no person in view for {absent_s:.1f} s"])
        self._visit = self._since_s = None
        return [left]

    def describe(self, state: State) -> State:
        return replace(state, present=self._visit is not None, moving=self._moving)

    def _arrived(self, moment: Moment) -> list[Event]:
        if not moment.subjects or self._since_s is None or moment.now_s - self._since_s < self._enter_s:
            return []
        self._visit = begin("presence", moment)
        people = len(moment.subjects)
        reason = f"{people} {'person' if people == 1 else 'people'} in view, for {moment.now_s - self._since_s:.1f} s"
        return [self._visit.phase("arrived", moment, reasons=[reason])]
