"""How a pose lies in the frame: which way up it is, and which parts of the body the edges of the frame cut off."""

import math
from typing import Literal, TypeAlias

from edge.geometry import Position
from edge.rules.body import LEG, NECK, SHANK, SHOULDER_WIDTH, THIGH, TORSO, Body, measure
from edge.skeleton import INDEX
from edge.types import Person

# Networks put the parts of a body that are outside the frame at its edge, with the confidence of visible parts. So a
# part counts only if the frame has room for what is beyond it. All lengths are in heights (see `edge.rules.body`).
FOOT = 0.1  # from the ankles to the lowest point of the feet, seen from above
CROWN = 0.05  # from the eyes to the top of the head, at least
ARM = 0.03  # from the outermost keypoint to the side of the body
# Height of a person in a picture of 640 x 480 px, below which the networks detect few people: 60. Errors of keypoints
# make the longest bones of such a small person longer.
MIN_PX = 70
SURE = 0.3  # least score of a person: half of the ghosts score less, and 95 % of the people more
UPRIGHT_DEG = 50.0  # from upright; the next quarter begins beyond it
DOWN_DEG = 135.0
# A person who lies with the head towards the camera also appears head down, but perspective shortens the legs, or all
# of the body except the width of the shoulders.
STRETCHED, BROAD = 0.75, 1.1

Direction: TypeAlias = Literal["up", "down", "left", "right"]  # in which the head points, in the picture
Fact: TypeAlias = Literal["upright", "whole", "feet_cut", "feet_hidden", "head_cut", "left_cut", "right_cut", "unsure"]

_ANKLES = (INDEX["LEFT_ANKLE"], INDEX["RIGHT_ANKLE"])
_FACE = tuple(INDEX[part] for part in ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR"))


class Framing:
    """What one pose says about the aim of the camera."""

    __slots__ = ("body", "direction", "facts", "height_px", "is_small")

    def __init__(self, person: Person, width: int, height: int) -> None:
        """`width` and `height` are those of the frame, px."""
        self.body = measure(person)
        self.height_px = max(self.body.bones_px or person.box.size_px, 1.0)
        self.direction = _direction(self.body)
        self.facts: list[Fact] = []
        # Without a torso, the height comes from few bones, or from none.
        self.is_small = self.body.torso is not None and self.height_px < MIN_PX * max(width / 640, height / 480)
        if self.direction == "up":
            self._judge_edges(person, width, height)

    @property
    def is_stretched(self) -> bool:
        """Whether a person whose head points down is stretched and as narrow as one who stands."""
        head, hips, feet, unit = self.body.head, self.body.hips, self.body.feet, self.height_px
        if not (head and hips and feet) or (self.body.width_px or 0.0) > BROAD * SHOULDER_WIDTH * unit:
            return False
        return hips[1] - feet[1] > STRETCHED * LEG * unit and head[1] - feet[1] > STRETCHED * unit

    def _judge_edges(self, person: Person, width: int, height: int) -> None:
        box, unit, body = person.box, self.height_px, self.body
        cuts: list[Fact] = []
        # Where the ankles and eyes of a person who stands are if no keypoint shows them.
        knees, hips, shoulders = body.knees, body.hips, body.shoulders
        ankle_y = _below((knees, SHANK), (hips, LEG), (shoulders, TORSO + LEG), (body.head, 1.0), unit=unit)
        eye_y = _below((shoulders, -NECK), (hips, -NECK - TORSO), (knees, -NECK - TORSO - THIGH), unit=unit)
        ankles = [point.y for point in (person.keypoints[k] for k in _ANKLES) if point]
        face = [point.y for point in (person.keypoints[k] for k in _FACE) if point]
        if max(ankles, default=ankle_y) + FOOT * unit > height - 1:
            cuts.append("feet_cut")
        elif not ankles:
            cuts.append("feet_hidden")
        if min(face, default=eye_y) < CROWN * unit:
            cuts.append("head_cut")
        if box.left < ARM * unit:
            cuts.append("left_cut")
        if width - 1 - box.right < ARM * unit:
            cuts.append("right_cut")
        if person.score < SURE:
            self.facts.append("unsure")
        self.facts += ["upright", *(cuts or ["whole"])]


def _below(*parts: tuple[Position | None, float], unit: float) -> float:
    """The y of the first known part, moved down by a distance in heights."""
    return next((part[1] + below * unit for part, below in parts if part), 0.0)


def _direction(body: Body) -> Direction | None:
    """Where the head points; None if too little of the body is visible."""
    towards = body.torso or _from_to(body.shoulders, body.head) or _from_to(body.feet or body.knees, body.hips)
    if towards is None:
        return None
    degrees = math.degrees(math.atan2(towards[0], -towards[1]))
    if abs(degrees) <= UPRIGHT_DEG:
        return "up"
    if abs(degrees) >= DOWN_DEG:
        return "down"
    return "left" if degrees < 0 else "right"


def _from_to(start: Position | None, end: Position | None) -> Position | None:
    return (end[0] - start[0], end[1] - start[1]) if start and end else None
