"""Events that have begun and not ended: one ID through all phases."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from edge.rules.values import Event, Moment


@dataclass(frozen=True, slots=True)
class Episode:
    """An event that has begun."""

    rule: str
    id: str
    started_wall_s: float
    started_s: float  # `monotonic_s` of the frame in which it began
    person: int | None = None
    zone: str | None = None

    def phase(
        self, type_: str, moment: Moment, *, confidence: float | None = None, reasons: Iterable[str] = ()
    ) -> Event:
        """The event that reports that this episode entered a phase."""
        return Event(
            self.rule,
            type_,
            self.id,
            moment.seen.sequence,
            moment.seen.wall_s,
            self.started_wall_s,
            round(max(moment.seen.monotonic_s - self.started_s, 0.0), 2),
            self.person,
            self.zone,
            confidence,
            tuple(reasons),
        )


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An episode that has not ended, and the phase in which it ends if it cannot go on."""

    episode: Episode
    last: str  # such as "left"
    resumes: bool = False  # whether it goes on after a restart

    def end(self, moment: Moment, reasons: Iterable[str]) -> Event:
        return self.episode.phase(self.last, moment, reasons=reasons)


def begin(rule: str, moment: Moment, *, person: int | None = None, zone: str | None = None) -> Episode:
    """A new episode of a rule. Its ID is derived from what began, so a replay gives the same one."""
    seen = moment.seen
    name = f"{moment.device_id}/{rule}/{seen.wall_s:.3f}/{seen.sequence}/{person}/{zone}"
    id_ = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Episode(rule, id_, seen.wall_s, seen.monotonic_s, person, zone)
