"""Where a person is above the floor, from frame to frame.

Heights above the floor are measured in the picture, in heights of the person (see `edge.rules.body`), from the level of
the feet when the person last stood. A camera that looks down shows a body that lies away from it above that level.
"""

import math
from collections import deque

from edge.geometry import Position
from edge.rules.body import LEG, NECK, Body, Stature
from edge.rules.descent import FLOOR, Descents, Sample
from edge.rules.values import Posture, Subject
from edge.types import Box

# Hips and head of a person on the floor are lower; hips of one who crawls, and the head of one who squats, are higher.
FLOOR_HIPS, FLOOR_HEAD = 0.28, 0.47
LYING_SHOULDERS = 0.25  # shoulders of a person who sits on the floor are higher
# Shoulders and hips of a torso that lies across the view may be higher, on a mattress; hips of one who bends are not.
FLAT_FLOOR, FLAT_HIPS, FLAT_DEG = 0.45, 0.38, 55.0
FLAT_TORSO, STRETCHED_TORSO = 0.15, 0.2  # shoulders of a person who sits or squats are higher above the hips
CRAWLING_THIGH = 0.17  # hips of a person who crawls are higher above the knees
FELL_S = 0.5  # a person who was dropping fast so long before being lost may still be falling
UP = 0.5  # shoulders of a person who is up again are higher
SHOULDERS = 0.785  # height of the shoulders of a person who stands
STANDING_S = 1.5  # how long measurements of a standing person count
SAME_HEIGHT = 0.75  # a person who stands up after a restart is as high as this share of the height before
FLOOR_S = 0.3  # time constant of the level of the floor
LONGEST_STEP_S = 0.35  # a longer time between two samples counts as this, because the person was not observed meanwhile


class Trace:
    """One person: size, floor, and the way down in the last seconds."""

    def __init__(self, id_: int | None, now_s: float) -> None:
        self.id = id_
        self.seen_s = now_s
        self.place: Position = (0.0, 0.0)  # where the person is: the middle of the trunk
        self.box = Box(0.0, 0.0, 0.0, 0.0)
        self.posture: Posture = "unknown"
        self.body: Body | None = None
        self.height_px: float | None = None
        # Above the floor, heights; None if the floor or the part is not known:
        self.shoulders: float | None = None
        self.head: float | None = None
        self.hips: float | None = None
        self.knees: float | None = None
        self.feet: float | None = None
        self.upright_s = 0.0  # how long the person was seen upright in all
        self.last_upright_s = -math.inf
        self.fell_s = -math.inf  # when the person was last dropping fast
        self.low_since_s: float | None = None  # since when the shoulders have been as low as on the floor
        self.descents = Descents()
        self._stature = Stature()
        self._stands = False
        self._reaches: deque[tuple[float, float]] = deque()  # time, and px from feet to shoulders while standing
        self._unit_px: float | None = None  # the height that makes the shoulders of this person `SHOULDERS` high
        self.floor_y: float | None = None
        self._before_px: float | None = None  # the height before a restart, until the person stands

    @classmethod
    def before(cls, now_s: float, place: Position, height_px: float | None, floor_y: float | None) -> "Trace":
        """A person known from before a restart and not seen yet. IDs start at 1 again, so the trace has none."""
        trace = cls(None, now_s)
        trace.place, trace.height_px, trace.floor_y, trace._before_px = place, height_px, floor_y, height_px
        return trace

    @property
    def is_down(self) -> bool:
        """Whether the person is on the floor, and not sitting, squatting or crawling there."""
        if self.head is not None and self.head > FLOOR_HEAD:
            return False
        if self.shoulders is None or self.hips is None:
            return self.posture == "lying" and (self.shoulders is None or self.shoulders < FLOOR)
        if self.knees is not None and self.hips - self.knees > CRAWLING_THIGH:
            return False
        if self.posture == "lying" and self.body and (self.body.lean_deg or 0) > FLAT_DEG:
            return self.shoulders < FLAT_FLOOR and self.hips < FLAT_HIPS
        if self.posture == "lying" and self.shoulders < LYING_SHOULDERS:
            return True
        torso = self.shoulders - self.hips
        is_stretched_along_view = self.feet is not None and self.hips - self.feet > torso
        is_flat = torso < (STRETCHED_TORSO if is_stretched_along_view else FLAT_TORSO)
        return is_flat and self.shoulders < FLOOR and self.hips < FLOOR_HIPS

    @property
    def is_upright(self) -> bool:
        """Whether the person stands or sits, and not on the floor."""
        return self.posture in {"standing", "sitting"} and (self.shoulders is None or self.shoulders > UP)

    @property
    def is_low(self) -> bool:
        """Whether the shoulders are as low as on the floor."""
        return self.posture == "lying" if self.shoulders is None else self.shoulders < FLOOR

    @property
    def was_lost_falling(self) -> bool:
        """Whether the person was dropping fast when last seen, or a moment before and is not up again."""
        return self.fell_s == self.seen_s or (self.seen_s - self.fell_s < FELL_S and not self.has_risen)

    @property
    def has_risen(self) -> bool:
        """Whether the person is not on the floor any more."""
        return self.is_upright if self.shoulders is None else self.shoulders > UP

    def add(self, subject: Subject, now_s: float) -> None:
        """Add a frame in which the person is seen."""
        step_s = min(max(now_s - self.seen_s, 0.0), LONGEST_STEP_S)
        body = self.body = subject.body
        self.id, self.seen_s, self.box, self.posture = subject.id, now_s, subject.person.box, subject.posture
        self.place = body.trunk or self.place
        self.height_px = self._stature.update(body, now_s)
        self._stands = self._stature.stands
        if self._before_px:
            # A body that lies along the view looks like a smaller one that stands.
            if self._stands and (self.height_px or 0.0) >= SAME_HEIGHT * self._before_px:
                self._before_px = None
            else:
                self.height_px, self._stands = self._before_px, False
        self._find_floor(body, step_s)
        self._find_unit(body, now_s)
        self.head, self.hips = self._above_floor(body.head), self._above_floor(body.hips)
        self.knees, self.feet = self._above_floor(body.knees), self._above_floor(body.feet)
        raw = self.shoulders = self._above_floor(body.shoulders)
        if raw is None and self.head is not None:
            raw = self.head - (NECK / 2 if self.posture == "lying" else NECK)
        if raw is not None:
            self.shoulders = self.descents.median(raw)
            at_s = self.descents.at_s + step_s
            self.descents.add(Sample(at_s, self.shoulders, raw, self.hips, self.feet, self.is_down, self.posture))
        if self.descents.is_falling:
            self.fell_s = now_s
        if not self.is_low:
            self.low_since_s = None
        elif self.low_since_s is None:
            self.low_since_s = now_s
        if self.is_upright:
            self.upright_s += step_s
            self.last_upright_s = now_s

    def forget(self) -> None:
        """Forget the way down, after a fall has ended: the next one begins upright."""
        self.last_upright_s = -math.inf
        self.descents.clear()

    def _find_floor(self, body: Body, step_s: float) -> None:
        level = None
        if self._stands or (self.floor_y is None and self.posture in {"standing", "sitting"}):
            level = body.feet[1] if body.feet else None
            if level is None and body.hips and self.height_px and self.posture == "standing":
                level = body.hips[1] + LEG * self.height_px
        if level is not None:
            weight = 1 - math.exp(-step_s / FLOOR_S)
            self.floor_y = level if self.floor_y is None else self.floor_y + weight * (level - self.floor_y)

    def _find_unit(self, body: Body, now_s: float) -> None:
        if self._stands and body.feet and body.shoulders:
            self._reaches.append((now_s, body.feet[1] - body.shoulders[1]))
            while now_s - self._reaches[0][0] > STANDING_S:
                self._reaches.popleft()
            self._unit_px = sorted(px for _, px in self._reaches)[len(self._reaches) * 3 // 4] / SHOULDERS
        elif self._unit_px is None or not self._reaches:
            self._unit_px = self.height_px

    def _above_floor(self, point: Position | None) -> float | None:
        if point is None or self.floor_y is None or not self._unit_px:
            return None
        return (self.floor_y - point[1]) / self._unit_px
