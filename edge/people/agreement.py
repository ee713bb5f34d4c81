"""Combine the poses that two networks detect in one frame: one pose per person."""

import math
from dataclasses import replace

import numpy as np

from edge.people.motion import AREA_ROOT
from edge.skeleton import INDEX, OKS_SIGMAS
from edge.types import Pose

# Least similarity of two poses that agree; below it, one of them is distorted.
AGREEMENT = 0.5
# Share of the smaller of two boxes that lies in the other one, from which two poses are of one person.
SAME_PLACE = 0.6
# With fewer keypoints in common, two poses are similar by chance.
MIN_COMMON = 5

# One of two agreeing poses must reach the score for its network: both may take the same furniture for a person.
SURE_FIRST, SURE_SECOND = 0.5, 0.2
# How much higher the first network scores a person whom both detect: 1.5 in real rooms, 1.7 in rendered ones.
SECOND_SCALE = 1.6

# The first network often shows an arm that is stretched up as hanging down. Farther apart than this, in sizes of the
# person, two networks show different arms.
SAME_ARM = 0.1
_ARMS = [[INDEX[f"{side}_{part}"] for part in ("SHOULDER", "ELBOW", "WRIST")] for side in ("LEFT", "RIGHT")]

_VARIANCES = np.square(2 * AREA_ROOT * OKS_SIGMAS)  # of keypoints, per size squared


def similarity(one: Pose, other: Pose) -> float:
    """COCO's object keypoint similarity of the keypoints that both poses show, 0..1."""
    common = (one.visible & other.visible).nonzero()[0]
    if len(common) < MIN_COMMON:
        return 0.0
    size_px = max(one.box.size_px, other.box.size_px)
    apart = np.square((one.xy - other.xy)[common] / np.float32(size_px)).sum(axis=1)
    return float(np.exp(apart / _VARIANCES[common] / -2).mean())


def overlap(one: Pose, other: Pose) -> float:
    """Share of the smaller box of visible keypoints that lies in the other one, 0..1."""
    a, b = one.box, other.box
    width = min(a.right, b.right) - max(a.left, b.left) + 1
    height = min(a.bottom, b.bottom) - max(a.top, b.top) + 1
    smaller = min((box.width + 1) * (box.height + 1) for box in (a, b))
    return max(width, 0) * max(height, 0) / smaller


def merge_networks(views: list[list[Pose]], checkable_px: float = 0.0, most: float = math.inf) -> list[Pose]:
    """The poses of one frame as one or both networks see them, best first; one pose per person.

    The poses of the first view are kept where both agree, so that keypoints do not jump whenever the other network
    looks. Of two different poses in the same place, that of the second network is kept: it makes fewer mistakes. The
    same holds if only the second network shows a raised arm. The second network is unsure about poses smaller than
    `checkable_px`. A network that shows `most` poses cannot show more, so it does not deny the other poses.
    """
    if len(views) == 1:
        return views[0]
    main, other = views
    pairs = sorted(
        (
            (likeness, i, j)
            for i, one in enumerate(main)
            for j, two in enumerate(other)
            if (likeness := _likeness(one, two)) > 0
        ),
        reverse=True,
    )
    merged: list[Pose] = []
    main_left, other_left = dict(enumerate(main)), dict(enumerate(other))
    for likeness, i, j in pairs:
        if i in main_left and j in other_left:
            merged.append(_merged(main_left.pop(i), other_left.pop(j), similar=likeness > 1))
    for poses, opposite in ((main_left, other), (other_left, main)):
        for pose in poses.values():
            small = not pose.by_multipose and pose.box.size_px < checkable_px
            merged.append(replace(pose, opinion="unsure" if small or len(opposite) >= most else "denies"))
    return sorted(merged, key=_score_like_first, reverse=True)


def _score_like_first(pose: Pose) -> float:
    """The score of a pose on the scale of the first network."""
    return pose.score * SECOND_SCALE if pose.by_multipose else pose.score


def _merged(main: Pose, other: Pose, *, similar: bool) -> Pose:
    """The pose to keep of two that are in the same place."""
    if not similar:
        return replace(main if main.by_multipose else other, opinion="denies")
    first, second = (other, main) if main.by_multipose else (main, other)
    # Both may take the same furniture for a person, but then both scores are low.
    sure = first.score >= SURE_FIRST or second.score >= SURE_SECOND
    if sure and any(_is_raised(second, arm) and not _shows(first, second, arm) for arm in _ARMS):
        return replace(second, opinion="denies", weak=False)
    return replace(main, opinion="agrees" if sure else "unsure", weak=main.weak and not sure)


def _is_raised(pose: Pose, arm: list[int]) -> bool:
    """Whether an arm is visible with the wrist above the shoulder."""
    shoulder, _, wrist = arm
    return bool(pose.visible[arm].all() and pose.xy[wrist, 1] < pose.xy[shoulder, 1])


def _shows(pose: Pose, other: Pose, arm: list[int]) -> bool:
    """Whether a pose has an arm where the other one has it."""
    apart = np.linalg.norm(pose.xy[arm] - other.xy[arm], axis=1)
    return bool(pose.visible[arm].all() and apart.max() < SAME_ARM * other.box.size_px)


def _likeness(one: Pose, two: Pose) -> float:
    """Above 1 for similar poses, up to 1 for poses in the same place, 0 for others."""
    similar = similarity(one, two)
    if similar >= AGREEMENT:
        return 1 + similar
    share = overlap(one, two)
    return share if share >= SAME_PLACE and _near(one, two) else 0.0


def _near(one: Pose, two: Pose) -> bool:
    """Whether the centres of two poses are near each other, compared with the larger of them."""
    a, b = one.box, two.box
    x, y = (a.left + a.right - b.left - b.right) / 2, (a.top + a.bottom - b.top - b.bottom) / 2
    return math.hypot(x, y) <= max(a.size_px, b.size_px) / 2
