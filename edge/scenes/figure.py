"""Paint a person: a posture becomes seventeen keypoints, and a picture in which a pose network finds them.

Body space is measured in statures (body heights) from the middle of the hips: x to the person's left, y up, z ahead.
The skeleton is bent in body space and turned into world space, where x points to the right of the picture and z to the
camera. The body is painted as tubes around the skeleton, the farthest first, lit from the upper left.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

from edge.skeleton import INDEX
from edge.types import Floats

Colour: TypeAlias = tuple[int, int, int]
Quad: TypeAlias = tuple[float, float, float, float]
Point: TypeAlias = tuple[float, float, float]
Real: TypeAlias = npt.NDArray[np.float64]
Posture: TypeAlias = Real  # (5, 4) degrees; see `make_posture`

SUPERSAMPLING = 3
CAMERA_PITCH = np.radians(7)  # the camera looks down slightly, without perspective

# Proportions in statures: anatomical, adjusted so that PoseNet finds each keypoint in its place.
HIP, SHOULDER = 0.060, 0.108  # from the middle
CHEST, NECK, HEAD = 0.300, 0.330, 0.420  # above the hips
UPPER_ARM, FOREARM, HAND = 0.168, 0.142, 0.058
THIGH, SHIN, HEEL, FOOT = 0.235, 0.215, 0.034, 0.064
FACE: dict[str, Point] = {
    "NOSE": (0.0, -0.010, 0.064),
    "LEFT_EYE": (0.021, 0.010, 0.052),
    "RIGHT_EYE": (-0.021, 0.010, 0.052),
    "LEFT_EAR": (0.051, -0.002, -0.002),
    "RIGHT_EAR": (-0.051, -0.002, -0.002),
}  # from the centre of the head

# Smaller and brighter copies of a shape, moved towards the light, make it look round: (size, brightness).
SHADES = ((1.0, 0.62), (0.97, 0.74), (0.9, 0.83), (0.79, 0.91), (0.64, 0.98), (0.44, 1.03), (0.22, 1.07))
LIGHT = np.array((-0.4, -0.25))
EYE, PUPIL, LIPS = (212, 208, 204), (40, 32, 30), (168, 84, 80)


@dataclass(frozen=True, slots=True)
class Outfit:
    """The colours of a person, RGB."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    long_hair: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person painted in one posture. Positions are relative to the point on the ground below the hips."""

    image: npt.NDArray[np.uint8]  # (h, w, 4) RGBA
    left_px: int  # of its first column
    top_px: int  # of its first row
    xy: Floats  # (17, 2) keypoints, px, x right, y down
    visible: npt.NDArray[np.bool_]  # (17,) False where the person's own body is in front


@dataclass(frozen=True, slots=True, eq=False)
class _Tube:
    """A row of circles, and the hull between them."""

    centres: Real  # (n, 3)
    radii: Real  # (n,)
    colour: Colour
    nearer: float = 0.0  # paints it later, as if it were nearer by so much
    capped: bool = True  # whether its ends are round
    shaded: bool = True


def make_posture(
    body: Quad = (0, 0, 0, 0),
    left_arm: Quad = (0, 9, 8, 5),
    right_arm: Quad = (0, 9, 8, 5),
    left_leg: Quad = (0, -1, 0, 0),
    right_leg: Quad = (0, -1, 0, 0),
) -> Posture:
    """A posture, (5, 4) degrees. A weighted mean of two postures lies between them.

    `body` is (turn to the person's left, tilt to the right of the picture, lean forward, turn of the head to the
    person's left). A limb is (upper part forward, upper part outward, lower part forward, lower part outward), from
    hanging straight down.
    """
    return np.array((body, left_arm, right_arm, left_leg, right_leg), np.float64)


def mirrored(posture: Posture) -> Posture:
    """The mirror image of a posture."""
    mirror: Posture = posture[[0, 2, 1, 4, 3]]
    mirror[0] *= (-1, -1, 1, -1)
    return mirror


def paint_figure(posture: Posture, outfit: Outfit, stature_px: float) -> Figure:
    """Paint a person with that posture, outfit and height on a transparent background."""
    joints, body, head = _skeleton(posture)
    tubes = [*_limbs(joints, outfit), *_trunk(joints, body, outfit), *_head(joints["HEAD"], head, outfit)]
    ground = min(float(np.min(tube.centres[:, 1] - tube.radii)) for tube in tubes)

    def to_px(points: Real) -> Real:
        return _project(points - (0, ground, 0)) * stature_px

    tubes = [
        replace(tube, centres=to_px(tube.centres), radii=tube.radii * stature_px, nearer=tube.nearer * stature_px)
        for tube in tubes
    ]
    tubes.sort(key=lambda tube: float(tube.centres[:, 2].mean()) + tube.nearer)
    low = np.min([np.min(tube.centres[:, :2] - tube.radii[:, None], axis=0) for tube in tubes], axis=0)
    high = np.max([np.max(tube.centres[:, :2] + tube.radii[:, None], axis=0) for tube in tubes], axis=0)
    left, top = (int(v) for v in np.floor(low) - 1)
    right, bottom = (int(v) for v in np.ceil(high) + 2)
    canvas = Pillow.new("RGBA", ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
    draw = ImageDraw.Draw(canvas)
    for tube in tubes:
        # Plus half a pixel, because the pixel with centre 0 begins at -0.5.
        centres = (tube.centres[:, :2] - (left, top) + 0.5) * SUPERSAMPLING
        _draw(draw, tube, centres, tube.radii * SUPERSAMPLING)

    keypoints = to_px(np.array([joints[part] for part in INDEX]))
    hidden = np.any([_hides(tube, keypoints) for tube in tubes], axis=0)
    return Figure(
        image=np.asarray(canvas.reduce(SUPERSAMPLING)),
        left_px=left,
        top_px=top,
        xy=keypoints[:, :2].astype(np.float32),
        visible=~hidden,
    )


def _skeleton(posture: Posture) -> tuple[dict[str, Real], Real, Real]:
    """The joints in world space, and the rotations of body and head."""
    turn, tilt, lean, head_turn = np.radians(posture[0])
    body, head = _about_z(tilt) @ _about_y(turn), _about_y(head_turn)
    spine = np.array((0, np.cos(lean), np.sin(lean)))
    joints = {"NECK": spine * NECK, "HEAD": spine * HEAD + (0, 0, 0.012)}
    joints |= {part: joints["HEAD"] + head @ place for part, place in FACE.items()}
    for side, left, arm, leg in (("LEFT_", 1, posture[1], posture[3]), ("RIGHT_", -1, posture[2], posture[4])):
        upper_arm, forearm = _direction(arm[0], left * arm[1]), _direction(arm[2], left * arm[3])
        thigh, shin = _direction(leg[0], left * leg[1]), _direction(leg[2], left * leg[3])
        shoulder, hip = spine * CHEST + (left * SHOULDER, 0, 0), np.array((left * HIP, 0, 0))
        elbow, knee = shoulder + UPPER_ARM * upper_arm, hip + THIGH * thigh
        wrist, ankle = elbow + FOREARM * forearm, knee + SHIN * shin
        hand, heel = wrist + HAND * forearm, ankle + HEEL * shin
        toe = heel + FOOT * _direction(leg[2] + 84, left * 18)
        joints |= {side + "SHOULDER": shoulder, side + "ELBOW": elbow, side + "WRIST": wrist, side + "HAND": hand}
        joints |= {side + "HIP": hip, side + "KNEE": knee, side + "ANKLE": ankle}
        joints |= {side + "HEEL": heel, side + "TOE": toe}
    return {part: body @ place for part, place in joints.items()}, body, body @ head


def _direction(ahead: float, left: float) -> Real:
    """The direction of a limb that hung down and was swung forward and to the left by these degrees."""
    a, b = np.radians((ahead, left))
    return np.array((np.sin(b), -np.cos(b) * np.cos(a), np.cos(b) * np.sin(a)))


def _about_y(angle: float) -> Real:
    c, s = np.cos(angle), np.sin(angle)
    return np.array(((c, 0, s), (0, 1, 0), (-s, 0, c)))


def _about_z(angle: float) -> Real:
    c, s = np.cos(angle), np.sin(angle)
    return np.array(((c, s, 0), (-s, c, 0), (0, 0, 1)))


def _project(points: Real) -> Real:
    """World space to x right, y down, and nearness to the camera."""
    x, y, z = np.moveaxis(points, -1, 0)
    c, s = np.cos(CAMERA_PITCH), np.sin(CAMERA_PITCH)
    return np.stack((x, z * s - y * c, z * c + y * s), axis=-1)


def _limbs(joints: dict[str, Real], outfit: Outfit) -> Iterator[_Tube]:
    def tube(start: str, end: str, colour: Colour, *rows: tuple[float, float], nearer: float = 0.0) -> _Tube:
        along, radii = np.array(rows).T
        return _Tube(joints[start] + np.outer(along, joints[end] - joints[start]), radii, colour, nearer)

    for side in ("LEFT_", "RIGHT_"):
        hip, knee, ankle, heel, toe = (side + part for part in ("HIP", "KNEE", "ANKLE", "HEEL", "TOE"))
        shoulder, elbow, wrist, hand = (side + part for part in ("SHOULDER", "ELBOW", "WRIST", "HAND"))
        yield tube(ankle, heel, outfit.shoes, (0.2, 0.022), (0.6, 0.024))
        yield tube(heel, toe, outfit.shoes, (-0.2, 0.024), (0.35, 0.026), (1, 0.020))
        yield tube(knee, ankle, outfit.trousers, (0, 0.040), (0.3, 0.042), (0.7, 0.033), (1, 0.027))
        yield tube(hip, knee, outfit.trousers, (0, 0.062), (0.3, 0.059), (0.7, 0.047), (1, 0.041))
        yield tube(shoulder, elbow, outfit.skin, (0.7, 0.028), (1, 0.024), nearer=0.019)
        yield tube(shoulder, elbow, outfit.shirt, (0.06, 0.034), (0.3, 0.038), (0.72, 0.035), nearer=0.02)
        yield tube(elbow, wrist, outfit.skin, (0, 0.024), (0.3, 0.026), (1, 0.018), nearer=0.05)
        yield tube(wrist, hand, outfit.skin, (0, 0.018), (0.45, 0.023), (1, 0.015), nearer=0.055)


def _trunk(joints: dict[str, Real], body: Real, outfit: Outfit) -> Iterator[_Tube]:
    def tube(colour: Colour, nearer: float, *rows: Point) -> _Tube:
        """A tube of ellipses, each (height above the hips, half the width, half the depth)."""
        heights, widths, depths = np.array(rows).T
        spine = np.outer(heights, joints["NECK"] / NECK)
        return _Tube(spine, _breadth(body, widths, depths), colour, nearer, capped=False)

    yield tube(outfit.trousers, 0.015, (-0.035, 0.100, 0.070), (0.020, 0.116, 0.080), (0.070, 0.108, 0.070))
    waist = (0.005, 0.118, 0.085), (0.050, 0.114, 0.080), (0.120, 0.106, 0.075), (0.200, 0.116, 0.082)
    chest = (0.260, 0.125, 0.080), (0.300, 0.122, 0.068), (0.318, 0.100, 0.060), (0.336, 0.050, 0.050)
    yield tube(outfit.shirt, 0.03, *waist, *chest)
    neck = joints["NECK"] + np.outer((-0.1, 0.6), joints["HEAD"] - joints["NECK"])
    yield _Tube(neck, np.array((0.035, 0.034)), _lit(outfit.skin, 0.88), 0.045)


def _head(centre: Real, rotation: Real, outfit: Outfit) -> Iterator[_Tube]:
    def tube(colour: Colour, radii: npt.ArrayLike, *points: Point, capped: bool = True, shaded: bool = True) -> _Tube:
        return _Tube(centre + np.array(points) @ rotation.T, np.array(radii), colour, 0.06, capped, shaded)

    heights = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 13))
    oval = np.sqrt(1 - heights**2)
    skull, face = _breadth(rotation, 0.057, 0.066) * oval, _breadth(rotation, 0.050, 0.058) * oval
    jaw = np.where(heights < 0, 1 + 0.14 * heights, 1)
    yield tube(outfit.hair, skull, *((0, 0.014 + 0.068 * float(h), -0.014) for h in heights), capped=False)
    yield tube(outfit.skin, face * jaw, *((0, 0.072 * float(h), 0) for h in heights), capped=False)
    yield tube(outfit.hair, (0.022, 0.026, 0.022), (-0.030, 0.047, 0.024), (0, 0.056, 0.030), (0.030, 0.047, 0.024))
    yield tube(outfit.hair, (0.028, 0.032, 0.030), (0, 0.052, 0.020), (0, 0.052, -0.010), (0, 0.040, -0.035))
    for s in (1, -1):
        temple, nape = (s * 0.036, 0.040, 0.022), (s * 0.028, 0.012, -0.040)
        yield tube(outfit.hair, (0.020, 0.030, 0.028), temple, (s * 0.036, 0.034, -0.016), nape)
        if outfit.long_hair:
            top, end = (s * 0.045, 0.020, -0.015), (s * 0.046, -0.090, -0.020)
            yield tube(outfit.hair, (0.020, 0.024, 0.018), top, (s * 0.050, -0.040, -0.018), end)
        yield tube(outfit.skin, (0.010, 0.008), (s * 0.049, 0.008, 0.003), (s * 0.049, -0.015, 0))
        yield tube(EYE, (0.006, 0.006), (s * 0.015, 0.010, 0.052), (s * 0.027, 0.010, 0.049), shaded=False)
        yield tube(PUPIL, (0.0062,), (s * 0.021, 0.010, 0.054), shaded=False)
        yield tube(outfit.hair, (0.0035, 0.0035), (s * 0.010, 0.026, 0.053), (s * 0.033, 0.026, 0.046), shaded=False)
    yield tube(outfit.skin, (0.0055, 0.0095), (0, 0.008, 0.056), (0, -0.012, 0.063))
    smile = (-0.015, -0.036, 0.050), (0, -0.040, 0.053), (0.015, -0.036, 0.050)
    yield tube(LIPS, (0.004, 0.0045, 0.004), *smile, shaded=False)


def _breadth(rotation: Real, width: npt.ArrayLike, depth: npt.ArrayLike) -> Real:
    """The half width that the camera sees of upright ellipses with that half width and half depth."""
    across, ahead = np.hypot(rotation[0, [0, 2]], rotation[1, [0, 2]])
    seen: Real = np.hypot(np.multiply(width, across), np.multiply(depth, ahead))
    return seen


def _lit(colour: Colour, light: float) -> Colour:
    r, g, b = (min(int(v * light), 255) for v in colour)
    return r, g, b


def _hides(tube: _Tube, points: Real) -> npt.NDArray[np.bool_]:
    """Whether each point lies behind the far side of a tube. A limb does not hide the joints inside it."""
    start, step = tube.centres[:-1, None], np.diff(tube.centres, axis=0)[:, None]
    length = np.maximum(np.sum(step[..., :2] ** 2, axis=-1), 1e-9)
    t = np.clip(np.sum((points - start)[..., :2] * step[..., :2], axis=-1) / length, 0, 1)
    away = points - start - step * t[..., None]
    radius = tube.radii[:-1, None] + np.diff(tube.radii)[:, None] * t
    hidden: npt.NDArray[np.bool_] = np.any(
        (np.hypot(away[..., 0], away[..., 1]) < radius) & (away[..., 2] < -radius), 0
    )
    return hidden


def _draw(draw: ImageDraw.ImageDraw, tube: _Tube, centres: Real, radii: Real) -> None:
    """Draw a tube; `centres` and `radii` are in pixels of the canvas."""
    along = centres[-1] - centres[0]
    across = along[::-1] * (1, -1) / max(float(np.hypot(*along)), 1e-9)
    there_and_back = np.concatenate((centres, centres[::-1]))
    thickness = np.concatenate((radii, radii[::-1]))[:, None]
    sides = np.concatenate((np.outer(radii, across), np.outer(-radii[::-1], across)))
    for size, light in SHADES if tube.shaded else ((1.0, 1.0),):
        fill = (*_lit(tube.colour, light), 255)
        points = there_and_back + thickness * LIGHT * (1 - size)
        if tube.capped:
            for end in (0, len(centres) - 1):
                (x, y), r = points[end], radii[end] * size
                draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        draw.polygon((points + sides * size).ravel().tolist(), fill=fill)
