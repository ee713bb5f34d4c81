"""Measure how fast a person reached the floor."""

from collections import deque
from dataclasses import dataclass

from edge.rules.values import Posture

# All heights are above the floor, in heights of the person: see `edge.rules.trace`.
# How long shoulders take from upright to the floor: 0.3 to 1 s in a fall, 1.3 s and more when a person lies down.
UPRIGHT, FLOOR, FALL_S = 0.7, 0.37, 1.15
LOW_FALL_S, ROLLING_S = 0.75, 1.5  # to the level of the floor in any posture, and from there to lying
# From a seat the distance is shorter. When a person lies down on a bed or sofa, hips do not drop, but feet rise.
SEATED, SEAT_FALL_S, SEAT_LONGEST_S = 0.42, 0.8, 1.5
SEAT_DROP, SEAT_HIPS, SEAT_FEET = 0.22, 0.12, 0.13  # shoulders and hips must drop by more, and feet must rise by less
HIPS_OFF_SEAT = 0.26  # hips that drop by this are off the seat, wherever the feet are
SEAT_LEFT = 0.1  # hips that were lower by this had left the seat before
SEAT_FLOOR = 0.22  # hips on the floor are lower, hips on a bed are higher
SEAT_BEGIN_S, SEAT_END_S, SEAT_STEADY = 1.2, 0.3, 0.07  # when, before a fall, a person kept sitting, and how still
SHORTEST_S = 0.2  # a shorter descent counts as this long
STARTED = 0.05  # the descent begins when the shoulders are lower by this
STEADY_S, STEADY_SHARE = 0.4, 0.6  # how long, and in how many of the samples, a person is upright before a fall

FALLING_HZ, FALLING_S, FALLING_DROP = 0.6, 0.4, 0.2  # a person who drops at this rate, and by so much, is falling
LOWEST, HIGHEST = 0.5, 0.95  # shoulders before a fall: lower ones are on the floor, higher ones are a mistake
HISTORY_S = 4.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A person in one frame, in heights above the floor."""

    at_s: float  # time in which the person was seen
    shoulders: float  # a median of three frames, because a single pose may be wrong
    raw: float  # shoulders of this frame only
    hips: float | None
    feet: float | None
    down: bool  # on the floor
    posture: Posture


@dataclass(frozen=True, slots=True)
class Descent:
    """The movement of a person down to the floor."""

    drop: float = 0.0  # of the shoulders, heights
    seconds: float = 0.0
    share: float = 0.0  # how fast, compared with the slowest fall: a fall has 1 or more


NO_DESCENT = Descent()


class Descents:
    """The last seconds of a person, and the fastest descent to the floor in them."""

    def __init__(self) -> None:
        self.fastest = NO_DESCENT
        self._samples: deque[Sample] = deque()
        self._found: deque[tuple[float, Descent]] = deque()

    @property
    def at_s(self) -> float:
        """The time of the last sample."""
        return self._samples[-1].at_s if self._samples else 0.0

    @property
    def is_falling(self) -> bool:
        """Whether the shoulders were dropping fast in the last sample, or got lower than on a seat a moment before."""
        if len(self._samples) < 2:
            return False
        before, last = self._samples[-2], self._samples[-1]
        recent = [one for one in self._samples if last.at_s - one.at_s <= FALLING_S]
        highest = max(recent, key=lambda one: one.shoulders)
        drop = highest.shoulders - last.raw
        if not LOWEST < highest.shoulders < HIGHEST or drop < max(
            FALLING_DROP, FALLING_HZ * (last.at_s - highest.at_s)
        ):
            return False
        return last.raw < SEATED or before.raw - last.raw > FALLING_HZ * (last.at_s - before.at_s)

    def median(self, raw: float) -> float:
        """The median of the shoulders of the next sample and the two before it."""
        around = sorted([raw, *(self._samples[-k].raw for k in (1, 2) if len(self._samples) >= k)])
        return around[len(around) // 2]

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)
        while sample.at_s - self._samples[0].at_s > HISTORY_S:
            self._samples.popleft()
        if sample.down:
            samples = list(self._samples)
            self._found += [(sample.at_s, way) for way in (_from_standing(samples), _from_seat(samples)) if way]
        while self._found and sample.at_s - self._found[0][0] > HISTORY_S:
            self._found.popleft()
        # The second fastest, because a single pose may be wrong.
        found = sorted((one for _, one in self._found), key=lambda one: (one.share, one.drop))
        self.fastest = found[-2] if len(found) > 1 else NO_DESCENT

    def clear(self) -> None:
        self._samples.clear()
        self._found.clear()
        self.fastest = NO_DESCENT


def _from_standing(samples: list[Sample]) -> Descent | None:
    """The descent from upright to the floor; None if the person was not steadily upright."""
    above = next((k for k in range(len(samples) - 2, -1, -1) if samples[k].shoulders >= UPRIGHT), None)
    if above is None:
        return None
    before = _before(samples, above)
    if sum(one.shoulders >= UPRIGHT - 0.1 for one in before) < STEADY_SHARE * len(before):
        return None
    left_s = _crossing(samples[above], samples[above + 1], UPRIGHT)
    low = next(k for k in range(above + 1, len(samples)) if samples[k].shoulders < FLOOR or samples[k].down)
    low_s = _crossing(samples[low - 1], samples[low], FLOOR)
    down = next(k for k in range(low, len(samples)) if samples[k].down)
    down_s = low_s if down == low else samples[down].at_s
    share = FALL_S / max(down_s - left_s, SHORTEST_S)
    if down_s - low_s < ROLLING_S:  # many people fall on their seat, and then roll over
        share = max(share, LOW_FALL_S / max(low_s - left_s, SHORTEST_S))
    highest = max(one.shoulders for one in before)
    begin_s = max(one.at_s for one in before if one.shoulders > highest - STARTED)
    return Descent(highest - samples[-1].shoulders, samples[down].at_s - begin_s, share)


def _from_seat(samples: list[Sample]) -> Descent | None:
    """The descent from a seat to the floor; None if the person was not steadily seated, or lay down on the seat."""
    last = samples[-1]
    for k in range(len(samples) - 2, -1, -1):
        seconds = last.at_s - samples[k].at_s
        if seconds > SEAT_LONGEST_S:
            break
        if samples[k].shoulders - last.shoulders < SEAT_DROP:
            continue
        seated = _seated(samples, k)
        if seated and _left_seat(seated, samples[k], last):
            drop = seated[len(seated) // 2].shoulders - last.shoulders
            return Descent(drop, seconds, SEAT_FALL_S / max(seconds, SHORTEST_S))
    return None


def _seated(samples: list[Sample], index: int) -> list[Sample]:
    """The samples in which the person kept sitting for a while. A person who lies down only passes such a height."""
    before = [one for one in samples[:index] if SEAT_BEGIN_S >= samples[index].at_s - one.at_s >= SEAT_END_S]
    if not before:
        return []
    seat = sorted(one.shoulders for one in before)[len(before) // 2]
    seated = [one for one in before if one.posture == "sitting" and abs(one.shoulders - seat) < SEAT_STEADY]
    return seated if seat > SEATED and len(seated) >= STEADY_SHARE * len(before) else []


def _left_seat(seated: list[Sample], leaving: Sample, last: Sample) -> bool:
    """Whether the hips are lower than on the seat. On a bed or sofa they hardly are, and the feet rise.

    Hips that were lower before the shoulders dropped are those of a person who sat down on the floor first.
    """
    hips = sorted(one.hips for one in seated if one.hips is not None)
    feet = sorted(one.feet for one in seated if one.feet is not None)
    if not hips or last.hips is None or last.hips > SEAT_FLOOR:
        return False
    if leaving.hips is not None and leaving.hips < hips[len(hips) // 2] - SEAT_LEFT:
        return False
    drop = hips[-1] - last.hips
    if not feet or last.feet is None:
        return drop > SEAT_HIPS
    return drop > HIPS_OFF_SEAT or (drop > SEAT_HIPS / 2 and last.feet - feet[len(feet) // 2] < SEAT_FEET)


def _before(samples: list[Sample], index: int) -> list[Sample]:
    """The samples of a moment, up to one of them."""
    return [one for one in samples[: index + 1] if samples[index].at_s - one.at_s <= STEADY_S]


def _crossing(one: Sample, other: Sample, level: float) -> float:
    """When the shoulders passed a level between two samples."""
    if one.shoulders == other.shoulders:
        return other.at_s
    share = (one.shoulders - level) / (one.shoulders - other.shoulders)
    return one.at_s + min(max(share, 0.0), 1.0) * (other.at_s - one.at_s)
