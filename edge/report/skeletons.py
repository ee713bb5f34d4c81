"""Draw strips of small skeletons: what happened around an event, without any picture."""

from collections.abc import Collection, Sequence
from datetime import tzinfo
from typing import TypeAlias

from edge.config import Line, Zone
from edge.report.collect import Occurrence, Watched
from edge.report.days import local
from edge.report.markup import Html, el, join, num
from edge.report.strips import Panel, Strip
from edge.skeleton import BONES
from edge.types import Box, Person, box_around

MARGIN = 1.25  # of the space around the people
WIDEST = 1.5  # the space is at most this much larger than the largest person
AFTER_S = 5.0  # later frames show where the person went, and do not decide about the space
HEAD = 0.07  # radius of a head, as a share of the person
FACE = range(5)
SHOULDERS, HIPS = (5, 6), (11, 12)

Crop: TypeAlias = tuple[float, float, float]  # left, top and side, frame px


def strip(one: Occurrence, watched: Watched, zone: tzinfo | None) -> Html | None:
    """The skeletons of an event, each with its time; None if no frames were kept."""
    if one.strip is None or not one.strip.panels:
        return None
    crops = _crops(one.strip, one.persons)
    zones = [found for found in watched.zones if found.name == one.first.zone or found.kind == "bed"]
    places: list[Zone | Line] = [*zones, *(found for found in watched.lines if found.name == one.first.zone)]
    items = [
        el(
            "li",
            _panel(panel, crop, one.persons, (one.strip.width, one.strip.height), places),
            el("b", _offset(panel.offset_s)),
            el("time", local(panel.wall_s, zone).strftime("%H:%M:%S.%f")[:-5]),
            el("span", _posture(panel, one.persons), class_="posture"),
            class_=None if _box(panel, one.persons) else "missed",
        )
        for panel, crop in zip(one.strip.panels, crops, strict=True)
    ]
    return el("ol", items, class_="strip" if len(items) > 3 else "strip short")


def _offset(offset_s: float) -> str:
    # A real minus sign.
    return "0 s" if abs(offset_s) < 0.05 else f"{offset_s:+.1f} s".replace("-", "\N{MINUS SIGN}")


def _posture(panel: Panel, persons: Collection[int]) -> str:
    """The posture of the person whose event it is."""
    known = [posture for id_, posture in panel.postures.items() if id_ in persons]
    if not any(one.id in persons for one in panel.people):
        return "not detected"
    return known[0] if known and known[0] != "unknown" else "not clear"


def _crops(strip: Strip, persons: Collection[int]) -> list[Crop]:
    """What each panel shows: the same space for all of them, except where the person moved away from it."""
    boxes = [_box(panel, persons) for panel in strip.panels]
    near = [box for panel, box in zip(strip.panels, boxes, strict=True) if box and panel.offset_s < AFTER_S]
    near = near or [box for box in boxes if box]
    if not near:
        side = float(max(strip.width, strip.height))
        return [((strip.width - side) / 2, (strip.height - side) / 2, side)] * len(boxes)
    around = _around(near)
    common = _square(around, MARGIN * max(around.width, around.height))
    largest = MARGIN * WIDEST * max(max(box.width, box.height) for box in near)
    if common[2] <= largest:
        return [common if box is None or _fits(box, common) else _own(box, common[2]) for box in boxes]
    crops, last = [], near[0]
    for box in boxes:
        last = box or last
        crops.append(_own(last, largest))
    return crops


def _around(boxes: Sequence[Box]) -> Box:
    return box_around(corner for box in boxes for corner in (box[:2], box[2:]))


def _fits(box: Box, crop: Crop) -> bool:
    left, top, side = crop
    return left <= box.left and top <= box.top and box.right <= left + side and box.bottom <= top + side


def _own(box: Box, side: float) -> Crop:
    """A space around one box only, of this size at least."""
    return _square(box, max(side, MARGIN * max(box.width, box.height)))


def _box(panel: Panel, persons: Collection[int]) -> Box | None:
    boxes = [one.box for one in panel.people if one.id in persons]
    return _around(boxes) if boxes else None


def _square(box: Box, side: float) -> Crop:
    side = max(side, 1.0)
    return (box.left + box.right - side) / 2, (box.top + box.bottom - side) / 2, side


def _panel(
    panel: Panel, crop: Crop, persons: Collection[int], size: tuple[int, int], places: Sequence[Zone | Line]
) -> Html:
    left, top, side = crop
    ordered = sorted(panel.people, key=lambda one: one.id in persons)
    return el(
        "svg",
        el("rect", x=-0.5, y=-0.5, width=size[0], height=size[1], class_="floor"),
        [_outline(place, size) for place in places],
        [_skeleton(person, side / 100, own=person.id in persons) for person in ordered],
        viewBox=" ".join(map(num, (left, top, side, side))),
        aria_hidden="true",
    )


def _outline(place: Zone | Line, size: tuple[int, int]) -> Html:
    points = place.points if isinstance(place, Zone) else (place.start, place.to)
    corners = "L".join(f"{num(x * size[0])} {num(y * size[1])}" for x, y in points)
    kind = place.kind if isinstance(place, Zone) else "line"
    return el("path", d=f"M{corners}{'Z' if isinstance(place, Zone) else ''}", class_=f"outline {kind}")


def _skeleton(person: Person, unit: float, *, own: bool) -> Html:
    """A person; the left side has another colour than the right one. `unit` is a hundredth of the panel."""
    points = [None if point is None else (point.x, point.y) for point in person.keypoints]
    paths = {"middle": "", "left": "", "right": ""}
    for a, b in BONES:
        start, end = points[a], points[b]
        if start and end and b not in FACE:
            paths[_side(a, b)] += f"M{num(start[0])} {num(start[1])}L{num(end[0])} {num(end[1])}"
    face = [point for point in (points[index] for index in FACE) if point]
    head = trunk = None
    if face:
        x, y = sum(one[0] for one in face) / len(face), sum(one[1] for one in face) / len(face)
        radius = max(HEAD * max(person.box.width, person.box.height), 2.5 * unit)
        shoulders = [point for point in (points[index] for index in SHOULDERS) if point]
        if len(shoulders) == len(SHOULDERS):
            middle = (shoulders[0][0] + shoulders[1][0]) / 2, (shoulders[0][1] + shoulders[1][1]) / 2
            paths["middle"] += f"M{num(x)} {num(y)}L{num(middle[0])} {num(middle[1])}"
        head = el("circle", cx=x, cy=y, r=radius, class_="head")
    corners = [point for point in (points[index] for index in (*SHOULDERS, *reversed(HIPS))) if point]
    if len(corners) == len(SHOULDERS) + len(HIPS):
        trunk = el("path", d="M" + "L".join(f"{num(x)} {num(y)}" for x, y in corners) + "Z", class_="trunk")
    limbs = [el("path", d=d, class_=side) for side, d in paths.items() if d]
    return el("g", join([trunk, *limbs, head]), class_="person" if own else "person other", stroke_width=3 * unit)


def _side(a: int, b: int) -> str:
    """COCO's odd indices are on the person's left. Bones of the trunk that join both sides are in the middle."""
    if a % 2 != b % 2:
        return "middle"
    return "left" if a % 2 else "right"
