"""Hand values from one thread to another."""

import threading
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """Hands over one value at a time, from one thread to one other.

    `queue.Queue(maxsize=1)` does the same, but is several times slower, and part of that time falls between two calls
    of `invoke()`.
    """

    def __init__(self) -> None:
        self._values: SimpleQueue[T] = SimpleQueue()
        self._occupied = threading.Lock()

    def put(self, value: T) -> None:
        """Hand a value over; waits until the previous value has been taken."""
        self._occupied.acquire()  # `get` releases it
        self._values.put(value)

    def get(self, timeout_s: float) -> T:
        """Take a value. Raises queue.Empty if none came within `timeout_s`."""
        value = self._values.get(timeout=timeout_s)
        self._occupied.release()
        return value
