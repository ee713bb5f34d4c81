"""Idle mode: while no person is in view, only frames that show a change go to a network, and one every few seconds."""

from collections.abc import Callable

from edge.pipeline.change import ChangeMeter
from edge.types import Floats

COMPARE_S = 0.09  # pictures closer together than this are not compared: a newcomer takes longer to be detected
AWAKE_S = 1.0  # how long frames go to a network after a change, or after a pose without an ID
# Poses without an ID keep the networks on for so long only: after that they belong to the room, such as a coat that is
# taken for a person now and then. They count again after ABSENT_S without any.
CANDIDATE_S, ABSENT_S = 5.0, 10.0


class Idle:
    """Decides for each frame whether a network should see it.

    One thread may call `skips` while another calls `observe`. All times are on the clock of `Frame.monotonic_s`.
    """

    def __init__(self, *, after_s: float, check_s: float) -> None:
        """Idle begins `after_s` after the last person (0: never). Then one frame every `check_s` goes to a network."""
        self._after_s = after_s
        self._check_s = check_s
        self._people = False  # in the last frame that a network saw
        self._person_s: float | None = None  # when a person was last in view, or watching began
        self._awake_s = 0.0  # when a frame last had to go to a network
        self._shown_s = 0.0  # when a frame last went to a network
        self._candidate_s = self._pose_s = float("-inf")  # when poses without an ID were first and last found
        self._compared_s = 0.0  # when a picture was last compared
        self._meter: ChangeMeter | None = None  # learns only while no person is in view
        self.active = False  # whether idle mode is on

    def observe(self, *, people: bool, poses: bool, now_s: float) -> None:
        """Note what a network found at `now_s`: people, who end idle mode, or poses that may become people."""
        self._people = people
        if people:
            self._person_s = now_s
        if not poses or people:
            return
        if not 0 <= now_s - self._pose_s < ABSENT_S:
            self._candidate_s = now_s
        self._pose_s = now_s
        if now_s - self._candidate_s < CANDIDATE_S:
            self._awake_s = now_s

    def restart(self) -> None:
        """Show every frame for `after_s` again, because the scene may have changed."""
        self._person_s = None

    def skips(self, cells: Callable[[], Floats], now_s: float) -> bool:
        """Whether the frame of `now_s` needs no network. `cells` gives the picture, as from `coarse`, if needed."""
        if self._person_s is None or now_s < max(self._person_s, self._shown_s):  # the clock may go back
            self._person_s = self._awake_s = now_s
            self._meter = None
        self.active = self._after_s > 0 and now_s - self._person_s >= self._after_s
        if self._after_s == 0 or self._people:
            self._meter = None
        elif self._meter is None or now_s - self._compared_s >= COMPARE_S:
            self._meter = self._meter or ChangeMeter()
            self._compared_s = now_s
            if self._meter.changed(cells(), now_s):
                self._awake_s = now_s
        if self.active and now_s - self._awake_s >= AWAKE_S and now_s - self._shown_s < self._check_s:
            return True
        self._shown_s = now_s
        return False
