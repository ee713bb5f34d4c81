"""Verdicts that help a person aim the camera, from the people of the last minute.

A verdict needs a few seconds of evidence. It is based on the newest eight seconds in which anything like a person was
in view, so it follows within seconds when the camera is turned, and stays while the room is empty.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge.geometry import Position
from edge.people.evidence import NEW, UNCONFIRMED
from edge.people.observing import rounded
from edge.rules.framing import Direction, Framing
from edge.types import Observation, Rejected, Track

MEMORY_S = 60.0
SLICE_S = 0.5  # frames are summed up over this time
EVIDENCE_S = 8.0  # how much of the newest time with people counts
MIN_EVIDENCE_S, MIN_WALK_S = 3.0, 1.5
# A gap between two frames counts as this much evidence, because people may have come and gone in it; and as this much
# watching: in idle mode, frames come more rarely.
LONGEST_STEP_S, LONGEST_WATCH_S = 0.5, 3.0
APPEARS, DISAPPEARS = 0.5, 0.35  # shares of the evidence
TURNED_APPEARS, TURNED_DISAPPEARS = 0.6, 0.4  # shares of the poses that are not upright
# A lying person does not move so far across the axis of the body in so short a time; the trunk of a falling person
# comes down by 0.6 heights.
WALKED, WALK_S = 0.8, 10.0  # heights
STRIDE = 0.5  # heights; a person does not move farther between two frames
MOST_POSES = 20  # per frame
MOST_VERDICTS = 3

Level: TypeAlias = Literal["good", "hint", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence about the aim of the camera, and one about what to do."""

    code: str
    level: Level
    text: str
    remedy: str


_ALL = (
    Verdict("starting", "hint", "The camera is starting.", "Wait a few seconds."),
    Verdict("stalled", "bad", "The camera delivers no frames.", "Check its cable and its power supply."),
    Verdict(
        "blind", "bad", "Nothing can be seen in the picture.",
        "Uncover the lens, switch on the light, or turn the camera away from a bare wall.",
    ),
    Verdict("off", "hint", "The camera is switched off.", "Switch it on at the top of the page."),
    Verdict(
        "no_people", "hint", "No person is detected.",
        "Walk through the room, near the camera at first. If that changes nothing, check that the camera is the right "
        "way up, that the room is lit, and that people are in the middle of the picture.",
    ),
    Verdict(
        "too_little", "hint", "People were visible too briefly to judge the picture.",
        "Walk through the room for ten seconds, so that the camera sees you from head to foot.",
    ),
    Verdict(
        "upside_down", "bad", "The picture is upside down.", "Turn the camera over, or add 180 to camera.rotation.",
    ),
    Verdict(
        "turned_left", "bad", "The picture lies on its side: heads point to the left.",
        "Rotate the camera a quarter turn until heads point up, or add 90 to camera.rotation (270 if the picture is "
        "then upside down).",
    ),
    Verdict(
        "turned_right", "bad", "The picture lies on its side: heads point to the right.",
        "Rotate the camera a quarter turn until heads point up, or add 270 to camera.rotation (90 if the picture is "
        "then upside down).",
    ),
    Verdict(
        "small", "bad", "People look too small: less than an eighth of the picture's height.",
        "Move the camera closer to where people are, or zoom in.",
    ),
    Verdict("too_close", "bad", "People do not fit into the picture.", "Move the camera farther away from them."),
    Verdict("feet_cut", "bad", "Feet are below the picture.", "Tilt the camera down until the feet are visible."),
    Verdict("head_cut", "bad", "Heads are above the picture.", "Tilt the camera up until the heads are visible."),
    Verdict("left_cut", "hint", "People are cut off at the left edge.", "Turn the camera towards them."),
    Verdict("right_cut", "hint", "People are cut off at the right edge.", "Turn the camera towards them."),
    Verdict(
        "unsure", "hint", "The sensor is unsure about most people.",
        "Switch on more light, avoid a bright window behind people, clean the lens, or move the camera closer.",
    ),
    Verdict(
        "feet_hidden", "hint", "Feet are hidden, perhaps behind furniture.",
        "Mount the camera higher, or where furniture does not hide the floor.",
    ),
    Verdict(
        "lying", "hint", "People seem to be lying down, or the picture is not the right way up.",
        "If they are standing, rotate the camera until heads point up. If they are lying, wait until they get up.",
    ),
    Verdict(
        "partly", "hint", "People are often visible only in part.",
        "Turn the camera towards the place where people are most of the time, or move it back.",
    ),
    Verdict("good", "good", "People are visible from head to foot.", "No change is needed."),
)  # fmt: skip
VERDICTS = {verdict.code: verdict for verdict in _ALL}  # the most important ones first
_CAMERA = ("starting", "stalled", "blind", "off")
_TURNED: dict[Direction, str] = {"down": "upside_down", "left": "turned_left", "right": "turned_right"}
_CUTS = ("feet_cut", "head_cut", "left_cut", "right_cut")
_PARTS = {"too_close": _CUTS}


@dataclass(slots=True)
class _Slice:
    """Half a second of frames."""

    start_s: float
    watched_s: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)  # of all people together, except "occupied"

    def add(self, key: str, step_s: float) -> None:
        self.seconds[key] = self.seconds.get(key, 0.0) + step_s


@dataclass(slots=True)
class _Path:
    """How far a person whose head does not point up has moved across the axis of the body, px.

    Such a person often gets no ID, or a new one: a path continues with the nearest pose.
    """

    direction: Direction
    start_s: float
    seen_s: float
    place: Position  # of the trunk, when last seen
    low: float
    high: float


class Aim:
    """Judges how people appear in the picture.

    Times are those of the frames. If they go back, everything earlier is forgotten.
    """

    def __init__(self) -> None:
        self._slices: deque[_Slice] = deque()
        self._paths: list[_Path] = []
        self._last_s = -math.inf
        self._shown: set[str] = set()
        self._judged_s, self._judged_at_s = math.nan, math.nan  # newest frame at the last verdict, and when that was

    @property
    def watched_s(self) -> float:
        """How much of the last minute before the newest frame was watched."""
        return sum(one.watched_s for one in self._slices)

    def observe(self, seen: Observation, rejected: Sequence[Rejected]) -> None:
        """Add a frame."""
        now_s = seen.monotonic_s
        if now_s < self._last_s:
            self._slices.clear()
            self._paths.clear()
            self._last_s = now_s
        gap_s = now_s - self._last_s if self._slices else 0.0
        self._last_s = now_s
        self._forget(now_s)
        if not self._slices or now_s - self._slices[-1].start_s >= SLICE_S:
            self._slices.append(_Slice(now_s))
            self._paths = [path for path in self._paths[-MOST_POSES:] if now_s - path.start_s <= WALK_S]
        part, step_s = self._slices[-1], min(gap_s, LONGEST_STEP_S)
        part.watched_s += min(gap_s, LONGEST_WATCH_S)
        doubtful = [rounded(Track(None, one.pose, 0.0, 0.0)) for one in rejected if one.reason in {NEW, UNCONFIRMED}]
        people = seen.people[:MOST_POSES]
        doubtful = doubtful[: MOST_POSES - len(people)]
        if people or doubtful:
            part.add("occupied", step_s)
        for person in people:
            framing = Framing(person, seen.width, seen.height)
            for fact in framing.facts:
                part.add(fact, step_s)
            part.add("reported", step_s)
            self._add_pose(part, framing, step_s)
        for person in doubtful:
            self._add_pose(part, Framing(person, seen.width, seen.height), step_s)

    def verdicts(self, camera: str, now_s: float) -> tuple[Verdict, ...]:
        """The most important verdicts first, at most three.

        `camera` is the state of the camera as in `health`. `now_s` is on any clock in seconds, because the times of
        frames from a file are not those of a clock.
        """
        if camera in _CAMERA:
            return (VERDICTS[camera],)
        if self._judged_s != self._last_s or now_s < self._judged_at_s:
            self._judged_s, self._judged_at_s = self._last_s, now_s
        self._forget(self._last_s + now_s - self._judged_at_s)
        sums = _newest(self._slices)
        sums["walking"] = sum(one.seconds.get("walking", 0.0) for one in self._slices)  # a proof lasts for a minute
        self._shown = set(_codes(sums, self._shown))
        return tuple(verdict for verdict in _ALL if verdict.code in self._shown)[:MOST_VERDICTS]

    def _add_pose(self, part: _Slice, framing: Framing, step_s: float) -> None:
        """Add what is known of a pose whether or not it is reported as a person."""
        part.add("pose", step_s)
        if framing.is_small:
            part.add("small", step_s)
        direction = framing.direction
        if direction is None:
            return
        part.add("oriented", step_s)
        part.add(direction, step_s)
        if direction == "up":
            return
        if self._has_walked(direction, framing) or (direction == "down" and framing.is_stretched):
            part.add("walking", step_s)

    def _has_walked(self, direction: Direction, framing: Framing) -> bool:
        """Whether a person whose head does not point up has moved as only a person on foot does."""
        place, now_s = framing.body.trunk, self._last_s
        if place is None:
            return False
        across = place[0] if direction == "down" else place[1]
        stride_px = STRIDE * framing.height_px
        for path in self._paths:
            if path.direction == direction and path.seen_s < now_s and math.dist(path.place, place) <= stride_px:
                break
        else:
            path = _Path(direction, now_s, now_s, place, across, across)
            self._paths.append(path)
        path.seen_s, path.place = now_s, place
        path.low, path.high = min(path.low, across), max(path.high, across)
        return path.high - path.low > WALKED * framing.height_px

    def _forget(self, now_s: float) -> None:
        while self._slices and now_s - self._slices[0].start_s > MEMORY_S:
            self._slices.popleft()


def _newest(slices: Iterable[_Slice]) -> dict[str, float]:
    """The sums over the newest slices that hold enough evidence."""
    sums: dict[str, float] = {}
    for one in reversed(list(slices)):
        for key, seconds in one.seconds.items():
            sums[key] = sums.get(key, 0.0) + seconds
        if sums.get("occupied", 0.0) >= EVIDENCE_S:
            break
    return sums


def _codes(sums: dict[str, float], shown: set[str]) -> list[str]:
    """The codes of the verdicts that hold. Those in `shown` disappear later than they appear."""
    kept = {part for code in shown for part in _PARTS.get(code, (code,))}

    def holds(code: str, key: str, of: str, appears: float = APPEARS, disappears: float = DISAPPEARS) -> bool:
        whole_s = sums.get(of, 0.0)
        return whole_s >= MIN_EVIDENCE_S and sums.get(key, 0.0) >= (disappears if code in kept else appears) * whole_s

    reported_s = sums.get("reported", 0.0)
    for direction, code in _TURNED.items():
        if holds(code, direction, "oriented", TURNED_APPEARS, TURNED_DISAPPEARS):
            if sums["walking"] >= MIN_WALK_S:
                return [code]
            if reported_s:  # otherwise it may be a coat on a chair
                return ["lying"]
    if reported_s and holds("small", "small", "pose"):
        return ["small"]
    if sums.get("upright", 0.0) < MIN_EVIDENCE_S:
        return [_without_evidence(sums)]
    cuts = {code for code in _CUTS if holds(code, code, "upright")}
    for pair in ({"feet_cut", "head_cut"}, {"left_cut", "right_cut"}):
        if pair <= cuts:
            cuts = (cuts - pair) | {"too_close"}
    doubts = {code for code in ("unsure", "feet_hidden") if holds(code, code, "upright")}
    return [*(cuts or doubts or {"good" if holds("good", "whole", "upright") else "partly"})]


def _without_evidence(sums: dict[str, float]) -> str:
    """The code of the verdict if hardly any upright person was visible."""
    reported_s = sums.get("reported", 0.0)
    if not reported_s:
        return "no_people"
    if reported_s >= 2 * MIN_EVIDENCE_S:
        return "lying" if sums.get("up", 0.0) < sums.get("oriented", 0.0) / 2 else "partly"
    return "unsure" if sums.get("pose", 0.0) - reported_s >= MIN_EVIDENCE_S else "too_little"
