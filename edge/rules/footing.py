"""Where people stand on the picture, for zones and lines."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.geometry import Position
from edge.rules.values import Moment, Subject

FORGET_S = 60.0  # how long an absent person is remembered

Anchor: TypeAlias = Literal["feet", "hips", "box"]


@dataclass(frozen=True, slots=True)
class Footing:
    """The point that stands for a person in zones and at lines, frame px, inside the frame."""

    position: Position
    anchor: Anchor  # the part of the person that it was taken from


@dataclass(frozen=True, slots=True)
class _Stance:
    """The last visible feet of a person."""

    offset: Position  # from the hips to the feet, px
    seen_s: float


class Footings:
    """The footing of each person: the feet; the hips, if the feet are hidden or the person lies; otherwise the box.

    Feet that are hidden for no longer than `hidden_s` are assumed to be below the hips as before.
    """

    def __init__(self, *, hidden_s: float) -> None:
        self._hidden_s = hidden_s
        self._stances: dict[int, _Stance] = {}

    def update(self, moment: Moment) -> list[Footing]:
        """The footings in the order of `moment.subjects`."""
        now_s = moment.now_s
        if len(self._stances) > len(moment.subjects):
            self._stances = {id_: one for id_, one in self._stances.items() if now_s - one.seen_s <= FORGET_S}
        right, bottom = moment.seen.width - 1, moment.seen.height - 1
        found = []
        for subject in moment.subjects:
            (x, y), anchor = self._find(subject, now_s)
            found.append(Footing((min(max(x, 0.0), right), min(max(y, 0.0), bottom)), anchor))
        return found

    def _find(self, subject: Subject, now_s: float) -> tuple[Position, Anchor]:
        feet, hips, box = subject.body.feet, subject.body.hips, subject.person.box
        if subject.posture == "lying":
            # A person lies where the trunk is: the feet may reach out of a bed.
            return (hips, "hips") if hips else (((box.left + box.right) / 2, (box.top + box.bottom) / 2), "box")
        if feet:
            if hips:
                self._stances[subject.id] = _Stance((feet[0] - hips[0], feet[1] - hips[1]), now_s)
            return feet, "feet"
        if hips:
            stance = self._stances.get(subject.id)
            if stance and now_s - stance.seen_s <= self._hidden_s:
                return (hips[0] + stance.offset[0], hips[1] + stance.offset[1]), "feet"
            return hips, "hips"
        return ((box.left + box.right) / 2, box.bottom), "box"


def in_pixels(points: Iterable[Position], width: int, height: int) -> list[Position]:
    """Fractions of the frame in px. Pixel centres have integer coordinates, so the frame begins at -0.5."""
    return [(x * width - 0.5, y * height - 0.5) for x, y in points]
