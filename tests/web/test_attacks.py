"""What strangers, other sites and broken clients may try."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tornado.iostream import IOStream

from edge.web import listener
from edge.web.listener import MAX_BODY, MAX_CONNECTIONS, MAX_HEADERS
from tests.support.waiting import until
from tests.web.live import stream
from tests.web.opened import PASSWORD, Page, opened

CHANGES = [
    ("POST", "/settings/fall"), ("POST", "/requests/clear_fall"), ("PUT", "/places"), ("DELETE", "/places"),
    ("POST", "/pictures"), ("DELETE", "/pictures"), ("POST", "/login"), ("POST", "/logout"),
]  # fmt: skip


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8077", "", "localhost.evil.example", "127.0.0.1.nip.io"]
)
@pytest.mark.parametrize("path", ["/", "/live", "/healthz", "/static/page.css", "/nothing"])
def test_a_foreign_name_of_this_machine_is_refused(page: Page, host: str, path: str) -> None:
    assert page.ask("GET", path, Host=host).status == 421


def test_names_of_this_machine_and_addresses_are_accepted(page: Page) -> None:
    for host in ("localhost", f"{socket.gethostname()}:{page.port}", "192.168.1.7", "[::1]:8077"):
        assert page.ask("GET", "/", Host=host).status == 200, host


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "ftp://{host}",
        "http://{host}/",
        "http://{host} http://evil.example",
        "{host}",
    ],
)
@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_changes_need_the_origin_of_the_page(page: Page, method: str, path: str, origin: str | None) -> None:
    sent = None if origin is None else origin.replace("{host}", page.host)
    answer = page.ask(method, path, {"value": "OFF"} if method != "DELETE" else None, Origin=sent)
    assert answer.status == 403
    assert page.sensor.config == page.sensor.file
    assert page.sensor.requests == []


def test_with_tls_only_an_encrypted_origin_is_accepted(remote: Page) -> None:
    remote.log_in()
    change = "POST", "/settings/fall", {"value": "OFF"}
    assert remote.ask(*change, Origin=f"http://{remote.host}").status == 403
    assert remote.ask(*change, Origin=f"https://{remote.host}").status == 200


def test_a_proxy_on_this_machine_may_add_tls(page: Page) -> None:
    answer = page.ask("POST", "/settings/fall", {"value": "OFF"}, Origin=f"https://{page.host}")
    assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/server.py", "/static/%2e%2e%2fserver.py",
        "/static/..%5cserver.py", "/static/....//server.py", "/static//etc/passwd", "/static/%2fetc%2fpasswd",
        "/static/page.css%00.js", "/static/%00", "/static/.", "/static/..", "/static/%c0%ae%c0%ae/server.py",
        "/static/%252e%252e%252fserver.py", "/../../../../etc/passwd", "//etc/passwd",
        "/static/page.css/../../server.py",
        "/static/%ff%fe", "/static/" + "a" * 5000, "/static/__init__.py", "/edge/web/server.py",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_files_of_the_page(page: Page, path: str) -> None:
    answer = page.raw(f"GET {path} HTTP/1.1\r\nHost: {page.host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in {b"400", b"404"}, answer[:100]
    assert b"import" not in answer
    assert b"root:" not in answer


BROKEN = {
    "empty": b"",
    "newlines": b"\r\n\r\n\r\n\r\n",
    "no request": b"\x00\x01\x02\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": bytes.fromhex("16030100050100000100"),
    "long line": b"GET /" + b"a" * MAX_HEADERS + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * MAX_HEADERS + b"\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n",
    "line without a colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nnothing\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "negative length": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "broken chunk": b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "large body": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
    "huge body": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "absolute": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "cookie": b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"\xff;=;;edge_pose" * 100 + b"\r\n\r\n",
}


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN)
def test_a_broken_request_ends_its_own_connection_only(page: Page, request_: bytes) -> None:
    answer = page.raw(request_, ends=True)
    assert not answer or answer.split()[1] in {
        b"200",
        b"204",
        b"400",
        b"403",
        b"404",
        b"405",
        b"413",
        b"421",
        b"431",
    }, answer
    assert b"Traceback" not in answer
    assert page.ask("GET", "/").status == 200


def test_a_body_of_64_kb_is_read_and_a_larger_one_is_not(page: Page) -> None:
    content = b'{"value": "ON"%s}'
    fits = content % (b" " * (MAX_BODY - len(content) + 2))
    assert len(fits) == MAX_BODY
    assert page.ask("POST", "/settings/fall", fits).status == 200
    head = (
        f"POST /settings/fall HTTP/1.1\r\nHost: {page.host}\r\nOrigin: {page.origin}\r\nContent-Length: {MAX_BODY + 1}"
    )
    assert page.raw(head.encode() + b"\r\n\r\n" + fits + b" ").split()[1] == b"400"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "IDLE_S", 0.1)
    monkeypatch.setattr(listener, "BODY_S", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "start",
    [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\npass"],
    ids=["nothing", "one byte", "half of the headers", "no second request", "half of the body"],
)  # fmt: skip
def test_a_client_that_stops_is_cut_off(start: bytes, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue("page")
    with page.socket() as client:
        client.sendall(start)
        while client.recv(65536):
            pass


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "start", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"], ids=["nothing", "byte", "hello"]
)
def test_a_client_that_stops_during_the_handshake_is_cut_off(start: bytes, request: pytest.FixtureRequest) -> None:
    remote: Page = request.getfixturevalue("remote")
    with socket.create_connection(("127.0.0.1", remote.port), timeout=60) as client:
        client.sendall(start)
        while client.recv(65536):
            pass


@pytest.fixture
def crowd(locked: Page) -> Iterator[Page]:
    """A page with a viewer, and 200 connections that send only half a request."""
    locked.log_in()
    with ExitStack() as stack:
        viewer = stack.enter_context(stream(locked))
        for _ in range(200):
            client = stack.enter_context(locked.socket())
            client.sendall(b"GET / HTTP/1.1\r\n")
        yield locked
        assert viewer.next("status") == {"connected": True}


def test_idle_connections_neither_keep_others_out_nor_end_a_stream(crowd: Page) -> None:
    assert crowd.ask("GET", "/").status == 200
    assert crowd.log_in(PASSWORD).status == 303
    assert crowd.sensor.feed.viewers == 1
    crowd.sensor.connected = True


def test_a_client_that_left_the_network_is_cut_off_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a phone that comes and goes would take the place of a viewer for a quarter of an hour each time."""
    limits_ms: list[int] = []

    class Noted(IOStream):
        def __init__(self, client: socket.socket, **buffers: int) -> None:
            limits_ms.append(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
            super().__init__(client, **buffers)

    monkeypatch.setattr(listener, "IOStream", Noted)
    with opened() as page:
        assert page.ask("GET", "/healthz").status == 200
    assert set(limits_ms) == {listener.LOST_MS}


def test_the_number_of_connections_is_limited(page: Page) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(page.socket()) for _ in range(MAX_CONNECTIONS + 10)]
        for client in clients:
            client.setblocking(False)

        def closed() -> int:
            return sum(_is_closed(client) for client in clients)

        until(lambda: closed() == 10)
        assert [_is_closed(client) for client in clients[:10]] == [True] * 10, "the oldest are closed"
        assert page.ask("GET", "/").status == 200


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
