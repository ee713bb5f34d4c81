"""Choose which of two networks looks at each frame.

The first network (PoseNet) detects upright people. The second (MoveNet MultiPose) also detects lying, bent and partly
hidden people, and makes fewer mistakes, but runs on the CPU only. Every frame is shown to one of them: normally the
first; the second while it is the only one that detects a person. A second look at the same frame, by the other network,
is added when there is a reason: a track was lost, a new person needs a confirmation, a person leans far over, nothing
was detected for a while, or the last check is too long ago. The number of second looks is limited.
"""

import math
from dataclasses import dataclass

from edge.people.rotation import lean
from edge.skeleton import INDEX
from edge.types import Pose, Track

# At most 4 + n / 6 second looks for n frames.
SHARE, MAX_CREDIT = 1 / 6, 4.0
# Between two second looks without a reason: in an empty room, with people, and while an arm may be raised.
EMPTY_CHECK_S, CHECK_S, ARM_CHECK_S = 1.0, 2.0, 0.8
# The first network often shows a raised arm as hanging down. Its confidence in that wrist is then 0.25 to 0.7, instead
# of more than 0.85.
UNSURE_WRIST = 0.6
LEANING_DEGREES = 50.0  # from upright; the first network misses people who lean farther
RETURN_LOOKS = 2  # looks of the first network that must confirm all people before it takes over again

_WRISTS, _SHOULDERS = ([INDEX[f"{side}_{part}"] for side in ("LEFT", "RIGHT")] for part in ("WRIST", "SHOULDER"))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Replaced as a whole, because one thread writes it and another reads it."""

    second: bool = False  # whether the second network looks at every frame
    wait_s: float = EMPTY_CHECK_S  # least time between two second looks


class NetworkPlanner:
    """Decides which networks look at a frame, from the people in earlier ones.

    One thread may call `networks` while another calls `observe`. Times are on the clock of `Frame.monotonic_s`.
    """

    def __init__(self) -> None:
        self._plan = _Plan()
        self._credit = MAX_CREDIT  # second looks that may be taken
        self._looked_s = -math.inf  # last look of the other network
        self._agreed = 0  # consecutive looks in which both networks detected the same people

    def networks(self, now_s: float) -> list[bool]:
        """The networks that look at the frame taken at `now_s`, the main one first; True means the second network."""
        plan = self._plan
        if now_s < self._looked_s:  # the clock went back
            self._looked_s = -math.inf
        self._credit = min(self._credit + SHARE, MAX_CREDIT)
        if self._credit < 1 or now_s - self._looked_s < plan.wait_s:
            return [plan.second]
        self._credit -= 1
        self._looked_s = now_s
        return [plan.second, not plan.second]

    def rest(self) -> None:
        """Count a frame that no network sees: it counts towards the next second look like any other."""
        self._credit = min(self._credit + SHARE, MAX_CREDIT)

    def observe(self, tracks: list[Track], lost: list[Track]) -> None:
        """Plan the next frames from the tracks detected in this one, and the tracks with an ID lost by then."""
        second = self._plan.second
        checked = [track for track in tracks if track.pose.opinion is not None]
        if any(_seen_by_second_only(track.pose) for track in checked):
            second, self._agreed = True, 0
        elif second and tracks and len(checked) == len(tracks):
            self._agreed = 0 if lost else self._agreed + 1
            second = self._agreed < RETURN_LOOKS
        elif second and not tracks and not lost:
            second, self._agreed = False, 0
        self._plan = _Plan(second, _wait_s(tracks, lost, second=second))


def _wait_s(tracks: list[Track], lost: list[Track], *, second: bool) -> float:
    """The least time between two second looks. Without a reason for one, it is a check."""
    if lost or any(_needs_look(track, second=second) for track in tracks):
        return 0.0
    if not tracks:
        return EMPTY_CHECK_S
    if not second and any(_has_unsure_arm(track.pose) for track in tracks):
        return ARM_CHECK_S
    return CHECK_S


def _has_unsure_arm(pose: Pose) -> bool:
    """Whether an arm may be raised although the first network does not show it."""
    return bool((pose.confidence[_WRISTS] < UNSURE_WRIST)[pose.visible[_SHOULDERS]].any())


def _seen_by_second_only(pose: Pose) -> bool:
    return pose.by_multipose and pose.opinion == "denies"


def _needs_look(track: Track, *, second: bool) -> bool:
    if second:
        return False  # the first network is asked at the checks
    if track.rejected is not None and track.pose.opinion is None:
        return True
    degrees = lean(track.pose)
    return degrees is not None and abs(degrees) > LEANING_DEGREES
