"""What is sure enough to be reported: thresholds on keypoints and on poses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.skeleton import INDEX, KEYPOINT_COUNT
from edge.types import Decoded, Floats, Letterbox, Pose

# What the decoder makes of the last keypoints that nobody had, and of a better pose for the rest, is hardly ever
# somebody, and would take the ids of those who are.
OWN = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """The least that counts. A keypoint below `confidence` is left out, a pose that misses another limit as well."""

    confidence: Floats  # (17,), one a body part
    score: float  # of a pose
    keypoints: int  # visible ones a pose needs
    own: float = (
        OWN  # share of its keypoints, by confidence, that are not a better pose's; those do not count in a score
    )

    @classmethod
    def of(
        cls, *, confidence: float, parts: Mapping[Any, float], score: float, keypoints: int, own: float = OWN
    ) -> "Thresholds":
        """`confidence` for every keypoint but those that `parts` (name -> confidence) sets apart."""
        each = np.full(KEYPOINT_COUNT, confidence, np.float32)
        for name, value in parts.items():
            each[INDEX[name]] = value
        return cls(each, score, keypoints, own)


def keep_visible(decoded: Decoded, letterbox: Letterbox, thresholds: Thresholds) -> list[Pose]:
    """The poses that are sure enough, in frame space, best first, with their keypoints marked as visible or not."""
    poses = []
    for yx, confidence, score in zip(decoded.keypoints, decoded.confidences, decoded.scores, strict=True):
        visible = confidence >= thresholds.confidence
        own = score * KEYPOINT_COUNT >= thresholds.own * confidence.sum()
        if own and score >= thresholds.score and np.count_nonzero(visible) >= thresholds.keypoints:
            poses.append(Pose(letterbox.to_frame(yx), confidence, visible, float(score), letterbox.turn))
    return poses
