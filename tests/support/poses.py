"""Poses for tests that need no network."""

import numpy as np

from edge.skeleton import KEYPOINT_COUNT
from edge.types import Array, Opinion, Pose


def make_pose(
    xy: Array,
    *,
    visible: Array | None = None,
    confidence: float = 0.9,
    score: float = 0.8,
    turn: int = 0,
    by_multipose: bool = False,
    weak: bool = False,
    opinion: Opinion | None = None,
) -> Pose:
    """A pose of these keypoints, (17, 2) as (x, y) in frame px. Hidden ones have a confidence of 0.1."""
    seen = np.ones(KEYPOINT_COUNT, np.bool_) if visible is None else visible
    confidences = np.where(seen, confidence, 0.1).astype(np.float32)
    return Pose(xy.astype(np.float32), confidences, seen, score, turn, by_multipose, weak, opinion)
