"""Work that other threads ask for, done in the main thread between two frames."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from edge.errors import EdgeError, RequestError

log = logging.getLogger(__name__)

MAX_WAITING = 64  # more are refused
T = TypeVar("T")


class Calls:
    """A queue of work. Any thread may call `submit`; the main thread calls `tick` and `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # so that nothing is submitted after `close`
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._closed = False

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Do `work` soon. The Future has its result, or an EdgeError."""
        done: Future[T] = Future()
        with self._lock:
            if self._closed:
                done.set_exception(_stopping())
            elif self._waiting.qsize() >= MAX_WAITING:
                done.set_exception(RequestError("", "too many requests are waiting", "try again in a second"))
            else:
                self._waiting.put((done, work))
        return done

    def tick(self) -> None:
        """Do what is waiting now; call this regularly."""
        for _ in range(self._waiting.qsize()):  # what is submitted meanwhile waits for the next frame
            done, work = self._waiting.get()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(work())
            except EdgeError as exc:
                done.set_exception(exc)
            except Exception as exc:
                log.exception("unexpected error in a request; please report it with these lines")
                done.set_exception(RequestError("", f"unexpected error ({exc})", "see the log of the service"))

    def close(self) -> None:
        """Refuse what is waiting, and everything from now on. May be called more than once."""
        with self._lock:
            self._closed = True
        while not self._waiting.empty():
            done, _ = self._waiting.get()
            if done.set_running_or_notify_cancel():
                done.set_exception(_stopping())


def _stopping() -> RequestError:
    return RequestError("", "the sensor is stopping", "try again when it is online")
