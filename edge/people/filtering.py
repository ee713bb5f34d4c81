"""Keep the poses and keypoints that are confident enough to be published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.skeleton import INDEX, KEYPOINT_COUNT
from edge.types import Decoded, Floats, Letterbox, Pose

# A pose that shares most of its keypoints with a better one is almost never a person, but could take a person's ID.
MIN_OWN_SHARE = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """Keypoints below `confidence` are hidden; poses below one of the other values are dropped."""

    confidence: Floats  # (17,), one per keypoint
    score: float  # of a pose
    keypoints: int  # visible ones of a pose
    # Share of a pose's confidence that lies in keypoints of no better pose; only those keypoints count in its score.
    own: float = MIN_OWN_SHARE

    @classmethod
    def of(
        cls, *, confidence: float, parts: Mapping[Any, float], score: float, keypoints: int, own: float = MIN_OWN_SHARE
    ) -> "Thresholds":
        """Use `confidence` for every keypoint that `parts` (name -> confidence) does not list."""
        each = np.full(KEYPOINT_COUNT, confidence, np.float32)
        for name, value in parts.items():
            each[INDEX[name]] = value
        return cls(each, score, keypoints, own)


def keep_visible(decoded: Decoded, letterbox: Letterbox, thresholds: Thresholds) -> list[Pose]:
    """The poses that reach the thresholds, best first, in frame space, with their visible keypoints marked."""
    poses = []
    for yx, confidence, score in zip(decoded.keypoints, decoded.confidences, decoded.scores, strict=True):
        visible = confidence >= thresholds.confidence
        own = score * KEYPOINT_COUNT >= thresholds.own * confidence.sum()
        if own and score >= thresholds.score and np.count_nonzero(visible) >= thresholds.keypoints:
            poses.append(Pose(letterbox.to_frame(yx), confidence, visible, float(score), letterbox.turn))
    return poses
