"""Motions of painted people: each is a loop of postures, one per frame."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from edge.scenes.figure import Posture, make_posture

STRIDE_FRAMES, STRIDE_LENGTH = 15, 0.5  # duration of two steps, and the statures that they cover in the picture

CREEP_LENGTH, CREEP_WAIT = 0.002, 375  # statures per frame, about 5 cm/s at 15 fps; frames outside the picture

MotionFrame: TypeAlias = tuple[Posture, float]  # and the distance to the right of the person's place, in statures
Motion: TypeAlias = Callable[[float], list[MotionFrame]]  # makes a loop; takes the free statures on either side


def interpolate(*keys: tuple[int, Posture, float]) -> list[MotionFrame]:
    """Move smoothly from each key to the next, and from the last to the first.

    A key is (number of frames to the next key, posture, x).
    """
    frames: list[MotionFrame] = []
    for (count, a, xa), (_, b, xb) in pairwise((*keys, keys[0])):
        for t in np.arange(count) / count:
            s = t * t * (3 - 2 * t)
            frames.append((a + (b - a) * s, float(xa + (xb - xa) * s)))
    return frames


def walking_posture(frame: int, turn: float) -> Posture:
    """The posture in frame `frame` of a stride, turned by `turn` degrees from the camera."""
    phase = 2 * np.pi * frame / STRIDE_FRAMES
    legs, arms = [], []
    for half in (0, np.pi):
        swing, lift = np.sin(phase + half), max(np.cos(phase + half), 0)
        legs.append((22 * swing + 6 * lift, 1, 22 * swing - 6 - 44 * lift, 0))
        arms.append((-20 * swing, 8, 14 - 24 * swing, 4))
    return make_posture((turn, 0, 3, -0.3 * turn), *arms, *legs)


def walk(room: float) -> list[MotionFrame]:
    """Walk to one side, turn, and walk back."""
    frames = max(1, int(2 * room / STRIDE_LENGTH)) * STRIDE_FRAMES
    xs = (np.arange(frames) / frames - 0.5) * frames / STRIDE_FRAMES * STRIDE_LENGTH
    turns = np.linspace(48, -48, 9)[:-1]
    return [
        *((walking_posture(frame, 48), float(x)) for frame, x in enumerate(xs)),
        *((walking_posture(0, turn), -float(xs[0])) for turn in turns),
        *((walking_posture(frame, -48), -float(x)) for frame, x in enumerate(xs)),
        *((walking_posture(0, -turn), float(xs[0])) for turn in turns),
    ]


STAND = make_posture((-12, 0, 0, 6))


def creep(room: float) -> list[MotionFrame]:
    """Stay outside the picture, shuffle in very slowly, stay, and leave."""
    outside = -(room + 0.25 + 0.35)
    inward = np.arange(outside, min(outside + 1.2, 0.0), CREEP_LENGTH).tolist()
    xs = [outside] * CREEP_WAIT + inward + inward[-1:] * 150 + inward[::-8]
    return [(STAND, x) for x in xs]


GLANCE = make_posture((-12, 0, 0, -10))
HAND_OUT = make_posture((-12, 0, 0, 6), right_arm=(0, 62, 0, 172))
HAND_ACROSS = make_posture((-12, 0, 0, 6), right_arm=(0, 58, 0, 138))


def wave(_room: float) -> list[MotionFrame]:
    """Stand, look around, wave with the right hand."""
    waving = [(6, p, 0.0) for p in (HAND_OUT, HAND_ACROSS) * 4]
    return interpolate((15, STAND, 0), (15, GLANCE, 0), (10, STAND, 0), *waving, (10, HAND_OUT, 0))


BOW = make_posture((-6, 0, 36, 4), (30, 8, 40, 5), (30, 8, 40, 5), (46, 8, -24, 0), (46, 8, -24, 0))
SEATED = make_posture((0, 0, 2, 0), *[(12, 10, 58, 0)] * 2, *[(84, 16, -14, -2)] * 2)


def sit(_room: float) -> list[MotionFrame]:
    """Sit down, stay, get up."""
    return interpolate((30, STAND, 0), (8, STAND, 0), (8, BOW, 0), (45, SEATED, 0), (8, SEATED, 0), (8, BOW, 0))


STAGGER = make_posture((6, 14, 0, 0), (0, 50, 20, 60), (0, 40, 10, 50), (0, 8, 0, 6), (10, 3, -20, 2))
CROUCH = make_posture((6, 24, 20, 0), (40, 20, 50, 10), (40, 20, 50, 10), (70, 8, -40, 4), (70, 8, -40, 4))
LIE = make_posture((0, 88, 0, 0), (50, 0, 70, 0), (14, 4, 40, -4), (16, -2, -16, -1), (8, 2, -6, 0))


def fall(_room: float) -> list[MotionFrame]:
    """Stand, stagger, fall to the right, lie, get up."""
    down = (6, STAND, -0.2), (9, STAGGER, -0.12), (60, LIE, 0.2)
    return interpolate((30, STAND, -0.2), *down, (14, LIE, 0.2), (12, CROUCH, 0))


def lie(_room: float) -> list[MotionFrame]:
    """Lie on the side and breathe."""
    breath = LIE + make_posture((0, 0, 2, 4), (2, 0, 6, 0), *[(0, 0, 0, 0)] * 3)
    return interpolate((22, LIE, 0), (22, breath, 0))
