"""Steady keypoints: a One Euro filter each (Casiez, Roussel, Vogel 2012), and hysteresis against flicker.

A keypoint that rests is smoothed strongly, and one that moves hardly at all, because there lag would show and noise
does not. Speed is measured in sizes of the person a second, so that near and far people are treated alike, whatever the
resolution. Nothing is invented: what a frame does not show is not shown.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.people.filtering import Thresholds
from edge.types import Floats, Pose, Track

SPEED_CUTOFF_HZ = 1.0  # for the speed itself, as in the paper
# Who was not seen for so long begins anew where they are seen then; so does a keypoint that was hidden at all.
AWAY_S = 0.4
FORGET_S = 10.0  # a person


@dataclass(frozen=True, slots=True)
class Settings:
    """How steady, and how quick."""

    min_cutoff_hz: float = 0.25  # of a keypoint that rests: lower is steadier
    beta_hz: float = 4.0  # added to it for each size of the person a second: higher lags less
    hysteresis: float = 0.05  # how much surer than its threshold a keypoint has to be to appear again


@dataclass(frozen=True, slots=True, eq=False)
class _Memory:
    """What is known of one person."""

    xy: Floats  # (17, 2) filtered, frame px; of no use where not `seen`
    velocity: Floats  # (17, 2) filtered, px/s
    seen: npt.NDArray[np.bool_]  # (17,) which keypoints were sure enough
    shown: npt.NDArray[np.bool_]  # (17,)
    size_px: float
    now_s: float


class Smoother:
    """Remembers everybody with an id for a while."""

    def __init__(self, thresholds: Thresholds, settings: Settings = Settings()) -> None:
        self._settings = settings
        self._enough = thresholds.keypoints
        # Somewhere between the threshold and certainty, or nothing could ever come back.
        limit = thresholds.confidence
        self._to_appear = np.minimum(limit + np.float32(settings.hysteresis), (limit + np.float32(1)) / np.float32(2))
        self._people: dict[int, _Memory] = {}

    def smooth(self, tracks: list[Track], now_s: float) -> list[Track]:
        """The same people, steadied; those without an id as they are. `now_s` is the frame's `monotonic_s`."""
        steadied = [track if track.id is None else self._steadied(track.id, track, now_s) for track in tracks]
        if any(not 0 <= now_s - memory.now_s < FORGET_S for memory in self._people.values()):
            self._people = {id_: memory for id_, memory in self._people.items() if 0 <= now_s - memory.now_s < FORGET_S}
        return steadied

    def _steadied(self, id_: int, track: Track, now_s: float) -> Track:
        memory, pose = self._people.get(id_), track.pose
        if memory is None or now_s <= memory.now_s:
            size_px = pose.box.size_px
            self._people[id_] = _Memory(pose.xy, np.zeros_like(pose.xy), pose.visible, pose.visible, size_px, now_s)
            return track
        memory = self._people[id_] = self._filtered(memory, pose, now_s)
        steadied = Pose(memory.xy, pose.confidence, memory.shown, pose.score, pose.turn)
        return Track(id_, steadied, track.first_seen_s, track.last_seen_s)

    def _filtered(self, memory: _Memory, pose: Pose, now_s: float) -> _Memory:
        """One Euro, of the keypoints that are sure enough now and were so in the last frame; the others begin anew."""
        gap_s, seen = now_s - memory.now_s, pose.visible
        speed_weight = _weight(gap_s, SPEED_CUTOFF_HZ)
        size_px = memory.size_px + speed_weight * (pose.box.size_px - memory.size_px)
        change = pose.xy - memory.xy
        velocity = memory.velocity + speed_weight * (change / gap_s - memory.velocity)
        sizes_a_second = np.hypot(velocity[:, :1], velocity[:, 1:]) / size_px
        weight = _weight(gap_s, self._settings.min_cutoff_hz + self._settings.beta_hz * sizes_a_second)
        goes_on = (seen & memory.seen)[:, None] & (gap_s <= AWAY_S)
        shown = seen & (memory.shown | (pose.confidence >= self._to_appear))
        return _Memory(
            np.where(goes_on, memory.xy + weight * change, pose.xy),
            np.where(goes_on, velocity, np.float32(0)),
            seen,
            # Keypoints may have to wait, but not so many that the person would vanish for that.
            shown if np.count_nonzero(shown) >= self._enough else seen,
            size_px,
            now_s,
        )


def _weight(gap_s: float, cutoff_hz: Any) -> Any:
    """Of the newest value in a low-pass filter of first order, after `gap_s`: 0..1."""
    turns = 2 * math.pi * gap_s * cutoff_hz
    return turns / (turns + 1)
