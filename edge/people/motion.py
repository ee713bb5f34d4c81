"""Where everybody is expected, and how large: a Kalman filter of constant velocity, and a memory of their size."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.types import Floats, Pose, Track

# All lengths are relative to a person's size, the diagonal of the box around the keypoints.
SHRINK_S = 2.0  # a size grows at once and shrinks slowly: parts of people are hidden more often than people are small

# The Kalman filter. People change their pace by about half their size per second within half a second.
PLACE_NOISE = 0.02
PACE = 0.6  # of people who were not seen before
PACE_CHANGE = 0.7  # variance of the velocity gained in a second
COAST_S = 1.0  # after that long out of sight, people are expected to stand

GROWTH_S = 1.0  # over which it is told whether somebody grows, by coming nearer
GROWING_HZ = 0.1  # of the logarithm of the size; what it was says little about what it is then


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A pose, and the box around its visible keypoints."""

    pose: Pose
    x: float  # its middle
    y: float
    size_px: float  # its diagonal


@dataclass(frozen=True, slots=True, eq=False)
class Stature:
    """How large somebody was expected when nobody else could be meant, and nothing of the pose could be another's."""

    size_px: float  # the diagonal of the box around all keypoints
    growth_hz: float = 0.0  # of the logarithm, of late

    @property
    def steady(self) -> bool:
        return abs(self.growth_hz) < GROWING_HZ

    def seen(self, size_px: float, gap_s: float) -> "Stature":
        """Seen like that again, `gap_s` later."""
        if gap_s <= 0:
            return self
        size_px = max(size_px, self.size_px * math.exp(-gap_s / SHRINK_S))
        newest = -math.expm1(-gap_s / GROWTH_S)
        change_hz = math.log(size_px / self.size_px) / gap_s
        return Stature(size_px, self.growth_hz + newest * (change_hz - self.growth_hz))


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody's track, and where they are expected."""

    track: Track
    hits: int  # how often they were seen
    alike_s: float  # when they last looked as expected
    size_px: float
    stature: Stature | None  # None until nobody else could be meant
    x: float  # the middle of the box, as expected
    y: float
    xy: Floats  # (17, 2)
    known: npt.NDArray[np.bool_]  # (17,) the keypoints that were ever visible; hidden ones move with the others
    velocity: Floats  # (2,) px/s
    variance: tuple[float, float, float]  # of the place, of place and velocity together, of the velocity; per size²

    def predicted(self, now_s: float) -> "Person":
        """Going on as before."""
        gap_s = now_s - self.track.last_seen_s
        place, both, speed = self.variance
        variance = (
            place + 2 * both * gap_s + speed * gap_s**2 + PACE_CHANGE * gap_s**3 / 3,
            both + speed * gap_s + PACE_CHANGE * gap_s**2 / 2,
            speed + PACE_CHANGE * gap_s,
        )
        step = self.velocity * np.float32(min(gap_s, COAST_S))
        dx, dy = step.tolist()
        return Person(
            self.track, self.hits, self.alike_s, self.size_px, self.stature,
            self.x + dx, self.y + dy, self.xy + step, self.known, self.velocity, variance,
        )  # fmt: skip

    def seen(self, track: Track, seen: Seen, away: Floats, likeness: float, *, sure: bool) -> "Person":
        """Corrected by a pose that is `away` (2,) px from the prediction; `sure` if it can be nobody else's.

        The less it is like the prediction, the less is learnt from it: while two people overlap, the network gives
        poses that are half the one and half the other.
        """
        place, both, speed = self.variance
        noise = place + PLACE_NOISE**2 / max(likeness, 1e-9)
        gain, gain_hz = place / noise, both / noise
        pose = track.pose
        # Keypoints that are hidden go with the others, and those that are new begin where they are.
        moved: Floats = np.where(pose.visible[:, None], pose.xy - self.xy, away)
        xy = self.xy + np.float32(gain) * moved
        new = pose.visible > self.known
        if new.any():
            xy[new] = pose.xy[new]
        gap_s = track.last_seen_s - self.track.last_seen_s
        return Person(
            track,
            self.hits + 1,
            track.last_seen_s if likeness else self.alike_s,
            max(seen.size_px, self.size_px * math.exp(-gap_s / SHRINK_S)),
            self._stature_by(xy, gap_s) if sure else self.stature,
            seen.x,
            seen.y,
            xy,
            self.known | pose.visible,
            self.velocity + np.float32(gain_hz) * away,
            ((1 - gain) * place, (1 - gain) * both, speed - gain_hz * both),
        )

    def _stature_by(self, xy: Floats, gap_s: float) -> Stature:
        (size_px,) = diagonals(xy[None]).tolist()
        return self.stature.seen(size_px, gap_s) if self.stature else Stature(size_px)


def diagonals(xy: Floats) -> Floats:
    """Of the boxes (n,) around all keypoints (n, 17, 2), px, at least 1."""
    width, height = (xy.max(axis=1) - xy.min(axis=1)).T
    diagonal: Floats = np.maximum(np.hypot(width, height), np.float32(1))
    return diagonal


def arrived(track: Track, seen: Seen, hits: int) -> Person:
    """Somebody of whose motion nothing is known."""
    return Person(
        track, hits, track.last_seen_s, seen.size_px, None, seen.x, seen.y, track.pose.xy, track.pose.visible,
        np.zeros(2, np.float32), (PLACE_NOISE**2, 0.0, PACE**2),
    )  # fmt: skip


def measured(poses: list[Pose]) -> list[Seen]:
    seen = []
    for pose in poses:
        xs, ys = zip(*pose.xy[pose.visible].tolist(), strict=True)
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        seen.append(
            Seen(pose, (left + right) / 2, (top + bottom) / 2, max(math.hypot(right - left, bottom - top), 1.0))
        )
    return seen
