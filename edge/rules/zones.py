"""Zones: people enter, leave and stay in parts of the picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from edge.geometry import Polygon, distance
from edge.rules.episode import Episode, OpenEvent, begin
from edge.rules.footing import FORGET_S, Footing, Footings, in_pixels
from edge.rules.steady import Steady
from edge.rules.values import Event, Moment, State, ZoneState

HIDDEN_S = 2.0  # feet that are hidden for no longer than this are still assumed below the hips
STEADY_S = 0.3  # a person must be inside or outside for this long
# A person who is inside must get this far outside to leave, in sizes of the person's box: about 8 cm for an adult.
MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the picture."""

    name: str
    points: Polygon  # corners in fractions of the frame, from the left and from the top
    loitering_s: float = 0.0  # after how long a visit counts as loitering; 0: never


@dataclass(slots=True)
class _Visitor:
    """A person and a zone."""

    inside: Steady = field(default_factory=Steady)
    footing: str = ""  # what stands for the person, and how far it is outside
    seen_s: float = 0.0
    visit: Episode | None = None
    entered_s: float = 0.0
    loitered: bool = False


class Zones:
    """Locates people in zones, and reports visits. A person who is lost leaves after `leave_s`."""

    def __init__(self, zones: Sequence[Zone], *, leave_s: float) -> None:
        self._zones = tuple(zones)
        self.leave_s = leave_s
        self._footings = Footings(hidden_s=HIDDEN_S)
        self._visitors: dict[tuple[int, str], _Visitor] = {}
        self._occupied_since_s: dict[str, float] = {}
        self._now_s = 0.0

    def use(self, zones: Sequence[Zone]) -> list[tuple[OpenEvent, str]]:
        """Locate people in these zones from the next frame on.

        Visits to zones with the same name and corners go on. Returns the others, which end, with the reason.
        """
        corners = {zone.name: zone.points for zone in zones}
        kept = {zone.name for zone in self._zones if corners.get(zone.name) == zone.points}
        ended = [
            (OpenEvent(visitor.visit, "left"), "zone changed" if name in corners else "zone removed")
            for (_, name), visitor in self._visitors.items()
            if visitor.visit and name not in kept
        ]
        self._zones = tuple(zones)
        self._visitors = {key: visitor for key, visitor in self._visitors.items() if key[1] in kept}
        self._occupied_since_s = {name: since_s for name, since_s in self._occupied_since_s.items() if name in kept}
        return ended

    def locate(self, moment: Moment) -> list[tuple[str, ...]]:
        """The zones of each subject."""
        seen = moment.seen
        polygons = {zone.name: in_pixels(zone.points, seen.width, seen.height) for zone in self._zones}
        located = []
        for subject, footing in zip(moment.subjects, self._footings.update(moment), strict=True):
            names = []
            for name, polygon in polygons.items():
                visitor = self._visitors.setdefault((subject.id, name), _Visitor())
                if _is_inside(visitor, polygon, footing, subject.person.box.size_px, moment.now_s):
                    names.append(name)
            located.append(tuple(names))
        return located

    def update(self, moment: Moment) -> list[Event]:
        events = []
        subjects = {subject.id: subject for subject in moment.subjects}
        now_s = self._now_s = moment.now_s
        loitering_s = {zone.name: zone.loitering_s for zone in self._zones}
        for (id_, name), visitor in self._visitors.items():
            subject = subjects.get(id_)
            if subject:
                visitor.seen_s = now_s
            if visitor.visit is None:
                if subject and name in subject.zones:
                    visitor.visit, visitor.entered_s = begin("zone", moment, person=id_, zone=name), now_s
                    visitor.loitered = False
                    events.append(visitor.visit.phase("entered", moment, reasons=[visitor.footing]))
            elif reason := self._reason_to_leave(visitor, name, subject.zones if subject else None):
                events.append(visitor.visit.phase("left", moment, reasons=[reason]))
                visitor.visit = None
            elif subject and not visitor.loitered and 0 < loitering_s[name] <= now_s - visitor.entered_s:
                visitor.loitered = True
                reason = f"in the zone for {now_s - visitor.entered_s:.1f} s"
                events.append(visitor.visit.phase("loitering", moment, reasons=[reason]))
        self._forget(now_s)
        return events

    def describe(self, state: State) -> State:
        zones = {}
        for zone in self._zones:
            since_s = self._occupied_since_s.get(zone.name)
            zones[zone.name] = ZoneState(
                occupied=since_s is not None,
                people=sum(zone.name in person.zones for person in state.persons),
                dwell_s=0.0 if since_s is None else round(self._now_s - since_s, 1),
            )
        return replace(state, zones=zones)

    def open(self) -> list[OpenEvent]:
        return [OpenEvent(visitor.visit, "left") for visitor in self._visitors.values() if visitor.visit]

    def end(self, moment: Moment, reasons: Iterable[str]) -> list[Event]:
        events = [one.end(moment, reasons) for one in self.open()]
        self._visitors, self._occupied_since_s = {}, {}
        return events

    def _reason_to_leave(self, visitor: _Visitor, name: str, zones: tuple[str, ...] | None) -> str:
        """Why a visit ends; empty if it goes on. `zones` is None if the person is out of view."""
        if zones is not None:
            return "" if name in zones else visitor.footing
        unseen_s = self._now_s - visitor.seen_s
        return f"not seen for {unseen_s:.1f} s" if unseen_s >= self.leave_s else ""

    def _forget(self, now_s: float) -> None:
        self._visitors = {
            key: visitor
            for key, visitor in self._visitors.items()
            if visitor.visit is not None or now_s - visitor.seen_s <= FORGET_S
        }
        occupied = {name for (_, name), visitor in self._visitors.items() if visitor.visit is not None}
        self._occupied_since_s = {name: self._occupied_since_s.get(name, now_s) for name in occupied}


def _is_inside(visitor: _Visitor, polygon: Polygon, footing: Footing, size_px: float, now_s: float) -> bool:
    outside = distance(polygon, footing.position) / size_px
    where = f"{outside:.2f} body sizes outside" if outside else "inside"
    visitor.footing = f"{footing.anchor} {where} for at least {STEADY_S} s"
    return visitor.inside.update(outside <= (MARGIN if visitor.inside.answer else 0.0), now_s, STEADY_S)
