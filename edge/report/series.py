"""What was observed over a day, in bins of equal length that grow as the recording does."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.rules.values import State

# Lengths of bins, s. Each is a multiple of the one before, and of a minute or a part of one.
STEPS = 1, 5, 15, 60
MOST_BINS = 1500  # more than a day of 25 hours has minutes
POSTURES = "standing", "sitting", "lying", "unknown"


@dataclass(slots=True)
class Bin:
    """Sums over one stretch of time."""

    watched_s: float = 0.0
    present_s: float = 0.0
    person_s: float = 0.0  # one person for a second, or two people for half a second
    most: int = 0  # people at the same time
    postures: list[float] = field(default_factory=lambda: [0.0] * len(POSTURES))  # seconds of people, as in POSTURES
    zones: dict[str, float] = field(default_factory=dict)  # for how long each was occupied, s

    def add(self, other: "Bin") -> None:
        self.watched_s += other.watched_s
        self.present_s += other.present_s
        self.person_s += other.person_s
        self.most = max(self.most, other.most)
        for index, seconds in enumerate(other.postures):
            self.postures[index] += seconds
        for name, seconds in other.zones.items():
            self.zones[name] = self.zones.get(name, 0.0) + seconds


class Series:
    """The bins of a day. However long it is, there are at most MOST_BINS."""

    def __init__(self) -> None:
        self.step_s = STEPS[0]
        self.bins: dict[int, Bin] = {}  # by number from midnight
        self._first = self._last = 0

    def add(self, at_s: float, seconds: float, state: State) -> None:
        """Add that the room was in this state for some seconds, from `at_s` after midnight."""
        while seconds > 0:
            number = int(at_s // self.step_s)
            part_s = min(seconds, (number + 1) * self.step_s - at_s)
            if part_s <= 0:  # rounding at the end of a bin
                number, part_s = number + 1, min(seconds, float(self.step_s))
            found = self.bins.get(number)
            if found is None:
                if self._grow(number):
                    continue
                found = self.bins[number] = Bin()
            _count(found, part_s, state)
            at_s, seconds = at_s + part_s, seconds - part_s

    def total(self) -> Bin:
        total = Bin()
        for one in self.bins.values():
            total.add(one)
        return total

    def resampled(self, step_s: int) -> Iterator[tuple[int, Bin]]:
        """Bins of a multiple of this length, by number, in order."""
        merged: dict[int, Bin] = {}
        for number, one in self.bins.items():
            merged.setdefault(number * self.step_s // step_s, Bin()).add(one)
        return iter(sorted(merged.items()))

    def _grow(self, number: int) -> bool:
        """Make room for another bin; whether bins became longer."""
        if not self.bins:
            self._first = self._last = number
        self._first, self._last = min(self._first, number), max(self._last, number)
        if self._last - self._first < MOST_BINS or self.step_s == STEPS[-1]:
            return False
        longer = STEPS[STEPS.index(self.step_s) + 1]
        ratio = longer // self.step_s
        self.bins = dict(self.resampled(longer))
        self.step_s, self._first, self._last = longer, self._first // ratio, self._last // ratio
        return True


def _count(bin_: Bin, seconds: float, state: State) -> None:
    bin_.watched_s += seconds
    # Without the rule presence, a person in view is present.
    if state.people > 0 if state.present is None else state.present:
        bin_.present_s += seconds
    if state.people:
        bin_.person_s += seconds * state.people
        bin_.most = max(bin_.most, state.people)
        if state.standing is not None:
            for person in state.persons:
                bin_.postures[POSTURES.index(person.posture)] += seconds
    for name, zone in state.zones.items():
        if zone.occupied:
            bin_.zones[name] = bin_.zones.get(name, 0.0) + seconds
