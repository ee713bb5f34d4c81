"""A stand-in for tracking and smoothing where pictures are unrelated."""

from edge.people.filtering import Thresholds
from edge.types import Pose, Track


class Untracked:
    """A tracker that assigns no IDs, and a smoother that changes nothing."""

    lost: list[Track] = []  # noqa: RUF012 - always empty

    def update(self, poses: list[Pose], now_s: float) -> list[Track]:
        """A track without an ID for each pose, in order. Weak poses are left out: there is no track to continue."""
        return [Track(None, pose, now_s, now_s) for pose in poses if not pose.weak]

    def use(self, thresholds: Thresholds) -> None:
        """Do nothing: nothing is smoothed."""

    def smooth(self, tracks: list[Track], now_s: float) -> list[Track]:  # noqa: ARG002 - a Smoother's signature
        return tracks
