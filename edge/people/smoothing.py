"""Smooth keypoints with One Euro filters (Casiez, Roussel, Vogel 2012), and add hysteresis against flicker.

A keypoint at rest is smoothed strongly and a moving one hardly at all: lag shows in motion, noise shows at rest. Speed
is measured in a person's sizes per second, so distance and resolution make no difference. A keypoint that was not
detected in a frame is never invented.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.people.filtering import Thresholds
from edge.types import Floats, Pose, Track

SPEED_CUTOFF_HZ = 1.0  # of the filter of the speed, as in the paper
RESTART_S = 0.4  # a person not seen for longer starts at the new position; a hidden keypoint does so at once
FORGET_S = 10.0  # how long the filter of an absent person is kept


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters of the filters; the defaults are those of the configuration."""

    min_cutoff_hz: float = 0.25  # of a keypoint at rest: lower is steadier
    beta_hz: float = 4.0  # added per size per second of speed: higher lags less
    hysteresis: float = 0.05  # how far above its threshold a keypoint has to rise to appear again


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """The state of one person's filters."""

    xy: Floats  # (17, 2) filtered, frame px; meaningless for keypoints that are not `seen`
    velocity: Floats  # (17, 2) filtered, px/s
    seen: npt.NDArray[np.bool_]  # (17,) keypoints that reached their threshold
    shown: npt.NDArray[np.bool_]  # (17,) keypoints that were published
    size_px: float  # filtered
    now_s: float  # of the last frame


class Smoother:
    """Smooths the poses of tracks with an ID, from frame to frame."""

    def __init__(self, thresholds: Thresholds, settings: Settings = Settings()) -> None:
        self._settings = settings
        self._filters: dict[int, _Filter] = {}
        self.use(thresholds)

    def use(self, thresholds: Thresholds) -> None:
        """Apply other thresholds from the next frame on."""
        self._min_keypoints = thresholds.keypoints
        # At most halfway between the threshold and 1, so that every keypoint can reach it.
        limit = thresholds.confidence
        self._to_appear = np.minimum(
            limit + np.float32(self._settings.hysteresis), (limit + np.float32(1)) / np.float32(2)
        )

    def smooth(self, tracks: list[Track], now_s: float) -> list[Track]:
        """The same tracks with smoothed poses; tracks without an ID stay as they are. `now_s` is `monotonic_s`."""
        smoothed = [track if track.id is None else self._smoothed(track.id, track, now_s) for track in tracks]
        if any(not 0 <= now_s - state.now_s < FORGET_S for state in self._filters.values()):
            self._filters = {id_: state for id_, state in self._filters.items() if 0 <= now_s - state.now_s < FORGET_S}
        return smoothed

    def _smoothed(self, id_: int, track: Track, now_s: float) -> Track:
        last, pose = self._filters.get(id_), track.pose
        if last is None or now_s <= last.now_s:
            velocity = np.zeros_like(pose.xy)
            self._filters[id_] = _Filter(pose.xy, velocity, pose.visible, pose.visible, pose.box.size_px, now_s)
            return track
        filtered = self._filters[id_] = self._filtered(last, pose, now_s)
        smoothed = Pose(filtered.xy, pose.confidence, filtered.shown, pose.score, pose.turn)
        return Track(id_, smoothed, track.first_seen_s, track.last_seen_s)

    def _filtered(self, last: _Filter, pose: Pose, now_s: float) -> _Filter:
        """Filter the keypoints seen now and in the last frame; the others start at their new positions."""
        gap_s, seen = now_s - last.now_s, pose.visible
        speed_weight = _weight(gap_s, SPEED_CUTOFF_HZ)
        size_px = last.size_px + speed_weight * (pose.box.size_px - last.size_px)
        change = pose.xy - last.xy
        velocity = last.velocity + speed_weight * (change / gap_s - last.velocity)
        speed = np.hypot(velocity[:, :1], velocity[:, 1:]) / size_px  # (17, 1) sizes per second
        weight = _weight(gap_s, self._settings.min_cutoff_hz + self._settings.beta_hz * speed)
        continues = (seen & last.seen)[:, None] & (gap_s <= RESTART_S)
        shown = seen & (last.shown | (pose.confidence >= self._to_appear))
        return _Filter(
            np.where(continues, last.xy + weight * change, pose.xy),
            np.where(continues, velocity, np.float32(0)),
            seen,
            # Hysteresis must not hide so many keypoints that the person would disappear.
            shown if np.count_nonzero(shown) >= self._min_keypoints else seen,
            size_px,
            now_s,
        )


def _weight(gap_s: float, cutoff_hz: Any) -> Any:
    """The weight of the newest value, 0..1, in a first-order low-pass filter after `gap_s`."""
    turns = 2 * math.pi * gap_s * cutoff_hz
    return turns / (turns + 1)
