"""Wait for a condition instead of a time, so that tests are quick on a fast machine and pass on a slow one."""

import time
from collections.abc import Callable

LONG_S = 60.0  # reached only when a test fails; a busy machine can hold a process up for seconds


def until(condition: Callable[[], object], timeout_s: float = LONG_S) -> None:
    """Return as soon as the condition holds. Raises AssertionError if it does not within `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s"
        time.sleep(0.01)
