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
    """Check that the block leaves at most `threads` new threads and `files` more open descriptors, after some time.

    There may be fewer than before, because threads of earlier tests can end meanwhile.
    """
    before, opened = set(threading.enumerate()), descriptors()
    yield
    until(lambda: len(set(threading.enumerate()) - before) <= threads)
    until(lambda: descriptors() <= opened + files)
