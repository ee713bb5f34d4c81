"""A fake systemd that listens on NOTIFY_SOCKET."""

import socket
from collections.abc import Callable
from pathlib import Path

from tests.support.waiting import LONG_S


class Systemd:
    """Receives the states that a service announces."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "notify")
        self.environ = {"NOTIFY_SOCKET": path}
        self.states: list[str] = []  # all so far
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(LONG_S)

    def wait_for(self, start: str) -> list[str]:
        """Wait for a message with a state that starts with `start`; returns all states of that message."""
        while True:
            states = self._receive()
            if any(state.startswith(start) for state in states):
                return states

    def wait_until(self, condition: Callable[[list[str]], bool]) -> None:
        """Receive until the condition holds for all states so far."""
        while not condition(self.states):
            self._receive()

    def _receive(self) -> list[str]:
        states = self._socket.recv(4096).decode().splitlines()
        self.states += states
        return states

    def close(self) -> None:
        self._socket.close()
