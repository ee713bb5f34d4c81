"""Measure waiting time without the time in which this process was suspended."""

import time
from collections.abc import Callable

LONGEST_GAP_S = 1.0  # between two looks at the clock; a process that runs looks more often


class RunningClock:
    """Seconds since it was made in which this process ran.

    After SIGSTOP, or when a virtual machine was paused, `time.monotonic` has moved on although nothing could happen
    here. Limits for stalls and hangs must not count that. Whoever waits calls `now_s` more often than every
    LONGEST_GAP_S; of a longer gap only LONGEST_GAP_S counts.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._looked_s = monotonic()
        self._running_s = 0.0

    def now_s(self) -> float:
        """Seconds of running time so far. Not for several threads at once."""
        looked_s = self._monotonic()
        self._running_s += min(looked_s - self._looked_s, LONGEST_GAP_S)
        self._looked_s = looked_s
        return self._running_s
