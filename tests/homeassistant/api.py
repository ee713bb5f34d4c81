"""Home Assistant's WebSocket API: commands, and the events that arrive meanwhile."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from websockets.sync.client import connect

from tests.support.brokers import LOOPBACK
from tests.support.waiting import LONG_S


class ApiError(Exception):
    """Home Assistant refused a command."""


class Api:
    """A connection. `on_event` gets each event, with its type and data, while a method of this class runs."""

    def __init__(self, port: int, token: str, on_event: Callable[[dict[str, Any]], None]) -> None:
        """Raises OSError or WebSocketException while Home Assistant is starting."""
        self._on_event = on_event
        self._commands = 0
        self._open = ExitStack()
        url = f"ws://{LOOPBACK}:{port}/api/websocket"
        # With a limited queue it would answer no ping while it is full.
        socket = connect(url, compression=None, max_size=None, max_queue=None, proxy=None)
        self._socket = self._open.enter_context(socket)
        self._receive(LONG_S)  # "auth_required"
        self._socket.send(json.dumps({"type": "auth", "access_token": token}))
        answer = self._receive(LONG_S)
        assert answer["type"] == "auth_ok", answer

    def ask(self, command: str, **data: Any) -> Any:
        """Send a command and return its result. Raises ApiError if it is refused."""
        self._commands += 1
        number = self._commands
        self._socket.send(json.dumps({"id": number, "type": command, **data}))
        while True:
            message = self._receive(LONG_S)
            if message["type"] == "result" and message["id"] == number:
                if not message["success"]:
                    raise ApiError(command, message["error"])
                return message["result"]

    def wait_for(self, condition: Callable[[], object], timeout_s: float = LONG_S) -> None:
        """Handle events until the condition holds. Raises AssertionError if it does not within `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"not within {timeout_s:g} s"
            with suppress(TimeoutError):
                self._receive(left_s)

    def close(self) -> None:
        self._open.close()

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout_s))
        if message["type"] == "event":
            self._on_event(message["event"])
        return message
