"""Bodies in three dimensions, as a camera sees them: any posture from any side, at any height of the camera."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from edge.types import Person
from tests.support.people import person

# Metres: forward and to the left of the person, and above the floor.
Joint: TypeAlias = tuple[float, float, float]
Joints: TypeAlias = Mapping[str, Joint]

_SIDES = (("LEFT", 1.0), ("RIGHT", -1.0))


def body(*, head: Joint, shoulders: Joint, hips: Joint, knees: Joint, ankles: Joint, arms: float = -0.28) -> Joints:
    """A body that is symmetric; `arms` says how far the elbows are above the shoulders."""
    joints = {"NOSE": (head[0] + 0.1, head[1], head[2])}
    for side, sign in _SIDES:
        joints[f"{side}_EYE"] = (head[0] + 0.08, head[1] + sign * 0.035, head[2] + 0.03)
        joints[f"{side}_EAR"] = (head[0], head[1] + sign * 0.08, head[2] + 0.01)
        for part, (x, y, z), width in (
            ("SHOULDER", shoulders, 0.18),
            ("ELBOW", (shoulders[0], shoulders[1], shoulders[2] + arms), 0.22),
            ("WRIST", (shoulders[0] + 0.05, shoulders[1], shoulders[2] + 1.9 * arms), 0.22),
            ("HIP", hips, 0.1),
            ("KNEE", knees, 0.11),
            ("ANKLE", ankles, 0.11),
        ):
            joints[f"{side}_{part}"] = (x, y + sign * width, z)
    return joints


STANDING = body(head=(0, 0, 1.57), shoulders=(0, 0, 1.32), hips=(0, 0, 0.84), knees=(0, 0, 0.45), ankles=(0, 0, 0.07))
SITTING = body(
    head=(0.08, 0, 1.19), shoulders=(0.02, 0, 0.94), hips=(0, 0, 0.46), knees=(0.38, 0, 0.46), ankles=(0.4, 0, 0.07)
)
KNEELING = body(
    head=(0.08, 0, 1.18), shoulders=(0.02, 0, 0.93), hips=(0, 0, 0.45), knees=(0, 0, 0.06), ankles=(-0.38, 0, 0.08)
)
SQUATTING = body(
    head=(0.2, 0, 0.9), shoulders=(0.08, 0, 0.68), hips=(-0.15, 0, 0.26), knees=(0.18, 0, 0.44), ankles=(0, 0, 0.07)
)
BENDING = body(
    head=(0.62, 0, 0.62), shoulders=(0.42, 0, 0.75), hips=(-0.05, 0, 0.84), knees=(0, 0, 0.45), ankles=(0, 0, 0.07)
)
SITTING_ON_FLOOR = body(
    head=(0.05, 0, 0.83), shoulders=(0, 0, 0.58), hips=(0, 0, 0.1), knees=(0.3, 0, 0.35), ankles=(0.6, 0, 0.07)
)
CRAWLING = body(
    head=(0.62, 0, 0.62), shoulders=(0.45, 0, 0.52), hips=(0, 0, 0.46), knees=(0, 0, 0.06), ankles=(-0.38, 0, 0.07)
)


def tilted(joints: Joints, degrees: float, *, towards: float = 180.0) -> Joints:
    """The body tilted around its feet. `towards` is the direction of the tilt: 0 forward, 90 to the left, 180 back."""
    angle, direction = math.radians(degrees), math.radians(towards)
    cos, sin = math.cos(direction), math.sin(direction)
    turned = {}
    for name, (x, y, z) in joints.items():
        along, across, up = x * cos + y * sin, -x * sin + y * cos, z - 0.07
        along, up = along * math.cos(angle) + up * math.sin(angle), up * math.cos(angle) - along * math.sin(angle)
        turned[name] = (along * cos - across * sin, along * sin + across * cos, max(up, 0.0) + 0.1)
    return turned


def lying(*, towards: float = 180.0, height: float = 0.0, forward: float = 0.0) -> Joints:
    """A body that lies as after a fall in this direction, on something of this height, and so much farther forward."""
    return {name: (x + forward, y, z + height) for name, (x, y, z) in tilted(STANDING, 90, towards=towards).items()}


def between(one: Joints, other: Joints, share: float) -> Joints:
    """A body on the straight way from one posture to another."""
    return {
        name: tuple(a + (b - a) * share for a, b in zip(one[name], other[name], strict=True))  # type: ignore[misc]
        for name in one
    }


Motion: TypeAlias = Callable[[float], Joints]  # by seconds


def motion(*steps: tuple[float, Joints]) -> Motion:
    """A motion through postures, each reached at its second, fastest halfway between two."""

    def at(second: float) -> Joints:
        if second <= steps[0][0]:
            return steps[0][1]
        for (begin_s, one), (end_s, other) in pairwise(steps):
            if second < end_s:
                return between(one, other, (1 - math.cos(math.pi * (second - begin_s) / (end_s - begin_s))) / 2)
        return steps[-1][1]

    return at


@dataclass(frozen=True, slots=True)
class View:
    """A camera in a room, and the place of a person before it."""

    distance: float = 3.5  # m, along the floor
    height: float = 1.4  # m, of the camera
    pitch: float = 10.0  # degrees downwards
    heading: float = -90.0  # direction of the person's front: -90 towards the camera, 0 to the right of the picture
    aside: float = 0.0  # m to the right of the camera
    focal_px: float = 525.0
    size: tuple[int, int] = (640, 480)

    def project(self, joint: Joint) -> tuple[float, float]:
        """The pixel of a joint."""
        heading, pitch = math.radians(self.heading), math.radians(self.pitch)
        forward, left, up = joint
        right = self.aside + forward * math.cos(heading) - left * math.sin(heading)
        away = self.distance + forward * math.sin(heading) + left * math.cos(heading)
        above = up - self.height
        depth = away * math.cos(pitch) - above * math.sin(pitch)
        rise = away * math.sin(pitch) + above * math.cos(pitch)
        width, height = self.size
        return width / 2 + self.focal_px * right / depth, height / 2 - self.focal_px * rise / depth

    def person(self, id_: int | None, joints: Joints, *, hidden: Collection[str] = ()) -> Person:
        """The person as the camera sees them, without hidden keypoints and those outside the picture."""
        points = {name: self.project(joint) for name, joint in joints.items() if name not in hidden}
        width, height = self.size
        return person(id_, {name: (x, y) for name, (x, y) in points.items() if 0 <= x < width and 0 <= y < height})
