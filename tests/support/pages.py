"""Servers that answer like the page."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.support.brokers import LOOPBACK, free_port

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens on it


@contextmanager
def server(status: int = 200, text: bytes = b"ok\n", certificates: Path | None = None) -> Iterator[int]:
    """A server that gives this answer to everything, with TLS if there are certificates; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((LOOPBACK, free_port()), Handler) as listening:
        if certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
            listening.socket = context.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()
