"""How a pose lies in the frame: which way up it is, and which parts of the body the edges of the frame cut off."""

import math
from typing import Literal, TypeAlias

from edge.geometry import Position
from edge.rules.body import LEG, SHANK, SHOULDER_WIDTH, TORSO, Body, measure
from edge.skeleton import INDEX
from edge.types import Person, Point

# Networks put the parts of a body that are outside the frame at its edge, with the confidence of visible parts. So a
# part counts only if the frame has room for what is beyond it. All lengths are in heights (see `edge.rules.body`).
FOOT = 0.1  # from the ankles to the lowest point of the feet, seen from above
CROWN = 0.05  # from the eyes to the top of the head, at least
HEAD = 0.15  # from the shoulders to the eyes
ARM = 0.03  # from the outermost keypoint to the side of the body
MIN_PX = 60  # height of a person, in a picture of 640 x 480 px: the networks detect few people who are smaller
SURE = 0.3  # least score of a person: half of the ghosts score less, and 95 % of the people more
UPRIGHT_DEG = 50.0  # from upright; the next quarter begins beyond it
DOWN_DEG = 135.0
# A person who lies with the head towards the camera also appears head down, but shorter and broader.
STRETCHED, BROAD = 0.75, 1.1

Direction: TypeAlias = Literal["up", "down", "left", "right"]  # in which the head points, in the picture
Fact: TypeAlias = Literal[
    "upright", "whole", "feet_cut", "feet_hidden", "head_cut", "left_cut", "right_cut", "small", "unsure"
]

_ANKLES = (INDEX["LEFT_ANKLE"], INDEX["RIGHT_ANKLE"])
_FACE = tuple(INDEX[part] for part in ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR"))


class Framing:
    """What one pose says about the aim of the camera."""

    __slots__ = ("body", "direction", "facts", "height_px")

    def __init__(self, person: Person, width: int, height: int) -> None:
        """`width` and `height` are those of the frame, px."""
        self.body = measure(person)
        self.height_px = max(self.body.bones_px or person.box.size_px, 1.0)
        self.direction = _direction(self.body)
        self.facts: list[Fact] = []
        if self.height_px < MIN_PX * max(width / 640, height / 480):
            self.facts.append("small")
        if self.direction == "up":
            self._judge_edges(person, width, height)

    @property
    def is_stretched(self) -> bool:
        """Whether head and feet are as far apart, and the shoulders as narrow, as those of a person who stands."""
        head, feet, width_px = self.body.head, self.body.feet, self.body.width_px
        if not (head and feet) or (width_px or 0.0) > BROAD * SHOULDER_WIDTH * self.height_px:
            return False
        return abs(feet[1] - head[1]) > STRETCHED * self.height_px

    @property
    def _ankle_y(self) -> float:
        """Where the ankles of a person who stands are if no keypoint shows them, px."""
        body = self.body
        for part, above in ((body.knees, SHANK), (body.hips, LEG), (body.shoulders, LEG + TORSO), (body.head, 1.0)):
            if part:
                return part[1] + above * self.height_px
        return 0.0

    def _judge_edges(self, person: Person, width: int, height: int) -> None:
        box, unit = person.box, self.height_px
        cuts: list[Fact] = []
        ankle_y = _extreme(person.keypoints, _ANKLES, lowest=True)
        if (self._ankle_y if ankle_y is None else ankle_y) + FOOT * unit > height - 1:
            cuts.append("feet_cut")
        elif ankle_y is None:
            cuts.append("feet_hidden")
        eye_y = _extreme(person.keypoints, _FACE, lowest=False)
        if box.top < HEAD * unit if eye_y is None else eye_y < CROWN * unit:
            cuts.append("head_cut")
        if box.left < ARM * unit:
            cuts.append("left_cut")
        if width - 1 - box.right < ARM * unit:
            cuts.append("right_cut")
        if person.score < SURE:
            self.facts.append("unsure")
        self.facts += ["upright", *(cuts or ["whole"])]


def _direction(body: Body) -> Direction | None:
    """Where the head points; None if neither the torso nor the neck is visible."""
    towards = body.torso or _from_to(body.shoulders, body.head)
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


def _extreme(points: tuple[Point | None, ...], parts: tuple[int, ...], *, lowest: bool) -> float | None:
    """The y of the lowest or highest visible keypoint among `parts`, px."""
    found = [point.y for point in (points[k] for k in parts) if point]
    return (max(found) if lowest else min(found)) if found else None
