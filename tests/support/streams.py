"""Servers of network streams, as small as ffmpeg accepts them."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import BinaryIO, TypeAlias

from tests.support.videos import encode, jpeg, plain

Body: TypeAlias = Callable[[], Iterable[bytes]]


@contextmanager
def http_server(
    *bodies: Body, kind: str = "multipart/x-mixed-replace; boundary=part", refusal: int = 404
) -> Iterator[str]:
    """A server that answers each request with the next body, and when there is none left, with the status `refusal`.

    Gives its address, which contains a password.
    """
    left = list(bodies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = left.pop(0) if left else list
            self.send_response(200 if body is not list else refusal)
            self.send_header("Content-Type", kind)
            self.end_headers()
            with suppress(OSError):  # the client has closed the connection
                for chunk in body():
                    self.wfile.write(chunk)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://me:secret@127.0.0.1:{server.server_port}/live?key=secret"
        finally:
            server.shutdown()
            thread.join()


def part(content: bytes) -> bytes:
    """One JPEG as cameras send it, in an endless multipart answer."""
    head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def parts(levels: Iterable[int | None]) -> Iterator[bytes]:
    """JPEGs of these brightnesses; None is a damaged one."""
    for level in levels:
        yield part(jpeg(0)[:300] if level is None else jpeg(level))


def transport_stream() -> bytes:
    file = BytesIO()
    encode(file, [plain(level) for level in range(0, 240, 2)], codec="mpeg4", format="mpegts")
    return file.getvalue()


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"


def rtsp_requests(file: BinaryIO) -> Iterator[str]:
    request = ""
    while line := file.readline().decode():
        request += line
        if line == "\r\n":
            yield request
            request = ""


def rtsp_answer(request: str) -> bytes:
    number = request.partition("CSeq: ")[2].partition("\r\n")[0]
    head, rest = f"200 OK\r\nCSeq: {number}\r\nSession: 1", "\r\n\r\n"
    if request.startswith("DESCRIBE"):
        rest = f"\r\nContent-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    elif request.startswith("SETUP"):
        assert "RTP/AVP/TCP" in request
        rest = "\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    return f"RTSP/1.0 {head}{rest}".encode()


@contextmanager
def rtsp_server(content: bytes) -> Iterator[str]:
    """A camera that sends this transport stream to one client, over TCP only. Gives its address with a password."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file, suppress(OSError):
            for request in rtsp_requests(file):
                connection.sendall(rtsp_answer(request))
                if request.startswith("PLAY"):
                    break
            for number, start in enumerate(range(0, len(content), 1316)):
                packet = struct.pack(">BBHII", 0x80, 33, number, number * 900, 1) + content[start : start + 1316]
                connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"rtsp://me:secret@127.0.0.1:{listener.getsockname()[1]}/live"
        thread.join()
