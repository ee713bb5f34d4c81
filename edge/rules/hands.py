"""Where the hands of a person are, relative to the body."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.geometry import Position
from edge.rules.body import Body
from edge.skeleton import INDEX
from edge.types import Person, Point

Side: TypeAlias = Literal["left", "right"]  # the person's own
SIDES: tuple[Side, Side] = ("left", "right")

# The distance between the shoulders of an adult is about two thirds of that from shoulders to hips.
TORSO_PER_SHOULDERS = 1.4
LONGEST_ARM = 1.5  # in torso lengths; a wrist farther away belongs to another person
LONGEST_BONE = 0.95  # upper arm or forearm
LEAST_RISE = 0.1  # how far the wrist is above the elbow, if that is visible
HIDDEN_ELBOW = 0.5  # how far the wrist is above the shoulder if the elbow is hidden
UPRIGHT = 0.5  # of the torso's length must be vertical

_ARMS = {side: [INDEX[f"{side.upper()}_{part}"] for part in ("WRIST", "ELBOW", "SHOULDER")] for side in SIDES}
_HEAD = [INDEX[part] for part in ("NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR")]


@dataclass(frozen=True, slots=True)
class Hand:
    """A wrist in one frame. Lengths are in torso lengths."""

    above: float  # above the shoulder
    from_head: float  # distance from the nearest visible part of the head; inf if none is visible
    place: float | None  # from the shoulder to the right on the picture; None if the shoulder is not visible
    nose: float | None  # the nose likewise


def torso_px(body: Body) -> float | None:
    """The length from shoulders to hips, or what the width of the shoulders says of it, if that is more."""
    lengths = []
    if body.shoulders and body.hips:
        lengths.append(math.dist(body.shoulders, body.hips))
    if body.width_px is not None:
        lengths.append(TORSO_PER_SHOULDERS * body.width_px)
    return max(lengths, default=None)


def is_upright(body: Body) -> bool:
    """Whether shoulders are above hips, or the head is above the shoulders if the hips are hidden."""
    if not body.shoulders:
        return False
    if body.hips:
        return body.hips[1] - body.shoulders[1] >= UPRIGHT * math.dist(body.shoulders, body.hips)
    return body.head is not None and body.head[1] < body.shoulders[1]


def find_hand(person: Person, neck: Position | None, side: Side, torso: float) -> Hand | None:
    """A hand of a person whose torso is `torso` px long; None if it is hidden or implausible.

    `neck` is the middle of the shoulders, or the visible one.
    """
    wrist, elbow, shoulder = (person.keypoints[part] for part in _ARMS[side])
    if not wrist or not neck:
        return None
    origin = shoulder[:2] if shoulder else neck
    above = (origin[1] - wrist.y) / torso
    if math.dist(origin, wrist[:2]) > LONGEST_ARM * torso:
        return None
    if above > 0 and not _is_plausible(wrist, elbow, origin, torso):
        return None
    head = [math.dist(wrist[:2], point[:2]) / torso for part in _HEAD if (point := person.keypoints[part])]
    nose = person.keypoints[INDEX["NOSE"]]
    return Hand(
        above,
        min(head, default=math.inf),
        place=(wrist.x - shoulder.x) / torso if shoulder else None,
        nose=(nose.x - shoulder.x) / torso if shoulder and nose else None,
    )


def _is_plausible(wrist: Point, elbow: Point | None, shoulder: Position, torso: float) -> bool:
    """Whether an arm can be raised like this."""
    if elbow is None:
        return shoulder[1] - wrist.y >= HIDDEN_ELBOW * torso
    longest = max(math.dist(wrist[:2], elbow[:2]), math.dist(elbow[:2], shoulder))
    return elbow.y - wrist.y >= LEAST_RISE * torso and longest <= LONGEST_BONE * torso
