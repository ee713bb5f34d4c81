"""People in single pictures, where one picture does not continue the last: neither tracked nor smoothed."""

from edge.types import Pose, Track


class Untracked:
    """A tracker and smoother in one that gives no IDs and changes nothing."""

    lost: list[Track] = []  # noqa: RUF012 - always empty

    def update(self, poses: list[Pose], now_s: float) -> list[Track]:
        return [Track(None, pose, now_s, now_s) for pose in poses]

    def smooth(self, tracks: list[Track], now_s: float) -> list[Track]:  # noqa: ARG002 - a Smoother's signature
        return tracks
