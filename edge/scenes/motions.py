"""What painted people do: each act is a loop of postures, one a frame."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from edge.scenes.figure import Posture, posture

STRIDE, STEP = 15, 0.5  # frames of two steps, and how many statures they lead across the picture

Beat: TypeAlias = tuple[Posture, float]  # how a body is held, and how far to the right of its place, in statures
Act: TypeAlias = Callable[[float], list[Beat]]  # of the free statures on either side: a loop, one beat a frame


def tween(*keys: tuple[int, Posture, float]) -> list[Beat]:
    """Go gently from one (frames to the next, posture, x) to the next, and from the last to the first."""
    beats: list[Beat] = []
    for (frames, a, xa), (_, b, xb) in pairwise((*keys, keys[0])):
        for t in np.arange(frames) / frames:
            s = t * t * (3 - 2 * t)
            beats.append((a + (b - a) * s, float(xa + (xb - xa) * s)))
    return beats


def stride(frame: int, turn: float) -> Posture:
    """One frame of walking, of `STRIDE`, turned that many degrees from the camera."""
    phase = 2 * np.pi * frame / STRIDE
    legs, arms = [], []
    for half in (0, np.pi):
        swing, lift = np.sin(phase + half), max(np.cos(phase + half), 0)
        legs.append((22 * swing + 6 * lift, 1, 22 * swing - 6 - 44 * lift, 0))
        arms.append((-20 * swing, 8, 14 - 24 * swing, 4))
    return posture((turn, 0, 3, -0.3 * turn), *arms, *legs)


def walk(room: float) -> list[Beat]:
    """To and fro."""
    frames = max(1, int(2 * room / STEP)) * STRIDE
    xs = (np.arange(frames) / frames - 0.5) * frames / STRIDE * STEP
    turns = np.linspace(48, -48, 9)[:-1]
    return [
        *((stride(frame, 48), float(x)) for frame, x in enumerate(xs)),
        *((stride(0, turn), -float(xs[0])) for turn in turns),
        *((stride(frame, -48), -float(x)) for frame, x in enumerate(xs)),
        *((stride(0, -turn), float(xs[0])) for turn in turns),
    ]


STAND = posture((-12, 0, 0, 6))


def wave(_room: float) -> list[Beat]:
    """Stand, look around, wave with the right hand."""
    glance = posture((-12, 0, 0, -10))
    out = posture((-12, 0, 0, 6), right_arm=(0, 62, 0, 172))
    across = posture((-12, 0, 0, 6), right_arm=(0, 58, 0, 138))
    waving = [(6, p, 0.0) for p in (out, across) * 4]
    return tween((15, STAND, 0), (15, glance, 0), (10, STAND, 0), *waving, (10, out, 0))


def sit(_room: float) -> list[Beat]:
    """Sit down, stay, get up."""
    arm, leg = (12, 10, 58, 0), (84, 16, -14, -2)
    bow = posture((-6, 0, 36, 4), (30, 8, 40, 5), (30, 8, 40, 5), (46, 8, -24, 0), (46, 8, -24, 0))
    seated = posture((0, 0, 2, 0), arm, arm, leg, leg)
    return tween((30, STAND, 0), (8, STAND, 0), (8, bow, 0), (45, seated, 0), (8, seated, 0), (8, bow, 0))


LIE = posture((0, 88, 0, 0), (50, 0, 70, 0), (14, 4, 40, -4), (16, -2, -16, -1), (8, 2, -6, 0))


def fall(_room: float) -> list[Beat]:
    """Stand, stagger, fall to the right, lie, get up."""
    stagger = posture((6, 14, 0, 0), (0, 50, 20, 60), (0, 40, 10, 50), (0, 8, 0, 6), (10, 3, -20, 2))
    crouch = posture((6, 24, 20, 0), (40, 20, 50, 10), (40, 20, 50, 10), (70, 8, -40, 4), (70, 8, -40, 4))
    down = (6, STAND, -0.2), (9, stagger, -0.12), (60, LIE, 0.2)
    return tween((30, STAND, -0.2), *down, (14, LIE, 0.2), (12, crouch, 0))


def lie(_room: float) -> list[Beat]:
    """Lie on the side and breathe."""
    breath = LIE + posture((0, 0, 2, 4), (2, 0, 6, 0), *[(0, 0, 0, 0)] * 3)
    return tween((22, LIE, 0), (22, breath, 0))
