"""Predict where each track is next: a Kalman filter of constant velocity.

All lengths are relative to a person's size, the diagonal of the box around the visible keypoints.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.people.evidence import Evidence
from edge.types import Floats, Pose, Track

AREA_ROOT = 0.45  # square root of a person's area in the picture, which OKS needs; 0.45 to 0.55 in all postures
SHRINK_S = 2.0  # a size grows at once but shrinks slowly: large people are often partly hidden
POSITION_NOISE = 0.02  # standard deviation of a measured position, sizes
INITIAL_SPEED = 0.6  # standard deviation of a new track's velocity, sizes per second
VELOCITY_GAIN = 0.7  # variance that a velocity gains per second: people change by about half a size/s in half a second
COAST_S = 1.0  # how long a track without detections is predicted to move on; after that, it stands still


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A pose, and the box around its visible keypoints."""

    pose: Pose
    x: float  # centre of the box, frame px
    y: float
    size_px: float


@dataclass(frozen=True, slots=True, eq=False)
class TrackState:
    """A track and its prediction, in frame px."""

    track: Track
    evidence: Evidence
    similar_s: float  # when a pose last resembled the prediction
    size_px: float
    x: float  # centre of the box
    y: float
    xy: Floats  # (17, 2) keypoints
    known: npt.NDArray[np.bool_]  # (17,) keypoints that were ever visible; hidden ones move with the others
    velocity: Floats  # (2,) px/s
    variance: tuple[float, float, float]  # of the position, position with velocity, and velocity; per size squared

    def predicted(self, now_s: float) -> "TrackState":
        """This state, moved on to `now_s`."""
        gap_s = now_s - self.track.last_seen_s
        position, both, velocity = self.variance
        variance = (
            position + 2 * both * gap_s + velocity * gap_s**2 + VELOCITY_GAIN * gap_s**3 / 3,
            both + velocity * gap_s + VELOCITY_GAIN * gap_s**2 / 2,
            velocity + VELOCITY_GAIN * gap_s,
        )
        step = self.velocity * np.float32(min(gap_s, COAST_S))
        dx, dy = step.tolist()
        return TrackState(
            self.track, self.evidence, self.similar_s, self.size_px,
            self.x + dx, self.y + dy, self.xy + step, self.known, self.velocity, variance,
        )  # fmt: skip

    def corrected(
        self, track: Track, evidence: Evidence, measurement: Measurement, shift: Floats, similarity: float
    ) -> "TrackState":
        """This prediction, corrected by a pose that is `shift` (2,) px away from it.

        `track` and `evidence` include that pose. The lower the `similarity`, 0..1, the less the pose counts: while two
        people overlap, the network detects poses with keypoints of both.
        """
        position, both, velocity = self.variance
        noise = position + POSITION_NOISE**2 / max(similarity, 1e-9)
        gain, velocity_gain_hz = position / noise, both / noise
        pose = track.pose
        # Hidden keypoints move with the others, and new ones start at their measured positions.
        moved: Floats = np.where(pose.visible[:, None], pose.xy - self.xy, shift)
        xy = self.xy + np.float32(gain) * moved
        new = pose.visible > self.known
        if new.any():
            xy[new] = pose.xy[new]
        gap_s = track.last_seen_s - self.track.last_seen_s
        return TrackState(
            track,
            evidence,
            track.last_seen_s if similarity else self.similar_s,
            max(measurement.size_px, self.size_px * math.exp(-gap_s / SHRINK_S)),
            measurement.x,
            measurement.y,
            xy,
            self.known | pose.visible,
            self.velocity + np.float32(velocity_gain_hz) * shift,
            ((1 - gain) * position, (1 - gain) * both, velocity - velocity_gain_hz * both),
        )


def initial_state(track: Track, evidence: Evidence, measurement: Measurement) -> TrackState:
    """The state of a track whose motion is not known."""
    return TrackState(
        track, evidence, track.last_seen_s, measurement.size_px, measurement.x, measurement.y, track.pose.xy,
        track.pose.visible, np.zeros(2, np.float32), (POSITION_NOISE**2, 0.0, INITIAL_SPEED**2),
    )  # fmt: skip


def measure(pose: Pose) -> Measurement:
    box = pose.box
    left, top, right, bottom = box
    return Measurement(pose, (left + right) / 2, (top + bottom) / 2, box.size_px)
