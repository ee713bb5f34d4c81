"""Falls: a person who was upright reaches the floor fast, and stays there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from edge.geometry import Polygon, Position, distance
from edge.rules.descent import NO_DESCENT, Descent
from edge.rules.episode import Episode, begin
from edge.rules.footing import in_pixels
from edge.rules.trace import LONGEST_STEP_S, Trace
from edge.rules.traces import Traces
from edge.rules.values import Event, Moment, State

WAS_UPRIGHT_S = 0.15  # a person must have been upright for this long to fall
SOON_S = 10.0  # a person is on the floor at most this long after being upright, to have got down there
GONE_S = 0.3  # time without a detection until a person counts as lost
LOST_S = 2.0  # added to `confirm_s` for a person who was lost on the way down
SETTLING_S = 0.6  # low shoulders before a person is on the floor count as time on the floor, up to this
SEEN_DOWN_S, DOWN_SHARE = 0.15, 0.6  # total time detected on the floor, and its least share of the time detected
PATIENCE_S = 4.0  # how much longer than `confirm_s` a suspicion lasts
SLOWER_SHARE = 0.8  # of the speed of a fall, which is enough if the person then keeps still
STILL, STILL_S = 0.05, 0.8  # a person who moves less than this, in heights, for this long keeps still
BRIEFLY_S = 0.3  # time off the floor after which a person may be getting up
RECOVERED_S = 0.5  # a person who is up for this long did not fall
STOOD_S, SAT_S = 1.0, 3.0  # a fallen person who stands, or sits higher than the floor, for this long got up
MOVED = 0.7  # heights; a person who was lost at the edge of the picture, this far from the fall, left
EDGE = 0.06  # of the picture
BED_MARGIN = 0.15  # heights

Phase: TypeAlias = Literal["suspected", "confirmed", "still_down"]


@dataclass(frozen=True, slots=True)
class OpenFall:
    """A confirmed fall in plain values, to be saved and restored after a restart."""

    id: str
    person: int | None
    started_wall_s: float
    still_down: bool
    place: Position  # where the person lies, frame px
    height_px: float  # of the person while standing
    down_s: float  # how long the person has been on the floor


@dataclass(slots=True, eq=False)
class _Fall:
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


class Falls:
    """Reports falls. `beds` are polygons in fractions of the picture in which lying is normal."""

    def __init__(
        self,
        *,
        confirm_s: float = 2.0,
        still_down_s: float = 30.0,
        clear_s: float = 10.0,
        lost_clear_s: float = 600.0,
        beds: Sequence[Polygon] = (),
    ) -> None:
        self._confirm_s = confirm_s
        self._still_down_s = still_down_s
        self._clear_s = clear_s
        self._lost_clear_s = lost_clear_s
        self._beds = tuple(beds)
        self._traces = Traces()
        self._falls: list[_Fall] = []
        self._saved: list[OpenFall] = []
        self._must_clear = False
        self._now_s = 0.0

    def update(self, moment: Moment) -> list[Event]:
        now_s = self._now_s = moment.now_s
        self._resume(moment)
        self._traces.update(moment, [fall.trace for fall in self._falls])
        events = []
        falling = {id(fall.trace) for fall in self._falls}
        for trace in self._traces.all:
            if id(trace) not in falling and _is_suspicious(trace, now_s) and not self._in_bed(trace, moment):
                fall = _Fall(begin("fall", moment, person=trace.id), trace, trace.place, now_s, now_s)
                self._falls.append(fall)
                events.append(fall.episode.phase("suspected", moment, reasons=_words(fall)))
        for fall in list(self._falls):
            _observe(fall, now_s)
            event = self._next(fall, moment)
            if event:
                events.append(event)
        self._must_clear = False
        return events

    def describe(self, state: State) -> State:
        still_down = [fall.phase == "still_down" for fall in self._falls if fall.phase != "suspected"]
        still_down += [saved.still_down for saved in self._saved]
        return replace(state, fall=bool(still_down), still_down=any(still_down))

    def clear(self) -> None:
        """End all falls with the next frame."""
        self._must_clear = True

    def export(self) -> list[OpenFall]:
        """The falls that are confirmed and not cleared."""
        return [
            OpenFall(
                fall.episode.id,
                fall.episode.person,
                fall.episode.started_wall_s,
                fall.phase == "still_down",
                fall.place,
                fall.trace.height_px or 0.0,
                fall.down_for(self._now_s),
            )
            for fall in self._falls
            if fall.phase != "suspected"
        ] + self._saved

    def restore(self, falls: Sequence[OpenFall]) -> None:
        """Continue falls from before a restart, under their IDs, from the next frame."""
        self._saved = list(falls)

    def _resume(self, moment: Moment) -> None:
        now_s, seen = moment.now_s, moment.seen
        for saved in self._saved:
            lasted_s = max(seen.wall_s - saved.started_wall_s, 0.0)
            episode = Episode("fall", saved.id, saved.started_wall_s, seen.monotonic_s - lasted_s, saved.person)
            trace = Trace(saved.person, now_s)
            trace.place, trace.height_px = saved.place, saved.height_px
            fall = _Fall(episode, trace, saved.place, now_s - saved.down_s, now_s)
            fall.phase, fall.down_since_s = "still_down" if saved.still_down else "confirmed", now_s - saved.down_s
            self._falls.append(fall)
            self._traces.add(trace)
        self._saved = []

    def _next(self, fall: _Fall, moment: Moment) -> Event | None:
        """The phase that a fall enters with this frame."""
        if fall.phase == "suspected":
            reasons = self._why_confirmed(fall, moment)
            if reasons:
                fall.phase = "confirmed"
                confidence = round(min(0.5 * fall.descent.share, 0.99), 2) if fall.descent.share else 0.5
                return fall.episode.phase("confirmed", moment, confidence=confidence, reasons=reasons)
            type_, reasons = "dismissed", self._why_dismissed(fall, moment)
        else:
            down_s = fall.down_for(moment.now_s)
            if fall.phase == "confirmed" and down_s >= self._still_down_s:
                fall.phase = "still_down"
                return fall.episode.phase("still_down", moment, reasons=[f"down for {down_s:.1f} s"])
            type_, reasons = "cleared", self._why_cleared(fall, moment)
        if not reasons:
            return None
        self._falls.remove(fall)
        fall.trace.forget()
        return fall.episode.phase(type_, moment, reasons=reasons)

    def _why_confirmed(self, fall: _Fall, moment: Moment) -> list[str]:
        if self._must_clear or fall.off_floor_s > BRIEFLY_S or self._in_bed(fall.trace, moment):
            return []
        down_s, lost_s = fall.down_for(moment.now_s), moment.now_s - fall.trace.seen_s
        if (fall.is_fast or fall.is_slower_and_still(moment.now_s)) and fall.is_mostly_down:
            return [*_words(fall), f"down for {down_s:.1f} s"] if down_s >= self._confirm_s else []
        if lost_s >= self._confirm_s + LOST_S and (fall.is_fast or fall.lost_falling) and not _left(fall, moment):
            return [*_words(fall), f"not seen for {lost_s:.1f} s after a fast descent"]
        return []

    def _why_dismissed(self, fall: _Fall, moment: Moment) -> list[str]:
        lost_s = moment.now_s - fall.trace.seen_s
        if self._must_clear:
            return ["cleared by request"]
        if fall.risen_s >= RECOVERED_S:
            return [f"up again for {fall.risen_s:.1f} s"]
        if self._in_bed(fall.trace, moment):
            return ["in a bed"]
        if lost_s >= self._confirm_s + LOST_S:
            return [f"not seen for {lost_s:.1f} s"]
        if lost_s < GONE_S and moment.now_s - fall.began_s >= self._confirm_s + PATIENCE_S:
            return [*_words(fall), "not on the floor" if fall.is_fast else "slower than a fall"]
        return []

    def _why_cleared(self, fall: _Fall, moment: Moment) -> list[str]:
        lost_s = moment.now_s - fall.trace.seen_s
        if self._must_clear:
            return ["cleared by request"]
        if fall.stood_s >= STOOD_S or fall.upright_s >= SAT_S:
            return [f"up again for {fall.upright_s:.1f} s"]
        if lost_s >= self._clear_s and _left(fall, moment):
            return ["left over the edge of the picture", f"not seen for {lost_s:.1f} s"]
        return [f"not seen for {lost_s:.0f} s"] if lost_s >= self._lost_clear_s else []

    def _in_bed(self, trace: Trace, moment: Moment) -> bool:
        if not self._beds:
            return False
        size = moment.seen.width, moment.seen.height
        margin_px = BED_MARGIN * (trace.height_px or 0.0)
        return any(distance(in_pixels(bed, *size), trace.place) <= margin_px for bed in self._beds)


def _is_suspicious(trace: Trace, now_s: float) -> bool:
    """Whether a person may have fallen: is on the floor, or was lost on the way."""
    if trace.upright_s < WAS_UPRIGHT_S or now_s - trace.last_upright_s > SOON_S:
        return False
    if trace.seen_s == now_s:
        return trace.is_down
    return now_s - trace.seen_s >= GONE_S and trace.was_lost_falling


def _observe(fall: _Fall, now_s: float) -> None:
    """Note what this frame shows of a person who may have fallen."""
    trace = fall.trace
    step_s, fall.watched_s = min(now_s - fall.watched_s, LONGEST_STEP_S), now_s
    if fall.phase == "suspected" and trace.descents.fastest.share >= fall.descent.share:
        fall.descent = trace.descents.fastest
    if trace.seen_s < now_s:
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


def _left(fall: _Fall, moment: Moment) -> bool:
    """Whether the person was lost at a side of the picture, up or away from the place of the fall."""
    trace, width = fall.trace, moment.seen.width
    at_edge = trace.box.left < EDGE * width or trace.box.right > (1 - EDGE) * width
    moved = math.dist(trace.place, fall.place) > MOVED * (trace.height_px or math.inf)
    return at_edge and (moved or trace.has_risen)


def _words(fall: _Fall) -> list[str]:
    """What is known of a fall, in words with figures."""
    body, descent, words = fall.trace.body, fall.descent, []
    if body and body.lean_deg is not None:
        words.append(f"torso {body.lean_deg:.0f} degrees from upright")
    if descent.share:
        words.append(f"dropped {descent.drop:.1f} body heights in {descent.seconds:.1f} s")
    if fall.trace.shoulders is not None:
        words.append(f"shoulders {max(fall.trace.shoulders, 0.0):.1f} body heights above the floor")
    return words
