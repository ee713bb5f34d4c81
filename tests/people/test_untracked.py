"""Poses in unrelated pictures."""

from edge.people.untracked import Untracked
from tests.people.test_tracking import body
from tests.support.poses import make_pose


def test_poses_get_no_id_and_weak_ones_are_left_out() -> None:
    clear = make_pose(body(200, 300), by_multipose=True, score=0.4)
    weak = make_pose(body(400, 300), by_multipose=True, weak=True, score=0.3)
    (track,) = Untracked().update([clear, weak], 0.0)
    assert track.pose is clear
    assert (track.id, track.rejected) == (None, None)
