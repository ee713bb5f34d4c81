"""Signals, as events that the main loop looks at."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signals:
    """Events that signals set: SIGTERM and SIGINT set `stopping`, SIGHUP sets `reload`. A request sets `restart`."""

    stopping: threading.Event = field(default_factory=threading.Event)
    reload: threading.Event = field(default_factory=threading.Event)
    restart: threading.Event = field(default_factory=threading.Event)

    def any(self) -> bool:
        return self.stopping.is_set() or self.reload.is_set()

    def ending(self) -> bool:
        return self.stopping.is_set() or self.restart.is_set()

    @contextmanager
    def handled(self, *, reloads: bool) -> Iterator[None]:
        """Set the events while the block runs. Without `reloads`, SIGHUP has its default action."""
        events = {signal.SIGTERM: self.stopping, signal.SIGINT: self.stopping}
        if reloads:
            events[signal.SIGHUP] = self.reload

        def note(number: int, _frame: object) -> None:
            events[signal.Signals(number)].set()

        before = {number: signal.signal(number, note) for number in events}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
