"""Limit how often something may happen."""


class Allowance:
    """For `burst` times, and then for one more per `refill_s`."""

    def __init__(self, burst: int, refill_s: float, now_s: float) -> None:
        self._burst, self._refill_s = burst, refill_s
        self._left = float(burst)
        self._since_s = now_s

    def take(self, now_s: float) -> bool:
        """Whether there was one left."""
        self._left = min(self._left + (now_s - self._since_s) / self._refill_s, float(self._burst))
        self._since_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
