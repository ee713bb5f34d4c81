"""A fall that has begun, from frame to frame."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from edge.geometry import Position
from edge.rules.descent import NO_DESCENT, Descent
from edge.rules.episode import Episode
from edge.rules.trace import LONGEST_STEP_S, Trace
from edge.rules.values import Moment

SETTLING_S = 0.6  # low shoulders before a person is on the floor count as time on the floor, up to this
SEEN_DOWN_S, DOWN_SHARE = 0.15, 0.6  # total time detected on the floor, and its least share of the time detected
SLOWER_SHARE = 0.8  # of the speed of a fall, which is enough if the person then keeps still
STILL, STILL_S = 0.05, 0.8  # a person who moves less than this, in heights, for this long keeps still
MOVED = 0.7  # heights; a person who was lost at the edge of the picture, this far from the fall, left
EDGE = 0.06  # of the picture

Phase: TypeAlias = Literal["suspected", "confirmed", "still_down"]


@dataclass(frozen=True, slots=True)
class OpenFall:
    """A confirmed fall in plain values, to be saved and restored after a restart."""

    episode: Episode
    still_down: bool
    place: Position  # where the person lies, frame px
    height_px: float | None  # of the person while standing
    floor_y: float | None  # where the feet were when the person last stood, frame px
    down_since_s: float  # when the person got on the floor, on the clock of `Observation.monotonic_s`


@dataclass(slots=True, eq=False)
class Fall:
    """A fall that has begun."""

    episode: Episode
    trace: Trace
    place: Position  # where the person was last seen on the floor, or suspected to fall
    began_s: float
    watched_s: float  # of the last frame
    phase: Phase = "suspected"
    descent: Descent = NO_DESCENT
    lost_falling: bool = False
    down_since_s: float | None = None
    down_s: float = 0.0  # how long the person was seen on the floor
    still_at: Position = (math.inf, math.inf)  # where the person has been on the floor
    moved_s: float = math.inf  # since when
    seen_s: float = 0.0  # how long the person was seen in all since first seen there
    # How long the person was seen since last seen there:
    off_floor_s: float = 0.0  # too high to be there
    risen_s: float = 0.0
    upright_s: float = 0.0  # standing or sitting
    stood_s: float = 0.0

    @property
    def is_fast(self) -> bool:
        return self.descent.share >= 1

    def is_slower_and_still(self, now_s: float) -> bool:
        """Whether the person got down a little slower than in a fall, and does not move, as one who exercises."""
        return self.descent.share >= SLOWER_SHARE and now_s - self.moved_s >= STILL_S

    @property
    def is_mostly_down(self) -> bool:
        return self.down_s >= max(SEEN_DOWN_S, DOWN_SHARE * self.seen_s)

    def down_for(self, now_s: float) -> float:
        """Seconds since the person was first seen on the floor, or else since the suspicion."""
        return now_s - (self.began_s if self.down_since_s is None else self.down_since_s)

    def exported(self, now_s: float, monotonic_s: float) -> OpenFall:
        """The fall in plain values. Both times are those of the last frame."""
        trace, down_since_s = self.trace, monotonic_s - self.down_for(now_s)
        is_still_down = self.phase == "still_down"
        return OpenFall(self.episode, is_still_down, self.place, trace.height_px, trace.floor_y, down_since_s)


def resumed(saved: OpenFall, moment: Moment, still_down_s: float) -> Fall:
    """A fall from before a restart. The person counts as on the floor meanwhile, up to `still_down_s`."""
    now_s = moment.now_s
    # IDs start again with the service, so the person has another one.
    trace = Trace.before(now_s, saved.place, saved.height_px, saved.floor_y)
    down_s = min(max(moment.seen.monotonic_s - saved.down_since_s, 0.0), still_down_s)
    fall = Fall(saved.episode, trace, saved.place, now_s - down_s, now_s, down_since_s=now_s - down_s)
    fall.phase = "still_down" if saved.still_down else "confirmed"
    return fall


def observe(fall: Fall, now_s: float) -> None:
    """Note what this frame shows of a person who may have fallen."""
    trace = fall.trace
    step_s, fall.watched_s = min(now_s - fall.watched_s, LONGEST_STEP_S), now_s
    if fall.phase == "suspected" and trace.descents.fastest.share >= fall.descent.share:
        fall.descent = trace.descents.fastest
    if trace.seen_s < now_s or trace.body is None:
        fall.lost_falling = fall.lost_falling or trace.was_lost_falling
        return
    fall.episode = replace(fall.episode, person=trace.id)
    if fall.down_since_s is not None:
        fall.seen_s += step_s
    if trace.is_down:
        if fall.down_since_s is None:
            low_since_s = now_s if trace.low_since_s is None else trace.low_since_s
            fall.down_since_s = max(low_since_s, now_s - SETTLING_S)
        fall.down_s += step_s
        fall.off_floor_s = fall.risen_s = fall.upright_s = fall.stood_s = 0.0
        fall.place = trace.place
        if math.dist(trace.place, fall.still_at) > STILL * (trace.height_px or 0.0):
            fall.still_at, fall.moved_s = trace.place, now_s
        return
    if not trace.is_low:
        fall.off_floor_s += step_s
    fall.still_at = (math.inf, math.inf)
    if trace.has_risen:
        fall.risen_s += step_s
    if trace.is_upright:
        fall.upright_s += step_s
        fall.stood_s = fall.stood_s + step_s if trace.posture == "standing" else 0.0


def has_left(fall: Fall, moment: Moment) -> bool:
    """Whether the person was lost at a side of the picture, up or away from the place of the fall."""
    trace, width = fall.trace, moment.seen.width
    at_edge = trace.box.left < EDGE * width or trace.box.right > (1 - EDGE) * width
    moved = math.dist(trace.place, fall.place) > MOVED * (trace.height_px or math.inf)
    return at_edge and (moved or trace.has_risen)


def in_words(fall: Fall) -> list[str]:
    """What is known of a fall, in words with figures."""
    body, descent, words = fall.trace.body, fall.descent, []
    if body and body.lean_deg is not None:
        words.append(f"torso {body.lean_deg:.0f} degrees from upright")
    if descent.share:
        words.append(f"dropped {descent.drop:.1f} body heights in {descent.seconds:.1f} s")
    if fall.trace.shoulders is not None:
        words.append(f"shoulders {max(fall.trace.shoulders, 0.0):.1f} body heights above the floor")
    return words
