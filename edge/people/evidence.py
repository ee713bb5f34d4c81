"""Decide whether a track is a person: bed posts, coats and shadows also look like poses."""

from dataclasses import dataclass, replace

import numpy as np

from edge.types import Pose

# The first network's score from which a pose is clear, where the second network cannot judge. In real rooms, half of
# the ghosts score below 0.3 and five in six below 0.45; 95 % of the people score above 0.37.
CLEAR_SCORE = 0.45
FAINT_S = 2.0  # how long a fainter pose has to be detected, if several detections have this many visible keypoints
DETAILED = 10
# For the second network. A person who lies still from the first frame scores 0.2 to 0.35 for minutes; bed posts and
# bottles reach 0.2 in single frames.
FAINT_SCORE, MIN_FAINT = 0.2, 8  # least score and number of detections with many visible keypoints, over `FAINT_S`
MOVED = 0.5  # ... or how far it has to move, in sizes
# A track is rejected after this many consecutive looks of the second network without it, over at least this time.
MAX_DENIALS, DENIED_S = 3, 1.5
MIN_STRONG = 2  # strong detections of the second network that need no agreement

NEW = "not seen often enough yet"
UNCONFIRMED = "not confirmed by the second network"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for and against a track, since its start."""

    started_s: float
    x: float  # centre of the first box, frame px
    y: float
    hits: int = 0  # detections
    detailed: int = 0  # detections with many keypoints
    clear: int = 0  # detections of the first network with a clear score
    strong: int = 0  # detections of the second network that are not weak
    faint: int = 0  # detections of the second network that may be a person, with many keypoints
    agreed: bool = False  # whether both networks agreed once
    unsure: bool = False  # whether the second network could not tell at its last look
    moved: bool = False
    denials: int = 0  # consecutive looks of the second network that did not show it
    supported_s: float = 0.0  # last time before the first of these
    accepted: bool = False

    def after(self, pose: Pose, x: float, y: float, size_px: float, now_s: float) -> "Evidence":
        """With one more detection, whose box has its centre at (x, y)."""
        denied = pose.opinion == "denies" and not pose.by_multipose
        supported = pose.opinion == "agrees" or pose.by_multipose
        detailed = int(np.count_nonzero(pose.visible) >= DETAILED)
        denials = 0 if supported else self.denials + denied
        return Evidence(
            self.started_s,
            self.x,
            self.y,
            hits=self.hits + 1,
            detailed=self.detailed + detailed,
            clear=self.clear + (not pose.by_multipose and pose.score >= CLEAR_SCORE),
            strong=self.strong + (pose.by_multipose and not pose.weak),
            faint=self.faint + (pose.by_multipose and may_start(pose) and detailed),
            agreed=self.agreed or pose.opinion == "agrees",
            unsure=self.unsure if pose.opinion is None else pose.opinion == "unsure",
            moved=self.moved or abs(x - self.x) + abs(y - self.y) > MOVED * size_px,
            denials=denials,
            supported_s=self.supported_s if denials else now_s,
            accepted=self.accepted,
        )

    def judged(self, now_s: float, min_hits: int, *, second: bool) -> tuple["Evidence", str | None]:
        """This evidence with the verdict, and the reason if the track is not reported as a person.

        `second` says whether there is a second network to ask.
        """
        if self.accepted:
            denied = self.denials >= MAX_DENIALS and now_s - self.supported_s >= DENIED_S
            return self, UNCONFIRMED if denied else None
        if self.agreed or (self.hits >= min_hits and self._is_convincing(now_s, min_hits, second=second)):
            return replace(self, accepted=True), None
        return self, UNCONFIRMED if self.denials else NEW

    def _is_convincing(self, now_s: float, min_hits: int, *, second: bool) -> bool:
        if self.strong >= MIN_STRONG or (self.faint >= MIN_FAINT and now_s - self.started_s >= FAINT_S):
            return True
        if second and not self.unsure:
            return False
        lasting = self.detailed >= min_hits and now_s - self.started_s >= FAINT_S
        return self.clear >= min_hits or (self.moved and self.detailed >= min_hits) or lasting


def may_start(pose: Pose) -> bool:
    """Whether a pose may start a track, if it continues none."""
    return not pose.weak or pose.score >= FAINT_SCORE


def first_evidence(x: float, y: float, now_s: float) -> Evidence:
    """The evidence of a track whose first box has its centre at (x, y) px."""
    return Evidence(now_s, x, y, supported_s=now_s)
