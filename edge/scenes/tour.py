"""The scene `tour`: two people act five short scenes in one room. Between these scenes, the room is empty.

Every movement takes the same time at any size of the picture, so each scene begins at a fixed frame. In a wide picture,
people take longer steps. All places are in statures to the right of the middle of the picture.
"""

from dataclasses import dataclass

from edge.scenes.figure import Posture, make_posture, mirrored
from edge.scenes.motions import (
    BOW,
    CROUCH,
    GLANCE,
    LIE,
    SEATED,
    STAGGER,
    STAND,
    STRIDE_FRAMES,
    MotionFrame,
    interpolate,
    walking_posture,
)

STOP_FRAMES = 300  # of each scene: 20 s
CHAIR = 0.72  # as a share of the width of the picture

WAIT = 15  # frames before a person enters
EDGE = 0.25  # from the free space of a motion to the edge of the picture
OUTSIDE = 0.35  # beyond the edge; nothing of a person is in the picture there
INSIDE = 0.33  # from the edge; people turn around there
SIDEWAYS = 48  # degrees from the camera, of people who walk
TURN = 8  # frames

UP, ACROSS = (make_posture((-12, 0, 0, 6), right_arm=(0, 95, 0, forearm)) for forearm in (150, 198))
OTHER_UP = make_posture((-12, 0, 0, 6), left_arm=(0, 100, 0, 165))
SEATED_GLANCE = SEATED + make_posture((0, 0, 0, -14), *[(0, 0, 0, 0)] * 4)


@dataclass(frozen=True, slots=True)
class Stop:
    """One scene of the tour."""

    name: str
    words: str


STOPS = (
    Stop("walk", "a person walks to and fro"),
    Stop("wave", "a person waves, and raises the other hand"),
    Stop("cross", "two people pass each other"),
    Stop("sit", "a person sits down on a chair and gets up"),
    Stop("fall", "a person falls, lies there, and gets up"),
)
FIRST = 45  # the frame of the first scene with which the tour begins: a person is in view
BEGIN = FIRST / (STOP_FRAMES * len(STOPS))


def stop_at(frame: int) -> Stop:
    """The scene that a frame of the tour belongs to."""
    return STOPS[(FIRST + frame) // STOP_FRAMES % len(STOPS)]


def near(room: float) -> list[MotionFrame]:
    """The person in front: waves, walks past the other one, falls."""
    edge = room + EDGE
    passing = [(mirrored(posture), -x) for posture, x in _to_and_fro(edge)]
    return _padded(edge, [], _wave(edge), passing, [], _fall(edge))


def far(room: float) -> list[MotionFrame]:
    """The person at the wall: walks, walks past the other one, sits down."""
    edge = room + EDGE
    return _padded(edge, _to_and_fro(edge), [], _to_and_fro(edge), _sit(edge), [])


def _padded(edge: float, *stops: list[MotionFrame]) -> list[MotionFrame]:
    """Scenes of STOP_FRAMES frames each; the person is outside the picture before and after these movements."""
    outside = STAND, -edge - OUTSIDE
    frames: list[MotionFrame] = []
    for stop in stops:
        frames += [outside] * WAIT + stop
        frames += [outside] * (-len(frames) % STOP_FRAMES)
    return frames


def _to_and_fro(edge: float) -> list[MotionFrame]:
    """Come in from the left, walk to and fro, and leave where they came from."""
    turn = edge - INSIDE
    return [
        *_walk(-edge - OUTSIDE, turn, 4),
        *_turn_around(turn),
        *_walk(turn, -turn, 3),
        *_turn_around(-turn),
        *_walk(-turn, turn, 3),
        *_turn_around(turn),
        *_walk(turn, -edge - OUTSIDE, 4),
    ]


def _wave(edge: float) -> list[MotionFrame]:
    """Come in from the right, wave, raise the other hand, and leave."""
    x = 0.1
    waving = [(6, posture, x) for posture in (UP, ACROSS) * 5]
    other = (10, STAND, x), (30, OTHER_UP, x), (10, OTHER_UP, x)
    return [
        *_walk(edge + OUTSIDE, x, 3),
        *_act(-1, x, (8, GLANCE, x), (8, STAND, x), *waving, (10, UP, x), (8, STAND, x), *other, (1, STAND, x)),
        *_leave(x, edge + OUTSIDE, 2),
    ]


def _sit(edge: float) -> list[MotionFrame]:
    """Come in from the left, sit down on the chair, look around, get up, and leave to the right."""
    x = (2 * CHAIR - 1) * edge
    seated = (30, SEATED, x), (15, SEATED, x), (15, SEATED_GLANCE, x), (30, SEATED, x)
    return [
        *_walk(-edge - OUTSIDE, x, 4),
        *_act(1, x, (8, STAND, x), (10, STAND, x), (10, BOW, x), *seated, (10, SEATED, x), (10, BOW, x), (8, STAND, x)),
        *_leave(x, edge + OUTSIDE, 2),
    ]


def _fall(edge: float) -> list[MotionFrame]:
    """Come in from the left, fall, lie there, get up, and leave where they came from."""
    down = (6, STAND, -0.2), (9, STAGGER, -0.12), (80, LIE, 0.2)
    return [
        *_walk(-edge - OUTSIDE, -0.2, 2),
        *_act(1, -0.2, (20, STAND, -0.2), *down, (14, LIE, 0.2), (12, CROUCH, 0), (24, STAND, 0)),
        *_leave(0, -edge - OUTSIDE, 2),
    ]


def _walk(start: float, end: float, strides: int) -> list[MotionFrame]:
    frames = strides * STRIDE_FRAMES
    turn = SIDEWAYS if end > start else -SIDEWAYS
    return [(walking_posture(frame, turn), start + (end - start) * frame / frames) for frame in range(frames)]


# The last key of each movement below lasts 0 frames, so that `interpolate` does not return to the first one.


def _turn_around(x: float) -> list[MotionFrame]:
    """Turn to the other side of the picture, through the view of the camera."""
    side = 1 if x > 0 else -1
    return interpolate((TURN, _sideways(side), x), (0, _sideways(-side), x))


def _act(side: int, x: float, *keys: tuple[int, Posture, float]) -> list[MotionFrame]:
    """Stop after a walk to a side of the picture (right: 1, left: -1), face the camera, and take these postures."""
    return interpolate((TURN, _sideways(side), x), *keys, (0, *keys[-1][1:]))


def _leave(x: float, end: float, strides: int) -> list[MotionFrame]:
    """Turn away from the camera, and walk out."""
    return [*interpolate((TURN, STAND, x), (0, _sideways(1 if end > x else -1), x)), *_walk(x, end, strides)]


def _sideways(side: int) -> Posture:
    return walking_posture(0, side * SIDEWAYS)
