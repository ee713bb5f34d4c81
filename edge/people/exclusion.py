"""Drop poses in zones where nothing counts, such as mirrors and screens."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.geometry import Polygon, contains
from edge.types import Frame, Pose, Rejected

# All keypoints of a reflection lie inside the mirror. The legs of a person in front of the mirror lie outside.
MIN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class ExcludedZone:
    """A part of the picture in which poses never count."""

    name: str
    points: Polygon  # corners in fractions of the frame, from the left and from the top


def split_excluded(poses: list[Pose], zones: Sequence[ExcludedZone], frame: Frame) -> tuple[list[Pose], list[Rejected]]:
    """The poses outside all zones, in order, and the others with the reason."""
    if not zones:
        return poses, []
    kept: list[Pose] = []
    rejected: list[Rejected] = []
    for pose in poses:
        points = (pose.xy[pose.visible] / (frame.width, frame.height)).tolist()
        name = next((zone.name for zone in zones if _share(points, zone.points) >= MIN_SHARE), None)
        if name is None:
            kept.append(pose)
        else:
            rejected.append(Rejected(pose, f"in the excluded zone {name}"))
    return kept, rejected


def _share(points: list[list[float]], polygon: Polygon) -> float:
    """Share of the points that lie in the polygon, 0..1."""
    return sum(contains(polygon, (x, y)) for x, y in points) / len(points)
