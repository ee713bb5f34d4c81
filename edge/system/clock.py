"""A clock that excludes the time during which this process was suspended."""

import time
from collections.abc import Callable

LONGEST_GAP_S = 1.0  # between two calls while the process runs


class RunningClock:
    """Counts the seconds that this process has run since the clock was created. Not thread-safe.

    While the process or its virtual machine is suspended, `time.monotonic` may go on. That time must not count against
    the limits for stalls and hangs. Callers therefore call `now_s` more often than every `longest_gap_s`; a longer gap
    counts as `longest_gap_s`.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, *, longest_gap_s: float = LONGEST_GAP_S
    ) -> None:
        self._monotonic = monotonic
        self._longest_gap_s = longest_gap_s
        self._last_s = monotonic()
        self._running_s = 0.0

    def now_s(self) -> float:
        """Seconds of running time so far."""
        now_s = self._monotonic()
        self._running_s += min(now_s - self._last_s, self._longest_gap_s)
        self._last_s = now_s
        return self._running_s
