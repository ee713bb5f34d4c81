"""A page that is open, and requests to it."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from edge.config import Config, Web
from edge.mqtt.messages import Health, Info
from edge.web.server import WebServer
from tests.support.brokers import LOOPBACK, accepts_connections, free_port
from tests.support.waiting import LONG_S, until
from tests.web.sensors import FakeSensor

PASSWORD = "correct horse"  # noqa: S105 - of the tests
EVERYWHERE = "0.0.0.0"  # noqa: S104 - pages beyond loopback use TLS


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Page:
    """A page and a browser without a window. The browser keeps its cookie."""

    def __init__(self, port: int, sensor: FakeSensor, *, tls: bool) -> None:
        self.port = port
        self.sensor = sensor
        self.tls = tls
        self.host = f"{LOOPBACK}:{port}"
        self.origin = f"{'https' if tls else 'http'}://{self.host}"
        self.cookie = ""

    def ask(
        self, method: str, path: str, content: Any = None, *, address: str = LOOPBACK, **headers: str | None
    ) -> Answer:
        """Send a request. `content` is text, or a value that becomes JSON. A header that is None is not sent."""
        sent: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie or None}
        if method not in {"GET", "HEAD"}:
            sent["Origin"] = self.origin
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = content if isinstance(content, str | bytes | None) else json.dumps(content)
        with closing(self.connection(address)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body.encode() if isinstance(body, str) else body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def connection(self, address: str = LOOPBACK) -> http.client.HTTPConnection:
        """From an address of this machine, all of which begin with 127."""
        source = (address, 0)
        if not self.tls:
            return http.client.HTTPConnection(LOOPBACK, self.port, timeout=LONG_S, source_address=source)
        return http.client.HTTPSConnection(
            LOOPBACK, self.port, timeout=LONG_S, source_address=source, context=unverified()
        )

    def log_in(self, password: str = PASSWORD, *, address: str = LOOPBACK) -> Answer:
        """Send the form of the login, and keep the cookie."""
        answer = self.ask(
            "POST", "/login", urlencode({"password": password}), address=address,
            Content_Type="application/x-www-form-urlencoded",
        )  # fmt: skip
        if cookie := answer.headers.get("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        return answer

    def raw(self, text: bytes, *, ends: bool = False) -> bytes:
        """Everything that comes back on a connection of its own, until the server closes it.

        The server may close it without an answer if the client `ends` it.
        """
        with self.socket() as client:
            answer = b""
            with suppress(OSError):  # the server may close before it has read everything
                client.sendall(text)
                if ends:
                    client.shutdown(socket.SHUT_WR)
                while chunk := client.recv(65536):
                    answer += chunk
            return answer

    def socket(self) -> socket.socket:
        client = socket.create_connection((LOOPBACK, self.port), timeout=LONG_S)
        return unverified().wrap_socket(client) if self.tls else client


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def render(health: Health, info: Info | None, *, connected: bool) -> bytes:
    """Stands for the metrics."""
    return f"fps {health.fps}\nversion {info.version if info else ''}\nconnected {connected:d}\n".encode()


@contextmanager
def opened(
    keys: Mapping[str, Any] | None = None, *, config: Config | None = None, sensor: FakeSensor | None = None
) -> Iterator[Page]:
    """A page with these keys of [web], on a free port."""
    port = free_port()
    web = Web(enabled=True, **{"port": port, **(keys or {})})
    sensor = sensor or FakeSensor(config)
    with ExitStack() as stack:
        server = WebServer(web, feed=sensor.feed, sensor=sensor, device_id="hall", render=render)
        stack.callback(lambda: server.close(LONG_S))
        server.start()
        until(lambda: accepts_connections(web.port))
        yield Page(web.port, sensor, tls=web.tls)


def with_password(folder: Path, password: str = PASSWORD) -> dict[str, str]:
    """The keys of a page with a password."""
    file = folder / "web_password"
    file.write_text(f"{password}\n")
    return {"password_file": str(file)}
