"""Poses in mirrors and on screens never count."""

from edge.people.exclusion import ExcludedZone, split_excluded
from tests.people.test_tracking import body
from tests.support.fakes import blank_frame
from tests.support.poses import make_pose

FRAME = blank_frame(0)  # 640 x 480 px
MIRROR = ExcludedZone("mirror", ((0.5, 0.0), (1.0, 0.0), (1.0, 0.6), (0.5, 0.6)))


def test_a_reflection_is_rejected_with_the_name_of_the_zone() -> None:
    kept, rejected = split_excluded([make_pose(body(480, 200, y=150))], [MIRROR], FRAME)
    assert kept == []
    assert "mirror" in rejected[0].reason


def test_a_person_in_front_of_the_mirror_is_kept() -> None:
    """Head and trunk are in front of it, the legs are below."""
    pose = make_pose(body(480, 300, y=300))
    assert split_excluded([pose], [MIRROR], FRAME) == ([pose], [])


def test_without_zones_every_pose_is_kept() -> None:
    poses = [make_pose(body(480, 200, y=150))]
    assert split_excluded(poses, [], FRAME) == (poses, [])
