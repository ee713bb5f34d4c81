"""Follow people through changes of their ID: a falling person is often lost, and detected again as a new track."""

import math
from collections.abc import Collection

from edge.rules.trace import Trace
from edge.rules.values import Moment, Subject

LINK_S = 3.5  # a new person near the place where another was lost within this time is the same
LINK_DISTANCE = 1.2  # heights
# An ID that moves farther between two frames has passed to another person: heights, and heights per second.
JUMP, JUMP_HZ = 0.8, 2.5


class Traces:
    """The traces of all people in view, and of those who were lost a moment ago."""

    def __init__(self) -> None:
        self._traces: list[Trace] = []

    @property
    def all(self) -> list[Trace]:
        return list(self._traces)

    def add(self, trace: Trace) -> None:
        """Follow a person who was lost before."""
        self._traces.append(trace)

    def update(self, moment: Moment, kept: Collection[Trace]) -> None:
        """Add the people in this frame. Traces that are `kept` may be linked however long they were lost."""
        now_s = moment.now_s
        self._traces = [one for one in self._traces if one in kept or now_s - one.seen_s <= LINK_S]
        traces = {one.id: one for one in self._traces}
        seen, new = [], []
        for subject in moment.subjects:
            trace = traces.get(subject.id)
            if trace and not _jumps(trace, subject, now_s):
                seen.append((trace, subject))
            else:
                new.append(subject)
        taken = {id(trace) for trace, _ in seen}
        for subject in sorted(new, key=lambda one: one.posture != "lying"):  # a helper may come into view beside them
            lost = [one for one in self._traces if id(one) not in taken]
            trace = _continued(subject, lost) or Trace(subject.id, now_s)
            if all(trace is not one for one in self._traces):
                self._traces.append(trace)
            taken.add(id(trace))
            seen.append((trace, subject))
        for trace, subject in seen:
            trace.add(subject, now_s)


def _jumps(trace: Trace, subject: Subject, now_s: float) -> bool:
    place = subject.body.trunk
    if place is None or trace.height_px is None:
        return False
    return math.dist(place, trace.place) > (JUMP + JUMP_HZ * (now_s - trace.seen_s)) * trace.height_px


def _continued(subject: Subject, lost: list[Trace]) -> Trace | None:
    """The lost trace that a new person continues: the nearest."""
    place = subject.body.trunk
    if place is None:
        return None
    near = [
        (math.dist(place, one.place) / one.height_px, one)
        for one in lost
        if one.height_px and math.dist(place, one.place) < LINK_DISTANCE * one.height_px
    ]
    return min(near, key=lambda one: one[0])[1] if near else None
