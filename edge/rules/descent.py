"""How a person got down: the recent positions of one person, and the fastest way to the floor among them.

Heights above the floor are measured in the picture, in heights of the person (see `edge.rules.body`), from the level of
the feet when the person last stood. A camera that looks down shows a body that lies away from it above that level.
"""

import math
from collections import deque
from dataclasses import dataclass

from edge.geometry import Position
from edge.rules.body import LEG, NECK, Body, Stature, measure
from edge.rules.values import Posture, Subject
from edge.types import Box

# How long shoulders take from upright to the floor: 0.3 to 1 s in a fall, 1.3 s and more when a person lies down.
# From a seat the way is shorter. Hips that lie down on a bed or sofa do not drop.
UPRIGHT, SEATED = 0.7, 0.5
FALL_S, SEAT_FALL_S = 1.15, 0.8
SEAT_HIPS = 0.12  # the hips must drop by this
# On the floor, shoulders and hips are lower. Shoulders of a person who squats, and hips of one who crawls are higher.
FLOOR, FLOOR_HIPS = 0.37, 0.28
FLAT_TORSO = 0.2  # shoulders of a person who sits on the floor are higher above the hips
KNEELING_THIGH = 0.17  # hips above the knees
SHOULDERS = 0.785  # height of the shoulders of a person who stands
STANDING_S = 1.5  # how long measurements of a standing person count
FLAT_DEG = 55.0
SHORTEST_S = 0.2  # a shorter descent is as good as this one
STARTED = 0.05  # the descent begins when the shoulders are lower by this
STEADY_S, STEADY_SHARE = 0.4, 0.6  # how long, and in how many of the samples, a person is upright before a fall

FALLING_HZ, FALLING_S, FALLING_DROP = 0.6, 0.4, 0.2  # a person who drops at this rate, and by so much, is falling
UP = 0.5  # shoulders of a person who is up again are higher
HISTORY_S = 4.0
LONGEST_STEP_S = 0.35  # a longer time between two samples counts as this: what happened meanwhile was not seen
FLOOR_S = 0.3  # time constant of the level of the floor


@dataclass(frozen=True, slots=True)
class Sample:
    """A person in one frame."""

    at_s: float  # time in which the person was seen
    shoulders: float  # above the floor, heights: a median of three frames, because a single pose may be wrong
    raw: float  # the same of this frame only
    hips: float | None
    down: bool
    posture: Posture


@dataclass(frozen=True, slots=True)
class Descent:
    """A way down."""

    drop: float = 0.0  # of the shoulders, heights
    seconds: float = 0.0
    share: float = 0.0  # how fast, compared with the slowest fall: a fall has 1 or more


NO_DESCENT = Descent()


class Trace:
    """One person: size, floor, and the last seconds."""

    def __init__(self, id_: int | None, now_s: float) -> None:
        self.id = id_
        self.seen_s = now_s
        self.place: Position = (0.0, 0.0)  # where the person is: the middle of the trunk
        self.box = Box(0.0, 0.0, 0.0, 0.0)
        self.posture: Posture = "unknown"
        self.body: Body | None = None
        self.height_px: float | None = None
        self.elevation: float | None = None  # of the shoulders above the floor, heights
        self.hips: float | None = None  # above the floor, heights
        self.upright_s = 0.0  # how long the person was seen upright in all
        self.last_upright_s = -math.inf
        self.fastest = NO_DESCENT  # of the last seconds
        self._stature = Stature()
        self._reaches: deque[tuple[float, float]] = deque()  # time, and px from feet to shoulders while standing
        self._unit_px: float | None = None  # the height that makes the shoulders of this person `SHOULDERS` high
        self._floor_y: float | None = None
        self._samples: deque[Sample] = deque()
        self._descents: deque[tuple[float, Descent]] = deque()

    @property
    def is_down(self) -> bool:
        """Whether the person is on the floor, and not sitting, squatting or crawling there."""
        if self.elevation is None or self.hips is None:
            low = self.elevation is None or self.elevation < FLOOR
            return low and self.posture == "lying"
        if self.elevation > FLOOR or self.elevation - self.hips > FLAT_TORSO:
            return False
        return self._lies_flat if self.hips > FLOOR_HIPS else not self._kneels

    @property
    def _lies_flat(self) -> bool:
        """Whether the torso lies across the view; on a bed, hips are higher than on the floor."""
        lean_deg = self.body.lean_deg if self.body else None
        return self.posture == "lying" and lean_deg is not None and lean_deg > FLAT_DEG

    @property
    def _kneels(self) -> bool:
        """Whether the thighs stand upright, as those of a person on hands and knees."""
        knees = self._above_floor(self.body.knees) if self.body else None
        return knees is not None and self.hips is not None and self.hips - knees > KNEELING_THIGH

    @property
    def is_upright(self) -> bool:
        """Whether the person stands or sits, and not on the floor."""
        return self.posture in {"standing", "sitting"} and (self.elevation is None or self.elevation > UP)

    @property
    def has_risen(self) -> bool:
        """Whether the person is not on the floor any more."""
        return self.is_upright if self.elevation is None else self.elevation > UP

    @property
    def is_falling(self) -> bool:
        """Whether the shoulders were dropping fast when the person was last seen."""
        if not self._samples:
            return False
        last = self._samples[-1]
        recent = [one for one in self._samples if last.at_s - one.at_s <= FALLING_S]
        highest = max(recent, key=lambda one: one.shoulders)
        drop = highest.shoulders - last.raw
        return drop > FALLING_DROP and drop > FALLING_HZ * (last.at_s - highest.at_s)

    def add(self, subject: Subject, now_s: float) -> None:
        """Add a frame in which the person is seen."""
        step_s = min(max(now_s - self.seen_s, 0.0), LONGEST_STEP_S)
        body = self.body = measure(subject.person)
        self.id, self.seen_s, self.box, self.posture = subject.id, now_s, subject.person.box, subject.posture
        self.place = body.trunk or self.place
        self.height_px = self._stature.update(body, now_s)
        self._find_floor(body, step_s)
        self._find_unit(body, now_s)
        self.hips = self._above_floor(body.hips)
        raw = self.elevation = self._elevation(body)
        if raw is not None:
            around = sorted([raw, *(self._samples[-k].raw for k in (1, 2) if len(self._samples) >= k)])
            self.elevation = around[len(around) // 2]
            self._add_sample(self.elevation, raw, step_s)
        if self.is_upright:
            self.upright_s += step_s
            self.last_upright_s = now_s

    def forget(self) -> None:
        """Forget the way down, after a fall has ended: the next one begins upright."""
        self.last_upright_s = -math.inf
        self._samples.clear()
        self._descents.clear()
        self.fastest = NO_DESCENT

    def _find_floor(self, body: Body, step_s: float) -> None:
        level = None
        if self.posture == "standing":
            level = body.feet[1] if body.feet else None
            if level is None and body.hips and self.height_px:
                level = body.hips[1] + LEG * self.height_px
        elif self.posture == "sitting" and self._floor_y is None and body.feet:
            level = body.feet[1]
        if level is not None:
            weight = 1 - math.exp(-step_s / FLOOR_S)
            self._floor_y = level if self._floor_y is None else self._floor_y + weight * (level - self._floor_y)

    def _find_unit(self, body: Body, now_s: float) -> None:
        if self.posture == "standing" and body.feet and body.shoulders:
            self._reaches.append((now_s, body.feet[1] - body.shoulders[1]))
            while now_s - self._reaches[0][0] > STANDING_S:
                self._reaches.popleft()
            self._unit_px = sorted(px for _, px in self._reaches)[len(self._reaches) * 3 // 4] / SHOULDERS
        elif self._unit_px is None or not self._reaches:
            self._unit_px = self.height_px

    def _elevation(self, body: Body) -> float | None:
        if body.shoulders:
            return self._above_floor(body.shoulders)
        head = self._above_floor(body.head)
        return None if head is None else head - (NECK / 2 if self.posture == "lying" else NECK)

    def _above_floor(self, point: Position | None) -> float | None:
        if point is None or self._floor_y is None or not self._unit_px:
            return None
        return (self._floor_y - point[1]) / self._unit_px

    def _add_sample(self, shoulders: float, raw: float, step_s: float) -> None:
        samples = self._samples
        at_s = samples[-1].at_s + step_s if samples else 0.0
        samples.append(Sample(at_s, shoulders, raw, self.hips, self.is_down, self.posture))
        while at_s - samples[0].at_s > HISTORY_S:
            samples.popleft()
        descent = self._descent()
        if descent:
            self._descents.append((at_s, descent))
        while self._descents and at_s - self._descents[0][0] > HISTORY_S:
            self._descents.popleft()
        self.fastest = max(
            (one for _, one in self._descents), key=lambda one: (one.share, one.drop), default=NO_DESCENT
        )

    def _descent(self) -> Descent | None:
        """The way down to the floor that ends with the last sample; None if that is not on the floor."""
        samples = list(self._samples)
        if not samples[-1].down:
            return None
        found = (_way(samples, UPRIGHT, FALL_S), _way(samples, SEATED, SEAT_FALL_S))
        return max((one for one in found if one), key=lambda one: one.share, default=None)


def _way(samples: list[Sample], level: float, limit_s: float) -> Descent | None:
    """The way from a level to the floor; None if the person was not steadily above it before."""
    above = next((k for k in range(len(samples) - 2, -1, -1) if samples[k].shoulders >= level), None)
    if above is None:
        return None
    before = [one for one in samples[: above + 1] if samples[above].at_s - one.at_s <= STEADY_S]
    if sum(one.shoulders >= level - 0.1 for one in before) < STEADY_SHARE * len(before):
        return None
    if level == SEATED and not _hips_dropped(before, samples[-1]):
        return None
    down = next(k for k in range(above + 1, len(samples)) if samples[k].down)
    end_s = samples[down].at_s
    if samples[down - 1].shoulders > FLOOR:
        end_s = _crossing(samples[down - 1], samples[down], FLOOR)
    seconds = end_s - _crossing(samples[above], samples[above + 1], level)
    highest = max(one.shoulders for one in before)
    begin_s = max(one.at_s for one in before if one.shoulders > highest - STARTED)
    drop = highest - samples[-1].shoulders
    return Descent(drop, samples[down].at_s - begin_s, limit_s / max(seconds, SHORTEST_S))


def _hips_dropped(before: list[Sample], last: Sample) -> bool:
    """Whether the hips of a person who sat are clearly lower now."""
    hips = [one.hips for one in before if one.hips is not None]
    if before[-1].posture == "standing" or not hips or last.hips is None:
        return False
    return max(hips) - last.hips > SEAT_HIPS


def _crossing(one: Sample, other: Sample, level: float) -> float:
    """When the shoulders passed a level between two samples."""
    if one.shoulders == other.shoulders:
        return other.at_s
    share = (one.shoulders - level) / (one.shoulders - other.shoulders)
    return one.at_s + min(max(share, 0.0), 1.0) * (other.at_s - one.at_s)
