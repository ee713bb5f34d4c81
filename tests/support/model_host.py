"""A web server that publishes a tiny model, with faults on request."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge.models.catalogue import Entry
from tests.support.tiny_posenet import tiny_posenet
from tests.support.waiting import LONG_S

PUBLISHED = tiny_posenet()
NAME, FILE = "tiny", "tiny_decoder.tflite"


def published_entry(content: bytes = PUBLISHED, source: str = f"http://127.0.0.1:1/{FILE}") -> Entry:
    """The entry of `remote.toml` for a file at the address `source`."""
    return Entry(
        file=FILE, sha256=hashlib.sha256(content).hexdigest(), size=len(content), licence="MIT", source=source,
        family="posenet", input_sizes=((33, 49),), output_stride=16, about="Tiny.",
    )  # fmt: skip


@dataclass
class Host:
    """A web server that answers each request as the next of `answers` says, and repeats the last one."""

    content: bytes = PUBLISHED
    answers: list[str] = field(default_factory=lambda: ["whole"])
    ranges: bool = True  # whether it can resume a download
    requests: list[str | None] = field(default_factory=list)  # the Range header of each
    released: threading.Event = field(default_factory=threading.Event)  # ends the answer "hang"
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.requests.append(wanted)
        how = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if how.isdigit():
            request.send_error(int(how))
            return
        content = b"\0" * len(self.content) if how == "other" else self.content
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if first >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if first else 200)
        if first:
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if how not in ("unmeasured", "endless"):
            request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        rest = content[first:]
        if how in ("drop", "hang"):
            rest = rest[: len(rest) // 2]
        if how == "endless":
            rest *= 1000
        for at in range(0, len(rest), 1000):
            request.wfile.write(rest[at : at + 1000])
            if how == "slow":
                time.sleep(0.01)
        if how == "hang":
            request.wfile.flush()
            self.released.wait(LONG_S)


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    """Run the web server; its address is in `host.url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # a client hangs up once it has too many bytes
                host.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield host
        finally:
            host.released.set()
            server.shutdown()
            thread.join()
