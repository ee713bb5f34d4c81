"""What waits for one viewer of the page."""

import asyncio
from collections import deque

EVENTS_WAITING = 40


def server_sent(name: str, data: bytes) -> bytes:
    """A server-sent event; `data` is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


class Viewer:
    """The newest message of each name, and the last events: a viewer that reads slowly skips the others."""

    def __init__(self) -> None:
        self.closed = False
        self._slots: dict[str, bytes] = {}
        self._events: deque[bytes] = deque(maxlen=EVENTS_WAITING)
        self._ready = asyncio.Event()

    def put(self, name: str, message: bytes) -> None:
        """Let a message wait, instead of an older one with the same name unless it is an event."""
        if name == "event":
            self._events.append(message)
        else:
            self._slots.pop(name, None)  # messages keep the order in which they came
            self._slots[name] = message
        self._ready.set()

    def close(self) -> None:
        """End the viewer: `take` returns at once from now on."""
        self.closed = True
        self._ready.set()

    async def take(self, timeout_s: float) -> bytes:
        """Everything that waits, as soon as there is something; empty after `timeout_s`, or when the viewer ends."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return b""
        self._ready.clear()
        messages = *self._slots.values(), *self._events
        self._slots.clear()
        self._events.clear()
        return b"".join(messages)
