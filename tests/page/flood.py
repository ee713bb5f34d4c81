"""A server that sends the messages of hours to the page, as fast as the page takes them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge.web.pages import package_files
from tests.page import contents
from tests.support.brokers import LOOPBACK

PERIOD = 15  # frames per second
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Flood:
    """Two hours are 108,000 frames."""

    def __init__(self) -> None:
        self.sent = 0  # frames
        self.limit = 0
        self.more = threading.Condition()
        self.closed = False

    def send(self, frames: int) -> None:
        """Send so many frames more, and what comes with them."""
        with self.more:
            self.limit += frames
            self.more.notify_all()

    def close(self) -> None:
        with self.more:
            self.closed = True
            self.more.notify_all()

    def messages(self) -> Iterator[bytes]:
        """What a viewer gets: the start, and then each frame that may be sent."""
        yield from (_encoded(name, data) for name, data in contents.START)
        while True:
            with self.more:
                while not self.closed and self.sent >= self.limit:
                    self.more.wait()
                if self.closed:
                    return
                number = self.sent
            yield _encoded("keypoints", contents.keypoints(number, 3))
            if number % PERIOD == 0:
                yield from (_encoded(name, data) for name, data in contents.second(number // PERIOD))
            self.sent = number + 1


def _encoded(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@contextmanager
def flood() -> Iterator[tuple[Flood, str]]:
    """The server and its address."""
    source, files = Flood(), package_files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/live":
                self._start("text/event-stream")
                with suppress(OSError):  # the page was closed
                    for message in source.messages():
                        self.wfile.write(message)
                return
            name = self.path.removeprefix("/static/").strip("/") or "index.html"
            self._start(TYPES[name.rpartition(".")[2]])
            self.wfile.write(files[name])

        def _start(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield source, f"http://{LOOPBACK}:{server.server_port}/"
        finally:
            source.close()
            server.shutdown()
            thread.join()
