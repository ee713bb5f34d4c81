"""Keep the poses and keypoints that are confident enough to be published."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.skeleton import INDEX, KEYPOINT_COUNT
from edge.types import Decoded, Floats, Letterbox, Pose

# A pose that shares most of its keypoints with a better one is almost never a person, but could take a person's ID.
MIN_OWN_SHARE = 0.4
DEFAULT_CONFIDENCE, DEFAULT_SCORE = 0.3, 0.2  # of the configuration: filter.min_confidence, filter.min_pose_score


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """Keypoints below `confidence` are hidden; poses below one of the other values are dropped."""

    confidence: Floats  # (17,), one per keypoint
    score: float  # of a pose
    keypoints: int  # visible ones of a pose
    # Share of a pose's confidence that lies in keypoints of no better pose; only those keypoints count in its score.
    own: float = MIN_OWN_SHARE
    start_score: float = 0.0  # of a pose that may start a track; others can only continue one
    exponent: float = 1.0  # of confidences, which makes those of another network comparable
    by_multipose: bool = False  # whether the network is MoveNet MultiPose

    @classmethod
    def of(
        cls, *, confidence: float, parts: Mapping[Any, float], score: float, keypoints: int, own: float = MIN_OWN_SHARE
    ) -> "Thresholds":
        """Use `confidence` for every keypoint that `parts` (name -> confidence) does not list."""
        each = np.full(KEYPOINT_COUNT, confidence, np.float32)
        for name, value in parts.items():
            each[INDEX[name]] = value
        return cls(each, score, keypoints, own)

    def for_multipose(self, keypoint_confidence: float, start_score: float, keep_score: float) -> "Thresholds":
        """These thresholds on the scale of MoveNet MultiPose, whose scores and confidences run lower.

        The arguments are its values that correspond to the default thresholds for PoseNet.
        """
        strictness = self.score / DEFAULT_SCORE
        return replace(
            self,
            score=min(keep_score * strictness, 1.0),
            start_score=min(start_score * strictness, 1.0),
            own=0.0,
            exponent=math.log(DEFAULT_CONFIDENCE) / math.log(keypoint_confidence),
            by_multipose=True,
        )


def keep_visible(decoded: Decoded, letterbox: Letterbox, thresholds: Thresholds) -> list[Pose]:
    """The poses that reach the thresholds, best first, in frame space, with their visible keypoints marked."""
    poses = []
    positions = letterbox.to_frame(decoded.keypoints)
    for xy, confidence, score in zip(positions, decoded.confidences, decoded.scores, strict=True):
        if thresholds.exponent != 1:
            confidence = confidence ** np.float32(thresholds.exponent)  # noqa: PLW2901 - the same value on another scale
        visible = confidence >= thresholds.confidence
        own = score * KEYPOINT_COUNT >= thresholds.own * confidence.sum()
        if own and score >= thresholds.score and np.count_nonzero(visible) >= thresholds.keypoints:
            weak = bool(score < thresholds.start_score)
            poses.append(Pose(xy, confidence, visible, float(score), letterbox.turn, thresholds.by_multipose, weak))
    return poses
