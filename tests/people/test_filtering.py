import numpy as np
import pytest

from edge.people.filtering import Thresholds, keep_visible
from edge.skeleton import INDEX
from edge.types import Decoded, Floats, Letterbox


def decoded(*confidences: Floats) -> Decoded:
    each = np.stack(confidences).astype(np.float32)
    keypoints = np.arange(each.size * 2, dtype=np.float32).reshape(*each.shape, 2)
    return Decoded(keypoints, each, each.mean(axis=1))


SAME = Letterbox(1.0, 0, 0)


def thresholds(**other: float | dict[str, float]) -> Thresholds:
    return Thresholds.of(**({"confidence": 0.3, "parts": {}, "score": 0.2, "keypoints": 5} | other))  # type: ignore[arg-type]


def test_a_keypoint_at_its_threshold_is_visible() -> None:
    confidence = np.full(17, 0.9)
    confidence[[2, 4, 6]] = 0.29, 0.3, 0.31
    (pose,) = keep_visible(decoded(confidence), SAME, thresholds())
    assert np.flatnonzero(~pose.visible).tolist() == [2]


def test_body_parts_may_have_their_own_thresholds() -> None:
    parts = {"LEFT_EAR": 0.95, "NOSE": 0.0}
    confidence = np.full(17, 0.9)
    confidence[INDEX["NOSE"]] = 0.01
    (pose,) = keep_visible(decoded(confidence), SAME, thresholds(parts=parts))
    assert np.flatnonzero(~pose.visible).tolist() == [INDEX["LEFT_EAR"]]


def test_a_pose_needs_enough_keypoints_and_score() -> None:
    few, confident, faint = np.full(17, 0.1), np.full(17, 0.1), np.full(17, 0.35)
    few[:4] = 0.99
    confident[:5] = 0.99
    found = decoded(few, confident, faint)
    assert [pose.score for pose in keep_visible(found, SAME, thresholds())] == found.scores[1:].tolist()
    assert len(keep_visible(found, SAME, thresholds(keypoints=4))) == 3
    assert [pose.score for pose in keep_visible(found, SAME, thresholds(score=0.36))] == found.scores[1:2].tolist()
    assert keep_visible(found, SAME, thresholds(score=0.37, keypoints=1)) == []


def test_a_pose_made_mostly_of_a_better_one_is_dropped() -> None:
    """The decoder leaves the keypoints of a better pose out of the score, but keeps their confidences."""
    found = decoded(*np.full((3, 17), 0.8))
    found.scores[:] = 0.8, 0.8 * 7 / 17, 0.8 * 6 / 17  # 17, 7 and 6 keypoints of their own
    assert [pose.score for pose in keep_visible(found, SAME, thresholds())] == found.scores[:2].tolist()
    assert len(keep_visible(found, SAME, thresholds(own=0))) == 3


def test_positions_are_in_frame_pixels() -> None:
    found = decoded(np.full(17, 0.9))
    (pose,) = keep_visible(found, Letterbox(0.5, 10, 20), thresholds())
    y, x = found.keypoints[0, 3]
    assert pose.xy[3] == pytest.approx(((x - 10 + 0.5) / 0.5 - 0.5, (y - 20 + 0.5) / 0.5 - 0.5))


def test_mirroring_changes_x_and_keeps_the_labels() -> None:
    found = decoded(np.full(17, 0.9))
    (plain,) = keep_visible(found, SAME, thresholds())
    (mirrored,) = keep_visible(found, Letterbox(1.0, 0, 0, mirror=True, size=(640, 480)), thresholds())
    assert mirrored.xy[:, 0] == pytest.approx(639 - plain.xy[:, 0])
    assert mirrored.xy[:, 1] == pytest.approx(plain.xy[:, 1])
