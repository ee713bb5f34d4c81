"""The geometry of a person in one frame, and the person's size from frame to frame.

The unit of all proportions is the *height*: the distance from the middle of the face to the ankles of a person who
stands upright. Bones have known shares of it, and perspective only shortens them in the picture, so the longest bones
give the height in any posture.
"""

import math
from collections import deque
from dataclasses import dataclass

from edge.geometry import Position
from edge.skeleton import INDEX
from edge.types import Person, Point

# Lengths of an adult's bones, as shares of the height; for arms and shoulders, the upper end of the usual range.
TORSO, THIGH, SHANK, UPPER_ARM, SHOULDER_WIDTH, NECK = 0.315, 0.255, 0.255, 0.19, 0.26, 0.165
LEG = THIGH + SHANK
# A person stands if these shares of the bones are in the picture's vertical. From above, legs look shorter.
STANDING_TORSO, STANDING_THIGH, STANDING_SHANK = 0.75, 0.68, 0.5
# A person who lies along the line of sight looks like a broad one who stands far away. When a person walks away, their
# feet rise in the picture; when a person lies down, they do not.
BROAD = 1.3  # shoulders, as a share of `SHOULDER_WIDTH`
SHRINK = 0.05  # of the height; less is noise
FEET_RISE = 0.5  # of a person who walks away, as a share of the loss of height
OUTLIER = 1.1  # a height that exceeds the median of a second by more is wrong
SETTLING_S = 0.4  # from the first frame of a person who stands; a fall takes longer, so that frame may be wrong
# A person who looks upright but too small for so long, and meanwhile walks this far sideways, in heights, does not lie.
DOUBTED_S, WALKED = 4.0, 0.5
STANDING_S, BONES_S = 1.0, 4.0  # how long measurements of a standing person, and of bones in any posture, count

_FACE = tuple(INDEX[part] for part in ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR"))
_PAIRS = {
    part: (INDEX[f"LEFT_{part}"], INDEX[f"RIGHT_{part}"]) for part in ("SHOULDER", "ELBOW", "HIP", "KNEE", "ANKLE")
}


@dataclass(frozen=True, slots=True)
class Body:
    """The geometry of a person, frame px. None where no keypoint shows it."""

    head: Position | None  # middle of the visible keypoints of the face
    shoulders: Position | None  # the middle, or the visible one; so are the next three
    hips: Position | None
    knees: Position | None
    feet: Position | None  # ankles
    torso: Position | None  # vector from hips to shoulders, of one side if shoulders and hips of both are not visible
    width_px: float | None  # between the shoulders
    bones_px: float | None  # height of the person, from the longest bones

    @property
    def lean_deg(self) -> float | None:
        """The angle of the torso from upright, 0..180."""
        return math.degrees(abs(math.atan2(self.torso[0], -self.torso[1]))) if self.torso else None

    @property
    def trunk(self) -> Position | None:
        """The middle of the torso, or the best known point near it."""
        if self.shoulders and self.hips:
            return _middle(self.shoulders, self.hips)
        return self.shoulders or self.hips or self.head or self.knees or self.feet


def measure(person: Person) -> Body:
    """The geometry of a person."""
    points = person.keypoints
    shoulders, hips = _pair(points, "SHOULDER"), _pair(points, "HIP")
    torso = _torso(points, shoulders, hips)
    # The second greatest: the greatest is often a keypoint at a wrong place.
    heights = _heights_of_bones(points, torso)
    left, right = (points[k] for k in _PAIRS["SHOULDER"])
    width_px = math.hypot(left.x - right.x, left.y - right.y) if left and right else None
    if width_px:
        heights.append(width_px / SHOULDER_WIDTH)
    heights.sort()
    face = [(point.x, point.y) for point in (points[k] for k in _FACE) if point]
    return Body(
        _mean(face) if face else None, shoulders, hips, _pair(points, "KNEE"), _pair(points, "ANKLE"),
        torso, width_px, heights[max(len(heights) - 2, 0)] if heights else None,
    )  # fmt: skip


class Stature:
    """The height of one person in the picture, from frame to frame.

    Perspective shortens the bones of a person who lies, sits or bends. So it is measured while the person stands, and
    kept in other postures. Before that, it is the height that the longest bones show.
    """

    def __init__(self) -> None:
        self._stood: deque[tuple[float, float, Body]] = deque()  # time, px
        self._first_s = 0.0  # when the person was first seen standing
        self._doubted: deque[tuple[float, float]] = deque()  # of upright frames in a row that look too small: time, x
        self._bones: deque[tuple[float, float]] = deque()  # time, px
        self._height_px: float | None = None
        self.stands = False  # whether the person stood in the last frame, for certain

    @property
    def standing(self) -> tuple[Position, float] | None:
        """Where the feet were when the person last stood, and how far the shoulders were above them, px."""
        bodies = [body for _, _, body in list(self._stood)[-3:]]
        found = [(body.feet, body.feet[1] - body.shoulders[1]) for body in bodies if body.feet and body.shoulders]
        return (found[-1][0], _quantile([reach for _, reach in found], 0.5)) if found else None

    def update(self, body: Body, now_s: float) -> float | None:
        """The height with this frame, px; None while unknown."""
        standing_px = standing_height(body)
        self.stands = standing_px is not None and self._is_plausible(body, standing_px, now_s)
        if not standing_px or self.stands:
            self._doubted.clear()
        if standing_px and self.stands:
            self._stood.append((now_s, standing_px, body))
            while now_s - self._stood[0][0] > STANDING_S:
                self._stood.popleft()
            self._height_px = _quantile([px for _, px, _ in self._stood], 0.5)
        elif body.bones_px and not self._stood:
            self._bones.append((now_s, body.bones_px))
            while now_s - self._bones[0][0] > BONES_S:
                self._bones.popleft()
            self._height_px = _quantile([px for _, px in self._bones], 0.75)
        return self._height_px

    def _is_plausible(self, body: Body, height_px: float, now_s: float) -> bool:
        """Whether a person who seems to stand, with this height, may be standing; perhaps the height starts over."""
        if not self._stood:
            self._first_s = now_s
        if now_s - self._first_s < SETTLING_S:
            return True
        _, before_px, before = self._stood[0]
        if _may_follow(body, height_px, before_px, before):
            return True
        _, middle_px, middle = sorted(self._stood, key=lambda one: one[1])[(len(self._stood) - 1) // 2]
        if before_px > OUTLIER * middle_px and _may_follow(body, height_px, middle_px, middle):
            return True
        if body.hips and self._walks(body.hips[0], before_px, now_s):
            self._stood.clear()
            self._first_s = now_s
        return not self._stood

    def _walks(self, x: float, height_px: float, now_s: float) -> bool:
        """Whether a person who looks upright but too small, with the hips at `x`, walks sideways."""
        doubted = self._doubted
        doubted.append((now_s, x))
        while len(doubted) > 1 and now_s - doubted[1][0] >= DOUBTED_S:
            doubted.popleft()
        if now_s - doubted[0][0] < DOUBTED_S:
            return False
        places = [one for _, one in doubted]
        some = len(places) // 5 + 1
        return abs(_quantile(places[:some], 0.5) - _quantile(places[-some:], 0.5)) > WALKED * height_px


def standing_height(body: Body) -> float | None:
    """The height of a person whose bones stand upright, px; None in other postures, or if too little is visible."""
    if not (body.bones_px and body.torso and body.hips and body.knees):
        return None
    drops = [(-body.torso[1], STANDING_TORSO * TORSO), (body.knees[1] - body.hips[1], STANDING_THIGH * THIGH)]
    if body.feet:
        drops.append((body.feet[1] - body.knees[1], STANDING_SHANK * SHANK))
    if any(drop_px < share * body.bones_px for drop_px, share in drops):
        return None
    if body.width_px and body.width_px > BROAD * SHOULDER_WIDTH * body.bones_px:
        return None
    extent_px = body.feet[1] - body.head[1] if body.head and body.feet else 0.0
    return max(body.bones_px, extent_px)


def _may_follow(body: Body, height_px: float, before_px: float, before: Body) -> bool:
    """Whether a person who stood as `before` may stand as `body` a second later."""
    lost_px = before_px - height_px
    if lost_px < SHRINK * before_px:
        return True
    if not (body.hips and before.hips):
        return False
    # The feet may be hidden, or at the edge of the picture. They are below the hips of a person who stands.
    risen_px = before.hips[1] + LEG * before_px - (body.hips[1] + LEG * height_px)
    return risen_px > FEET_RISE * lost_px


def _torso(points: tuple[Point | None, ...], shoulders: Position | None, hips: Position | None) -> Position | None:
    """The vector from hips to shoulders, px: of both sides if both are visible, else of a visible side."""
    sides = []
    for left in (0, 1):
        shoulder, hip = points[_PAIRS["SHOULDER"][left]], points[_PAIRS["HIP"][left]]
        if shoulder and hip:
            sides.append((shoulder.x - hip.x, shoulder.y - hip.y))
    if sides:
        return _mean(sides)
    return (shoulders[0] - hips[0], shoulders[1] - hips[1]) if shoulders and hips else None


def _heights_of_bones(points: tuple[Point | None, ...], torso: Position | None) -> list[float]:
    """The heights that the bones of torso, legs and arms show, px."""
    heights = [math.hypot(*torso) / TORSO] if torso else []
    for upper, lower, share in (("HIP", "KNEE", THIGH), ("KNEE", "ANKLE", SHANK), ("SHOULDER", "ELBOW", UPPER_ARM)):
        for side in (0, 1):
            one, other = points[_PAIRS[upper][side]], points[_PAIRS[lower][side]]
            if one and other:
                heights.append(math.hypot(one.x - other.x, one.y - other.y) / share)
    return heights


def _pair(points: tuple[Point | None, ...], part: str) -> Position | None:
    """The middle of a left and a right keypoint, or the visible one of them."""
    left, right = _PAIRS[part]
    one, other = points[left], points[right]
    if one and other:
        return (one.x + other.x) / 2, (one.y + other.y) / 2
    point = one or other
    return (point.x, point.y) if point else None


def _mean(points: list[Position]) -> Position:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _middle(one: Position, other: Position) -> Position:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]
