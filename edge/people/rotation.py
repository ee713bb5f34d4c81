"""Choose the rotations in which each frame is shown to the network, so that lying people are detected too.

PoseNet detects upright people; for a lying person, the frame has to be rotated. Every frame gets the rotation in which
most people were last detected, so following a lying person costs nothing extra. A second view of the same frame, with
another rotation, is added when a track was lost, and when a person leans far over or is detected only in that rotation.
At times a second view searches for people without such a reason. The number of second views is limited.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from edge.people.agreement import overlap
from edge.skeleton import INDEX
from edge.types import Pose, Track

# At most 4 + n / 6 second views for n frames: less than 20 % over every minute, from two frames a second upwards.
SHARE, MAX_CREDIT = 1 / 6, 4.0
SEARCH_S = 1.0  # between two searches without a reason, and before the first search for a hidden person
UNCONFIRMED_S = 1.0  # how long a person without an ID is a reason for second views
# Share of the smaller of two boxes that lies in the other:
SAME_PERSON = 0.6
HIDDEN = 0.4

TURNS = (0, 1, 3, 2)  # quarter turns anticlockwise, the likeliest first
_TRUNK = slice(INDEX["LEFT_SHOULDER"], INDEX["RIGHT_HIP"] + 1)  # shoulders, arms, hips: a slice makes no copy
_Point: TypeAlias = tuple[list[float], bool]  # x, y, and whether it is visible


@dataclass(frozen=True, slots=True)
class _Plan:
    """Rotations for the next frames. Replaced as a whole, because one thread writes it and another reads it."""

    first: int  # of every frame
    reasoned: tuple[int, ...]  # for second views that have a reason, the likeliest first
    search: tuple[int, ...]  # for second views without one
    lost_since_s: float  # when the latest lost track was last seen


class RotationPlanner:
    """Decides how frames are rotated, from the people in earlier ones.

    One thread may call `turns` while another calls `observe`. Times are on the clock of `Frame.monotonic_s`.
    """

    def __init__(self) -> None:
        self._plan = _Plan(0, (), TURNS[1:], -math.inf)
        self._credit = MAX_CREDIT  # second views that may be taken
        self._tried_s = dict.fromkeys(TURNS, -math.inf)  # last second view with each rotation
        self._unconfirmed_s = dict.fromkeys(TURNS, -math.inf)  # last person without an ID in each rotation
        self._lost: set[int | None] = set()
        self._hidden: set[int | None] = set()  # lost while another person covered them

    def turns(self, now_s: float) -> list[int]:
        """One or two rotations for the frame taken at `now_s`, in quarter turns anticlockwise."""
        plan = self._plan
        if now_s < max(self._tried_s.values()):  # the clock went back
            self._tried_s = dict.fromkeys(TURNS, -math.inf)
        self._credit = min(self._credit + SHARE, MAX_CREDIT)
        idle_s = now_s - max(*self._tried_s.values(), plan.lost_since_s)
        candidates = plan.reasoned or (plan.search if idle_s >= SEARCH_S else ())
        if not candidates or self._credit < 1:
            return [plan.first]
        self._credit -= 1
        # Round robin, which starts again at the likeliest rotation whenever a track is lost.
        tried = {turn: tried_s for turn, tried_s in self._tried_s.items() if tried_s > plan.lost_since_s}
        second = min(candidates, key=lambda turn: tried.get(turn, -math.inf))
        self._tried_s[second] = now_s
        return [plan.first, second]

    def rest(self) -> None:
        """Count a frame that no network sees: it counts towards the next second view like any other."""
        self._credit = min(self._credit + SHARE, MAX_CREDIT)

    def observe(self, tracks: list[Track], lost: list[Track], now_s: float) -> None:
        """Plan the next frames from the tracks detected in the frame of `now_s` and the tracks lost by then."""
        confirmed = [track for track in tracks if track.id is not None]
        first = _first(tracks, lost)
        reasoned = self._unconfirmed(tracks, now_s)
        search = _search(confirmed, lost, first)
        self._remember_lost(confirmed, lost)
        for track in lost:
            # The rotation of the last detection comes first: perhaps no later frame was rotated that way.
            reasoned.append(track.pose.turn)
            (search if track.id in self._hidden else reasoned).extend(turns_for(track.pose))
        reasoned += [_upright(track.pose) for track in confirmed]
        lost_since_s = max((track.last_seen_s for track in lost), default=-math.inf)
        self._plan = _Plan(first, _without(first, reasoned), _without(first, search), lost_since_s)

    def _unconfirmed(self, tracks: list[Track], now_s: float) -> list[int]:
        """Rotations in which a person without an ID was detected: they need more detections to get one."""
        for track in tracks:
            if track.id is None:
                self._unconfirmed_s[track.pose.turn] = now_s
        return [turn for turn, seen_s in self._unconfirmed_s.items() if abs(now_s - seen_s) < UNCONFIRMED_S]

    def _remember_lost(self, confirmed: list[Track], lost: list[Track]) -> None:
        """Note which tracks were lost behind another person: most likely, no rotation shows them."""
        new = [track for track in lost if track.id not in self._lost]
        behind = {track.id for track in new if any(overlap(track.pose, other.pose) >= HIDDEN for other in confirmed)}
        self._lost = {track.id for track in lost}
        self._hidden = (self._hidden | behind) & self._lost


def _first(tracks: list[Track], lost: list[Track]) -> int:
    """The rotation for every frame: that of most people. A new person counts more than a lost one."""
    votes = dict.fromkeys(TURNS, 0)
    for track in tracks:
        votes[track.pose.turn] += 3 if track.id is None else 4
    for track in lost:
        votes[track.pose.turn] += 2
    return max(TURNS, key=votes.__getitem__)


def _search(confirmed: list[Track], lost: list[Track], first: int) -> list[int]:
    """Rotations to search without a reason: all if there are no tracks, the upright one if frames are rotated."""
    if not confirmed and not lost:
        return list(TURNS)
    return [] if first == 0 else [0]


def _without(first: int, turns: Iterable[int]) -> tuple[int, ...]:
    return tuple(turn for turn in dict.fromkeys(turns) if turn != first)


def turns_for(pose: Pose) -> list[int]:
    """All rotations, the one that brings the head up first; without a trunk, the one of the detection first."""
    degrees = lean(pose)
    if degrees is None:
        return sorted(TURNS, key=lambda turn: turn != pose.turn)
    return sorted(TURNS, key=lambda turn: abs((90 * turn - degrees + 180) % 360 - 180))


def _upright(pose: Pose) -> int:
    """The first of `turns_for`."""
    degrees = lean(pose)
    return pose.turn if degrees is None else round(degrees / 90) % 4


def lean(pose: Pose) -> float | None:
    """Angle from upright to the line from hips to shoulders, degrees clockwise; None without shoulders or hips."""
    # For so few values, plain floats are faster than arrays.
    trunk, visible = pose.xy[_TRUNK].tolist(), pose.visible[_TRUNK].tolist()
    left_shoulder, right_shoulder, *_, left_hip, right_hip = zip(trunk, visible, strict=True)
    shoulders = _middle(left_shoulder, right_shoulder)
    hips = _middle(left_hip, right_hip)
    if shoulders is None or hips is None:
        return None
    return math.degrees(math.atan2(shoulders[0] - hips[0], hips[1] - shoulders[1]))


def _middle(left: _Point, right: _Point) -> list[float] | None:
    """The middle between both points, or the only visible one."""
    (one, one_is_visible), (other, other_is_visible) = left, right
    if one_is_visible and other_is_visible:
        return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]
    return one if one_is_visible else other if other_is_visible else None


def merge_views(views: list[list[Pose]]) -> list[Pose]:
    """The poses of all views of one frame, best first; of a person in several views, only the best pose."""
    if len(views) == 1:
        return views[0]
    kept: list[Pose] = []
    for pose in sorted((pose for view in views for pose in view), key=lambda pose: -pose.score):
        if not any(pose.turn != other.turn and overlap(pose, other) >= SAME_PERSON for other in kept):
            kept.append(pose)
    return kept
