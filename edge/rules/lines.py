"""Lines: people cross them, in one direction or the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.geometry import Position, side_of
from edge.rules.episode import OpenEvent, begin
from edge.rules.footing import FORGET_S, Anchor, Footing, Footings, in_pixels
from edge.rules.steady import Steady
from edge.rules.values import Event, Moment, State

# A person has crossed when the feet are beyond the line by MARGIN for STEADY_S, or by CLEAR in one frame, in sizes of
# the person's box. For an adult this is about 13 cm or 40 cm.
MARGIN, CLEAR = 0.08, 0.25
STEADY_S = 0.2


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow on the picture. Crossing it from its left to its right, as you look along it, is "in"."""

    name: str
    start: Position  # in fractions of the frame, from the left and from the top
    end: Position


@dataclass(slots=True)
class _Path:
    """A person and a line."""

    anchor: Anchor
    position: Position  # the last one, px
    right: Steady  # whether the person is on the right of the line
    seen_s: float
    along: float = 0.0  # where the path last met the line through both points: 0 = start, 1 = end


class Lines:
    """Reports each crossing as one event. A person lost on the way is assumed to have gone straight on."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = tuple(lines)
        self._footings = Footings(hidden_s=FORGET_S)  # feet that come and go must not jump over a line
        self._paths: dict[tuple[int, str], _Path] = {}

    def use(self, lines: Sequence[Line]) -> None:
        """Watch these lines from the next frame on. People on their way over a line that stays are remembered."""
        kept = {line.name for line in lines if line in self._lines}
        self._paths = {key: path for key, path in self._paths.items() if key[1] in kept}
        self._lines = tuple(lines)

    def update(self, moment: Moment) -> list[Event]:
        events = []
        seen, now_s = moment.seen, moment.now_s
        for subject, footing in zip(moment.subjects, self._footings.update(moment), strict=True):
            for line in self._lines:
                start, end = in_pixels((line.start, line.end), seen.width, seen.height)
                key = (subject.id, line.name)
                beyond = side_of(start, end, footing.position) / subject.person.box.size_px
                path = self._paths.get(key)
                if path is None or path.anchor != footing.anchor:
                    self._paths[key] = _Path(footing.anchor, footing.position, Steady(answer=beyond > 0), now_s)
                elif _crosses(path, footing, beyond, (start, end), now_s):
                    type_ = "crossed_in" if path.right.answer else "crossed_out"
                    side = "right" if path.right.answer else "left"
                    reason = f"{footing.anchor} {abs(beyond):.2f} body sizes beyond the line, on its {side}"
                    episode = begin("line", moment, person=subject.id, zone=line.name)
                    events.append(episode.phase(type_, moment, reasons=[reason]))
        self._paths = {key: path for key, path in self._paths.items() if now_s - path.seen_s <= FORGET_S}
        return events

    def describe(self, state: State) -> State:
        return state

    def open(self) -> list[OpenEvent]:
        return []  # a crossing is a single event

    def end(self, moment: Moment, reasons: Iterable[str]) -> list[Event]:  # noqa: ARG002 - the interface
        return []


def _crosses(path: _Path, footing: Footing, beyond: float, line: tuple[Position, Position], now_s: float) -> bool:
    """Continue a path; whether the person has just crossed the line. `beyond` is positive on its right."""
    before, after = side_of(*line, path.position), side_of(*line, footing.position)
    if (before > 0) != (after > 0):
        path.along = _along(*line, path.position, footing.position, before / (before - after))
    path.position, path.seen_s = footing.position, now_s
    was_right = path.right.answer
    is_right = beyond > 0 if abs(beyond) > MARGIN else was_right
    changed = path.right.update(is_right, now_s, 0.0 if abs(beyond) > CLEAR else STEADY_S) != was_right
    return changed and 0 <= path.along <= 1


def _along(start: Position, end: Position, before: Position, after: Position, share: float) -> float:
    """Where the point at `share` of the way from `before` to `after` is: 0 at `start`, 1 at `end`."""
    x, y = (a + share * (b - a) for a, b in zip(before, after, strict=True))
    dx, dy = end[0] - start[0], end[1] - start[1]
    return ((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy)
