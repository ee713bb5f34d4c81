"""Accept connections: a limited number, encrypted unless the page is only for this machine."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, SSLIOStream
from tornado.netutil import add_accept_handler
from tornado.web import Application

MAX_CONNECTIONS = 64
MAX_BODY = 64 * 1024  # bytes
MAX_HEADERS = 16 * 1024
READ_AHEAD = 2 * MAX_BODY
SEND_BUFFER = 64 * 1024  # bytes in the kernel for a client that does not read; Linux doubles it
LOST_MS = 60_000  # for a client to acknowledge what it was sent: one that has left the Wi-Fi frees its place
IDLE_S = 20.0  # for the headers of a request, which includes the pause before it
BODY_S = 10.0
TLS_HANDSHAKE = b"\x16"  # what a client that speaks TLS sends first


class _Connection:
    """A client. `stream` exists as soon as the client has sent something."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.stream: IOStream | None = None
        self.greeting: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        if self.stream is not None:
            return not self.stream.closed()
        return self.greeting is not None and not self.greeting.done()

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
        elif self.greeting is not None:
            self.greeting.cancel()


class Listener:
    """Hands requests to an application. With TLS, requests without it are accepted, too, to redirect them.

    If there are too many connections, the oldest one outside `watched` is closed, so idle connections can neither keep
    others out nor end the streams of viewers.
    """

    def __init__(self, application: Application, tls: ssl.SSLContext | None, watched: Collection[IOStream]) -> None:
        self._tls = tls
        self._watched = watched
        self._server = HTTPServer(
            application,
            max_header_size=MAX_HEADERS,
            max_body_size=MAX_BODY,
            chunk_size=MAX_BODY,
            idle_connection_timeout=IDLE_S,
            body_timeout=BODY_S,
        )
        self._connections: list[_Connection] = []  # oldest first
        self._sockets: list[socket.socket] = []
        self._stops: list[Callable[[], None]] = []

    def open(self, host: str, port: int) -> None:
        """Listen on an address. Raises OSError."""
        self._sockets = _bound(host, port)
        self._stops = [add_accept_handler(one, self._accept) for one in self._sockets]

    def close(self) -> None:
        """Close all connections at once."""
        for stop in self._stops:
            stop()
        for one in self._sockets:
            one.close()
        for connection in self._connections:
            connection.close()

    def _accept(self, client: socket.socket, address: Any) -> None:
        self._connections = [one for one in self._connections if one.is_open]
        if len(self._connections) >= MAX_CONNECTIONS:
            oldest = next(one for one in self._connections if one.stream not in self._watched)
            oldest.close()
            self._connections.remove(oldest)
        connection = _Connection(client)
        self._connections.append(connection)
        connection.greeting = asyncio.create_task(self._greet(connection, address))
        # Not in the task, which may be cancelled before it begins.
        connection.greeting.add_done_callback(lambda _: None if connection.stream else client.close())

    async def _greet(self, connection: _Connection, address: Any) -> None:
        """Wait for the first byte, and serve the client with TLS or without."""
        client = connection.client
        try:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_MS)
            is_tls = self._tls is not None and await _first_byte(client) == TLS_HANDSHAKE
            connection.stream = self._encrypted(client) if is_tls else IOStream(client, **_BUFFERS)
        except OSError:  # also TimeoutError
            return
        self._server.handle_stream(connection.stream, address)

    def _encrypted(self, client: socket.socket) -> SSLIOStream:
        assert self._tls is not None
        wrapped = self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return SSLIOStream(wrapped, ssl_options=self._tls, **_BUFFERS)


_BUFFERS = {"max_buffer_size": READ_AHEAD, "read_chunk_size": MAX_BODY}


def _bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of `host`; `::` also takes IPv4. Raises OSError if there is none."""
    sockets: list[socket.socket] = []
    error = OSError(errno.EADDRNOTAVAIL, "")
    both = host == "::" and socket.has_dualstack_ipv6()
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            one = socket.create_server(address, family=family, backlog=MAX_CONNECTIONS, dualstack_ipv6=both)
        except OSError as exc:
            error = exc
        else:
            one.setblocking(False)
            sockets.append(one)
    if not sockets:
        raise error
    return sockets


async def _first_byte(client: socket.socket) -> bytes:
    """What a client sends first, which stays unread; empty if it leaves. Raises TimeoutError, OSError."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(client, readable.set)
    try:
        async with asyncio.timeout(IDLE_S):
            await readable.wait()
    finally:
        loop.remove_reader(client)
    return client.recv(1, socket.MSG_PEEK)
