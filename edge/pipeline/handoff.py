"""How a value goes from one thread to another."""

import threading
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """One value at a time, from one thread to one other. `queue.Queue(maxsize=1)` does that too, but in Python: it
    takes several times as long, of which a part is between two calls of `invoke()`.
    """

    def __init__(self) -> None:
        self._values: SimpleQueue[T] = SimpleQueue()
        self._occupied = threading.Lock()

    def put(self, value: T) -> None:
        """Waits until the value before this one has been taken."""
        self._occupied.acquire()  # and whoever takes the value releases it
        self._values.put(value)

    def get(self, timeout_s: float) -> T:
        """Waits for a value. Raises queue.Empty if none came in time."""
        value = self._values.get(timeout=timeout_s)
        self._occupied.release()
        return value
