"""Keep the few frames around each event that its strip of skeletons shows."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.rules.values import Event, Posture, State
from edge.types import Observation, Person

NEAR_S = 0.5  # a frame this far from the wanted time still shows it
BEFORE_S = 3.0  # how long frames are kept for events that may begin


@dataclass(frozen=True, slots=True)
class Plan:
    """Which frames a strip shows, in seconds from the frame in which the event began."""

    offsets: tuple[float, ...]
    with_end: bool = False  # whether the frame in which the event ends is the last one


SHORT = Plan((-0.8, 0.0, 0.8))
# A fall is suspected when the person is on the floor, so most frames are from before.
PLANS = {
    "fall": Plan((-2.4, -1.2, -0.8, -0.4, 0.0, 1.0, 2.5), with_end=True),
    "gesture": SHORT,
    "line": SHORT,
    "zone": SHORT,
}
ENDS = {"dismissed", "cleared"}
MOST_STRIPS = {"fall": 60, "gesture": 36, "line": 36, "zone": 36}  # strips per rule in a day, at most


@dataclass(frozen=True, slots=True)
class Panel:
    """One frame of a strip."""

    offset_s: float  # from the beginning of the event
    wall_s: float
    people: tuple[Person, ...]
    postures: Mapping[int, Posture]  # by ID


@dataclass(slots=True)
class Strip:
    """The frames of one event, in order."""

    width: int  # of the frames, px
    height: int
    panels: list[Panel] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A strip that waits for frames."""

    strip: Strip
    started_s: float  # on the clock that never jumps
    waiting: list[float]  # offsets, in order
    with_end: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    seen: Observation
    postures: Mapping[int, Posture]


class Strips:
    """Fills strips while frames pass. It keeps the frames of the last BEFORE_S only."""

    def __init__(self) -> None:
        self._recent: deque[_Seen] = deque()
        self._open: dict[str, _Open] = {}  # by ID of the event

    def frame(self, seen: Observation, state: State) -> None:
        """Add a frame. Events that begin with it follow."""
        now_s = seen.monotonic_s
        current = _Seen(seen, {one.id: one.posture for one in state.persons})
        self._recent.append(current)
        while self._recent[0].seen.monotonic_s < now_s - BEFORE_S:
            self._recent.popleft()
        for key, one in list(self._open.items()):
            at_s = round(now_s - one.started_s, 3)
            while one.waiting and at_s >= one.waiting[0]:
                if at_s - one.waiting.pop(0) <= NEAR_S:
                    _show(one, current)
            if not one.waiting and not one.with_end:
                del self._open[key]

    def begin(self, event: Event) -> Strip | None:
        """The strip of an event that began with the last frame; None if its rule has none."""
        plan = PLANS.get(event.rule)
        if plan is None or not self._recent:
            return None
        now = self._recent[-1].seen
        strip = Strip(now.width, now.height)
        one = _Open(strip, now.monotonic_s, [offset for offset in plan.offsets if offset > 0], plan.with_end)
        for offset in plan.offsets:
            if offset <= 0:
                near = min(self._recent, key=lambda past: abs(past.seen.monotonic_s - now.monotonic_s - offset))
                if abs(near.seen.monotonic_s - now.monotonic_s - offset) <= NEAR_S:
                    _show(one, near)
        self._open[event.id] = one
        return strip

    def end(self, event: Event) -> None:
        """Add the frame in which an event ends to its strip."""
        one = self._open.get(event.id)
        if one and one.with_end and self._recent:
            _show(one, self._recent[-1])
            one.with_end = False

    def lost(self) -> None:
        """No frame follows for a while: all strips end here, except those that wait for the end of their event."""
        self._recent.clear()
        self._open = {key: one for key, one in self._open.items() if one.with_end}
        for one in self._open.values():
            one.waiting.clear()

    def forget(self) -> None:
        """Another run of the service follows, with a different monotonic clock."""
        self._recent.clear()
        self._open = {}


def _show(one: _Open, shown: _Seen) -> None:
    """Add a frame to a strip, once."""
    offset_s = round(shown.seen.monotonic_s - one.started_s, 3)
    panels = one.strip.panels
    if all(panel.offset_s != offset_s for panel in panels):
        panels.append(Panel(offset_s, shown.seen.wall_s, shown.seen.people, shown.postures))
        panels.sort(key=lambda panel: panel.offset_s)
