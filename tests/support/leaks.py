"""Threads and file descriptors that a test leaves behind."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import until


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def nothing_left_behind(threads: int = 0, files: int = 0) -> Iterator[None]:
    """Afterwards, at most so many new threads live and so many more descriptors are open, at the latest in a minute.

    There may be fewer than before: earlier tests can leave threads that end meanwhile.
    """
    before, opened = set(threading.enumerate()), descriptors()
    yield
    until(lambda: len(set(threading.enumerate()) - before) <= threads)
    until(lambda: descriptors() <= opened + files)
