"""Decide which frames of a fixed camera go to a network: none while it is blind, and few while the view is empty."""

import time
from collections import deque
from collections.abc import Callable

from edge.pipeline.blindness import Blindness
from edge.pipeline.coarse import coarse
from edge.pipeline.idle import Idle
from edge.types import Floats, Frame, Track

# How often a picture is judged while it is usable. A picture that shows a person is rarely worth it.
JUDGE_S, JUDGE_PEOPLE_S = 0.5, 2.0
LOOKED_AT_KEPT = 10_000


class Gate:
    """Admits frames to the networks.

    The inference thread calls `admits`. Another one calls `observe` and `restart`, and reads and empties `passed_over`.
    """

    def __init__(
        self, *, idle_after_s: float, idle_check_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle = Idle(after_s=idle_after_s, check_s=idle_check_s)
        self._blindness = Blindness()
        self._judged_s = float("-inf")
        self._people = False  # in the last frame that a network saw
        self._monotonic = monotonic
        # For each frame that no network saw: when the gate judged it, on the clock of time.monotonic().
        self.passed_over: deque[float] = deque(maxlen=LOOKED_AT_KEPT)

    @property
    def idle(self) -> bool:
        """Whether idle mode is on."""
        return self._idle.active and not self._blindness.unusable

    @property
    def blind(self) -> bool:
        """Whether nothing could be seen in the pictures for a while."""
        return self._blindness.blind

    def admits(self, frame: Frame) -> bool:
        """Whether a network should see this frame."""
        admitted = self._admits(frame)
        if not admitted:
            self.passed_over.append(self._monotonic())
        return admitted

    def restart(self) -> None:
        """Begin as with the first frame, because the camera was switched off: the next frames go to the networks."""
        self._blindness = Blindness()
        self._idle.restart()

    def observe(self, tracks: list[Track], now_s: float, *, fall: bool) -> None:
        """Note the tracks that were detected in the frame of `now_s`, and whether a fall is open.

        An open fall keeps idle mode off: the person on the floor may be out of sight. A track that is not reported as
        a person does not, because the second network may deny a piece of furniture for hours.
        """
        self._people = any(track.rejected is None for track in tracks)
        self._idle.observe(people=fall or self._people, poses=bool(tracks), now_s=now_s)

    def _admits(self, frame: Frame) -> bool:
        now_s = frame.monotonic_s
        cells: Floats | None = None

        def reduced() -> Floats:
            nonlocal cells
            cells = coarse(frame.image) if cells is None else cells
            return cells

        judge_s = JUDGE_PEOPLE_S if self._people else JUDGE_S
        if not self._blindness.sees or not 0 <= now_s - self._judged_s < judge_s:
            self._judged_s = now_s
            self._blindness.update(frame.image, now_s, reduced())
        if self._blindness.unusable:
            self._idle.restart()
            return False
        return not self._idle.skips(reduced, now_s)
