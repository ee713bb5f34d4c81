"""A server that sends prepared messages to the page, without a sensor."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge.web.pages import package_files
from tests.page import contents
from tests.support.brokers import LOOPBACK

FPS = 15
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Flood:
    """The messages of hours, as fast as the page takes them. Two hours are 108,000 frames."""

    def __init__(self) -> None:
        self._sent = self._limit = 0  # frames
        self._more = threading.Condition()
        self._closed = False

    def send(self, frames: int) -> None:
        """Send so many frames more, and what comes with them."""
        with self._more:
            self._limit += frames
            self._more.notify_all()

    def close(self) -> None:
        with self._more:
            self._closed = True
            self._more.notify_all()

    def messages(self) -> Iterator[tuple[str, object]]:
        """Names and data: the start, and then each frame that may be sent."""
        yield from contents.START
        while True:
            with self._more:
                while not self._closed and self._sent >= self._limit:
                    self._more.wait()
                if self._closed:
                    return
                number = self._sent
            yield "keypoints", contents.keypoints(number, 3)
            if number % FPS == 0:
                yield from contents.second(number // FPS)
            self._sent = number + 1


@contextmanager
def serve(messages: Callable[[], Iterable[tuple[str, object]]], picture: bytes = b"") -> Iterator[str]:
    """Serve the page with these messages and this JPEG; gives its address."""
    files = package_files()
    answers = {
        "/pictures": ("application/json", b'{"token": "token", "seconds": 120}'),
        "/picture.jpg": ("image/jpeg", picture),
        "/": ("text/html", files["index.html"]),
        **{f"/static/{name}": (TYPES[name.rpartition(".")[2]], content) for name, content in files.items()},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/live":
                self._start("text/event-stream")
                with suppress(OSError):  # the page was closed
                    for name, data in messages():
                        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
                return
            kind, content = answers[path]
            self._start(kind)
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET  # noqa: N815 - as the base class calls them

        def _start(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("X-Sequence", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def flood() -> Iterator[tuple[Flood, str]]:
    """A flood and the address of its page."""
    source = Flood()
    with serve(source.messages) as url:
        try:
            yield source, url
        finally:
            source.close()
