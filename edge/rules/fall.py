"""Falls: a person who was upright reaches the floor fast, and stays there."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge.geometry import Polygon, distance
from edge.rules.episode import OpenEvent, begin
from edge.rules.falling import Fall, OpenFall, has_left, in_words, observe, resumed
from edge.rules.footing import in_pixels
from edge.rules.trace import Trace
from edge.rules.traces import Traces
from edge.rules.values import Event, Moment, State

WAS_UPRIGHT_S = 0.15  # a person must have been upright for this long to fall
SOON_S = 10.0  # a person is on the floor at most this long after being upright, to have got down there
GONE_S = 0.3  # time without a detection until a person counts as lost
LOST_S = 2.0  # added to `confirm_s` for a person who was lost on the way down
UNSEEN_S = 10.0  # in a longer time without frames, a person may get down at any speed
PATIENCE_S = 4.0  # how much longer than `confirm_s` a suspicion lasts
BRIEFLY_S = 0.3  # time off the floor after which a person may be getting up
RECOVERED_S = 0.5  # a person who is up for this long did not fall
STOOD_S, SAT_S = 1.0, 3.0  # a fallen person who stands, or sits higher than the floor, for this long got up
BED_MARGIN = 0.15  # heights


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
        self.confirm_s = confirm_s
        self._still_down_s = still_down_s
        self._clear_s = clear_s
        self._lost_clear_s = lost_clear_s
        self.beds = tuple(beds)
        self._traces = Traces()
        self._falls: list[Fall] = []
        self._saved: list[OpenFall] = []
        self._now_s = self._monotonic_s = 0.0  # of the last frame

    def update(self, moment: Moment) -> list[Event]:
        if moment.seen.monotonic_s - self._monotonic_s > UNSEEN_S:
            self._forget_descents()
        now_s = self._now_s = moment.now_s
        self._monotonic_s = moment.seen.monotonic_s
        self._resume(moment)
        self._traces.update(moment, [fall.trace for fall in self._falls])
        events = []
        falling = {id(fall.trace) for fall in self._falls}
        for trace in self._traces.all:
            if id(trace) not in falling and _is_suspicious(trace, now_s) and not self._in_bed(trace, moment):
                fall = Fall(begin("fall", moment, person=trace.id), trace, trace.place, now_s, now_s)
                self._falls.append(fall)
                events.append(fall.episode.phase("suspected", moment, reasons=in_words(fall)))
        for fall in list(self._falls):
            observe(fall, now_s)
            event = self._next(fall, moment)
            if event:
                events.append(event)
        return events

    def describe(self, state: State) -> State:
        still_down = [fall.phase == "still_down" for fall in self._falls if fall.phase != "suspected"]
        still_down += [saved.still_down for saved in self._saved]
        return replace(state, fall=bool(still_down), still_down=any(still_down))

    def clear(self) -> list[OpenEvent]:
        """Forget the confirmed falls, and return them as events to end. A suspected one may be of another person."""
        cleared = [replace(one, resumes=False) for one in self.open() if one.resumes]
        for fall in self._falls:
            if fall.phase != "suspected":
                fall.trace.forget()
        self._falls = [fall for fall in self._falls if fall.phase == "suspected"]
        self._saved = []
        return cleared

    def open(self) -> list[OpenEvent]:
        saved = [OpenEvent(one.episode, "cleared", resumes=True) for one in self._saved]
        return [*map(_open, self._falls), *saved]

    def end(self, moment: Moment, reasons: Iterable[str]) -> list[Event]:  # noqa: ARG002 - no fall ends
        """Keep all falls: the person may still be on the floor when the picture is back."""
        return []

    def export(self) -> list[OpenFall]:
        """The falls that are confirmed and not cleared."""
        confirmed = [fall for fall in self._falls if fall.phase != "suspected"]
        return [fall.exported(self._now_s, self._monotonic_s) for fall in confirmed] + self._saved

    def restore(self, falls: Sequence[OpenFall]) -> None:
        """Continue falls from before a restart, under their IDs, from the next frame."""
        self._saved = list(falls)

    def _forget_descents(self) -> None:
        """Forget how people moved before a long time without frames, except for those who were dropping fast."""
        falling = [fall.trace for fall in self._falls]
        for trace in self._traces.all:
            if trace not in falling and not trace.was_lost_falling:
                trace.descents.clear()

    def _resume(self, moment: Moment) -> None:
        for saved in self._saved:
            fall = resumed(saved, moment, self._still_down_s)
            self._falls.append(fall)
            self._traces.add(fall.trace)
        self._saved = []

    def _next(self, fall: Fall, moment: Moment) -> Event | None:
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

    def _why_confirmed(self, fall: Fall, moment: Moment) -> list[str]:
        if fall.off_floor_s > BRIEFLY_S or self._in_bed(fall.trace, moment):
            return []
        down_s, lost_s = fall.down_for(moment.now_s), moment.now_s - fall.trace.seen_s
        if (fall.is_fast or fall.is_slower_and_still(moment.now_s)) and fall.is_mostly_down:
            return [*in_words(fall), f"down for {down_s:.1f} s"] if down_s >= self.confirm_s else []
        if lost_s >= self.confirm_s + LOST_S and (fall.is_fast or fall.lost_falling) and not has_left(fall, moment):
            return [*in_words(fall), f"not seen for {lost_s:.1f} s after a fast descent"]
        return []

    def _why_dismissed(self, fall: Fall, moment: Moment) -> list[str]:
        lost_s = moment.now_s - fall.trace.seen_s
        if fall.risen_s >= RECOVERED_S:
            return [f"up again for {fall.risen_s:.1f} s"]
        if self._in_bed(fall.trace, moment):
            return ["in a bed"]
        if lost_s >= self.confirm_s + LOST_S:
            return [f"not seen for {lost_s:.1f} s"]
        if lost_s < GONE_S and moment.now_s - fall.began_s >= self.confirm_s + PATIENCE_S:
            return [*in_words(fall), "not on the floor" if fall.is_fast else "slower than a fall"]
        return []

    def _why_cleared(self, fall: Fall, moment: Moment) -> list[str]:
        lost_s = moment.now_s - fall.trace.seen_s
        if fall.stood_s >= STOOD_S or fall.upright_s >= SAT_S:
            return [f"up again for {fall.upright_s:.1f} s"]
        if lost_s >= self._clear_s and has_left(fall, moment):
            return ["left over the edge of the picture", f"not seen for {lost_s:.1f} s"]
        return [f"not seen for {lost_s:.0f} s"] if lost_s >= self._lost_clear_s else []

    def _in_bed(self, trace: Trace, moment: Moment) -> bool:
        if not self.beds:
            return False
        size = moment.seen.width, moment.seen.height
        margin_px = BED_MARGIN * (trace.height_px or 0.0)
        return any(distance(in_pixels(bed, *size), trace.place) <= margin_px for bed in self.beds)


def _open(fall: Fall) -> OpenEvent:
    if fall.phase == "suspected":
        return OpenEvent(fall.episode, "dismissed")
    return OpenEvent(fall.episode, "cleared", resumes=True)


def _is_suspicious(trace: Trace, now_s: float) -> bool:
    """Whether a person may have fallen: is on the floor, or was lost on the way."""
    if trace.upright_s < WAS_UPRIGHT_S or now_s - trace.last_upright_s > SOON_S:
        return False
    if trace.seen_s == now_s:
        return trace.is_down
    return now_s - trace.seen_s >= GONE_S and trace.was_lost_falling
