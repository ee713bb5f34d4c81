"""Which way each frame is shown to the network: PoseNet knows upright people, and those who lie need a turn.

Frames are turned the way in which most people were last seen, so that somebody who lies stays in sight and costs
nothing extra. A *second look* at the same frame, turned another way, is taken when a person was lost, turns horizontal
or is only to be seen that way; and now and then while nobody is tracked. Second looks are rationed.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edge.skeleton import INDEX
from edge.types import Pose, Track

# At most 4 + n / 6 second looks at n frames: less than 20 % over every minute with two frames a second or more.
SHARE, SAVED_MOST = 1 / 6, 4.0
SEARCH_S = 1.0  # between two second looks without a reason, and before the first one for somebody who is hidden
GLIMPSE_S = 1.0  # how long there is reason to look for somebody who is not yet believed
# How much of the smaller of two boxes lies in the other:
SAME_PERSON = 0.6
HIDDEN = 0.4

TURNS = (0, 1, 3, 2)  # in quarter turns, anticlockwise; the likeliest first
_TRUNK = slice(INDEX["LEFT_SHOULDER"], INDEX["RIGHT_HIP"] + 1)  # shoulders, arms, hips: a slice costs no copy
_Place: TypeAlias = tuple[list[float], bool]  # x, y, and whether it is visible


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One value, because it goes from thread to thread."""

    first: int  # how to turn the next frames
    seconds: tuple[int, ...]  # second looks for which there is a reason, the likeliest first
    search: tuple[int, ...]  # and those for which there is none
    since_s: float  # when the last one who is missing was seen


class Lookout:
    """Decides how frames are turned, by what came of those before.

    One thread may ask for `turns` while another one `note`s; seconds are those of `Frame.monotonic_s`.
    """

    def __init__(self) -> None:
        self._wanted = _Wanted(0, (), TURNS[1:], -math.inf)
        self._saved = SAVED_MOST
        self._tried_s = dict.fromkeys(TURNS, -math.inf)
        self._lost: set[int | None] = set()
        self._hidden: set[int | None] = set()
        self._glimpsed_s = dict.fromkeys(TURNS, -math.inf)

    def turns(self, now_s: float) -> list[int]:
        """How to turn the frame of `now_s`: one way, or two."""
        wanted = self._wanted
        if now_s < max(self._tried_s.values()):  # the clock went back
            self._tried_s = dict.fromkeys(TURNS, -math.inf)
        self._saved = min(self._saved + SHARE, SAVED_MOST)
        idle_s = now_s - max(*self._tried_s.values(), wanted.since_s)
        seconds = wanted.seconds or (wanted.search if idle_s >= SEARCH_S else ())
        if not seconds or self._saved < 1:
            return [wanted.first]
        self._saved -= 1
        # In turns, and from the likeliest on again whenever someone is lost.
        tried = {turn: tried_s for turn, tried_s in self._tried_s.items() if tried_s > wanted.since_s}
        second = min(seconds, key=lambda turn: tried.get(turn, -math.inf))
        self._tried_s[second] = now_s
        return [wanted.first, second]

    def note(self, tracks: list[Track], lost: list[Track], now_s: float) -> None:
        """Who was seen in the frame of `now_s`, and who should have been."""
        seen = [track for track in tracks if track.id is not None]
        # Who is there counts most; somebody new who is there, more than somebody known who is not.
        votes = dict.fromkeys(TURNS, 0)
        for people, weight in ((tracks, 3), (seen, 1), (lost, 2)):
            for track in people:
                votes[track.pose.turn] += weight
        first = max(TURNS, key=votes.__getitem__)
        for track in tracks:
            if track.id is None:
                self._glimpsed_s[track.pose.turn] = now_s
        # Somebody who was seen for the first time has to be seen again to be believed.
        seconds = [turn for turn, glimpsed_s in self._glimpsed_s.items() if abs(now_s - glimpsed_s) < GLIMPSE_S]
        # With nobody but those who lie in sight there is a search for newcomers; with nobody, for everybody.
        known = [*seen, *lost]
        search = [] if first == 0 and known else [0] if known else list(TURNS)
        # Who vanished behind somebody else is not to be seen any way, most likely.
        newly = [track for track in lost if track.id not in self._lost]
        behind = {track.id for track in newly if any(_overlap(track.pose, other.pose) >= HIDDEN for other in seen)}
        self._lost = {track.id for track in lost}
        self._hidden = (self._hidden | behind) & self._lost
        for track in lost:
            # First the way in which they were last seen, for perhaps no frame was turned like that since.
            seconds.append(track.pose.turn)
            (search if track.id in self._hidden else seconds).extend(turns_for(track.pose))
        seconds += [_upright(track.pose) for track in seen]
        since_s = max((track.last_seen_s for track in lost), default=-math.inf)
        self._wanted = _Wanted(first, _without(first, seconds), _without(first, search), since_s)


def _without(first: int, turns: Iterable[int]) -> tuple[int, ...]:
    return tuple(turn for turn in dict.fromkeys(turns) if turn != first)


def turns_for(pose: Pose) -> list[int]:
    """All turns, the one that brings this person's head up first; without a trunk, the one they were seen with."""
    lean = _lean(pose)
    if lean is None:
        return sorted(TURNS, key=lambda turn: turn != pose.turn)
    return sorted(TURNS, key=lambda turn: abs((90 * turn - lean + 180) % 360 - 180))


def _upright(pose: Pose) -> int:
    """The first of `turns_for`."""
    lean = _lean(pose)
    return pose.turn if lean is None else round(lean / 90) % 4


def _lean(pose: Pose) -> float | None:
    """How far the head is from up, degrees clockwise; None without shoulders or hips."""
    # A few single values of each person in each frame: plain numbers are faster.
    trunk, visible = pose.xy[_TRUNK].tolist(), pose.visible[_TRUNK].tolist()
    left_shoulder, right_shoulder, *_, left_hip, right_hip = zip(trunk, visible, strict=True)
    shoulders = _middle(left_shoulder, right_shoulder)
    hips = _middle(left_hip, right_hip)
    if shoulders is None or hips is None:
        return None
    return math.degrees(math.atan2(shoulders[0] - hips[0], hips[1] - shoulders[1]))


def _middle(left: _Place, right: _Place) -> list[float] | None:
    """Of those that are visible."""
    (one, one_is_seen), (other, other_is_seen) = left, right
    if one_is_seen and other_is_seen:
        return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]
    return one if one_is_seen else other if other_is_seen else None


def merged(looks: list[list[Pose]]) -> list[Pose]:
    """The poses of all looks at one frame, best first; people who are in more than one of them as they look best."""
    if len(looks) == 1:
        return looks[0]
    kept: list[Pose] = []
    for pose in sorted((pose for look in looks for pose in look), key=lambda pose: -pose.score):
        if not any(pose.turn != other.turn and _overlap(pose, other) >= SAME_PERSON for other in kept):
            kept.append(pose)
    return kept


def _overlap(one: Pose, other: Pose) -> float:
    """How much of the smaller of the boxes around the visible keypoints lies in the other, 0..1."""
    (low, high), (other_low, other_high) = (
        (pose.xy[pose.visible].min(axis=0), pose.xy[pose.visible].max(axis=0) + 1) for pose in (one, other)
    )
    common = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None).prod()
    return float(common / min((high - low).prod(), (other_high - other_low).prod()))
