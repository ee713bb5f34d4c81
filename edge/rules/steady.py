"""Yes or no, steadied over time."""


class Steady:
    """An answer that changes only after the opposite was observed for a while without interruption."""

    def __init__(self, *, answer: bool = False) -> None:
        self.answer = answer
        self._opposed_since_s: float | None = None

    def update(self, observed: bool, now_s: float, after_s: float) -> bool:
        """The answer, which follows `observed` after `after_s`."""
        if observed == self.answer:
            self._opposed_since_s = None
        elif self._opposed_since_s is None:
            self._opposed_since_s = now_s
        if self._opposed_since_s is not None and now_s - self._opposed_since_s >= after_s:
            self.answer, self._opposed_since_s = observed, None
        return self.answer
