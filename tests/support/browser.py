"""A browser without a window, for the page of a running sensor on the loopback."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.brokers import LOOPBACK, accepts_connections
from tests.support.waiting import LONG_S, until


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Requests to the page on a port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def wait(self) -> "Browser":
        """Wait until the page is open."""
        until(lambda: accepts_connections(self.port))
        return self

    def ask(self, method: str, path: str, content: Any = None) -> Answer:
        """Send a request, with `content` as JSON."""
        body = None if content is None else json.dumps(content)
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=LONG_S)) as connection:
            connection.request(method, path, body, {"Origin": f"http://{LOOPBACK}:{self.port}"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())

    @contextmanager
    def live(self) -> Iterator["Stream"]:
        """An open stream of server-sent events."""
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=LONG_S)) as connection:
            connection.request("GET", "/live")
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            stream = Stream()
            thread = threading.Thread(target=stream.read, args=(answer,))
            thread.start()
            try:
                yield stream
            finally:
                with suppress(OSError, AttributeError):  # the sensor has closed it
                    connection.sock.shutdown(2)
                thread.join(LONG_S)


@dataclass
class Stream:
    """What has come on a stream so far: names and JSON values, in order."""

    came: list[tuple[str, Any]] = field(default_factory=list)
    raw: bytes = b""
    ended: bool = False

    def read(self, answer: http.client.HTTPResponse) -> None:
        name = ""
        with suppress(OSError, http.client.HTTPException, AttributeError):
            while line := answer.readline():
                self.raw += line
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    self.came.append((name, json.loads(line[6:])))
        self.ended = True

    def all(self, name: str) -> list[Any]:
        """The values with a name so far."""
        return [value for one, value in self.came if one == name]

    def wait(self, name: str, wanted: Callable[[Any], object] = lambda _: True) -> Any:
        """The last value with a name for which `wanted` holds, as soon as there is one."""
        until(lambda: any(map(wanted, self.all(name))) or self.ended)
        found = [value for value in self.all(name) if wanted(value)]
        assert found, self.all(name)[-3:]
        return found[-1]

    def wait_for_more(self, name: str, count: int = 1) -> None:
        """Wait for so many further values."""
        wanted = len(self.all(name)) + count
        until(lambda: len(self.all(name)) >= wanted or self.ended)
        assert len(self.all(name)) >= wanted
