"""A viewer of the page."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.web.opened import Page


class Stream:
    """The stream of events, as a browser reads it."""

    def __init__(self, client: socket.socket) -> None:
        self._file = client.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(self._file.readline, b"\r\n"))
        self.seen: list[tuple[str, Any]] = []
        self.comments = 0
        self._text = b""

    def next(self, name: str, **fields: Any) -> Any:
        """The data of the next event with this name and these fields."""
        while True:
            found, data = self.read()
            if found == name and all(data[key] == value for key, value in fields.items()):
                return data

    def read(self) -> tuple[str, Any]:
        """The next event. Raises EOFError."""
        while True:
            name, data = "", b""
            while line := self._line():
                field, _, value = line.partition(b": ")
                if field == b"event":
                    name = value.decode()
                elif field == b"data":
                    assert not data, "the data of an event is one line"
                    data = value
                elif line.startswith(b":"):
                    self.comments += 1
            if name:
                self.seen.append((name, json.loads(data)))
                return self.seen[-1]

    def _line(self) -> bytes:
        while b"\n" not in self._text:
            size = int(self._file.readline() or b"0", 16)
            if not size:
                raise EOFError
            self._text += self._file.read(size)
            self._file.readline()
        line, _, self._text = self._text.partition(b"\n")
        return line


@contextmanager
def stream(page: Page) -> Iterator[Stream]:
    """Open the stream of events."""
    with page.socket() as client:
        client.sendall(f"GET /live HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n\r\n".encode())
        one = Stream(client)
        try:
            yield one
        finally:
            one._file.close()
