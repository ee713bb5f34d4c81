"""Measure waiting time without the time in which this process was suspended."""

import time
from collections.abc import Callable

LONGEST_GAP_S = 1.0  # between two calls; a process that runs calls more often


class RunningClock:
    """Seconds since its creation in which this process ran. Not thread-safe.

    While the process or its virtual machine is suspended, `time.monotonic` can go on. Such time must not count against
    the limits for stalls and hangs. So callers ask for `now_s` more often than every `longest_gap_s`, and of a
    longer gap only `longest_gap_s` counts.
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
