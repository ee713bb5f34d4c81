"""Start and end of the page, and what must not stop the sensor."""

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.config import Web
from edge.errors import ConfigError
from edge.web.server import WebServer
from tests.support.brokers import LOOPBACK, accepts_connections, free_port
from tests.support.waiting import LONG_S, until
from tests.web.live import Stream, stream
from tests.web.opened import EVERYWHERE, Page, opened, render, with_password
from tests.web.sensors import FakeSensor
from tests.web.updates import make_update


@contextmanager
def started(sensor: FakeSensor, **keys: Any) -> Iterator[WebServer]:
    """A server that is started and may not be open yet."""
    web = Web(enabled=True, **keys)
    server = WebServer(web, feed=sensor.feed, sensor=sensor, device_id="hall", render=render, first_retry_s=0.05)
    server.start()
    try:
        yield server
    finally:
        server.close(LONG_S)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = (record for record in caplog.records if record.name.startswith("edge."))
    return [record.message for record in found if record.levelno >= logging.WARNING]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "web"]


def test_a_page_for_other_machines_without_a_password_is_refused() -> None:
    sensor = FakeSensor()
    with pytest.raises(ConfigError) as refused:
        WebServer(Web(host=EVERYWHERE), feed=sensor.feed, sensor=sensor, device_id="hall", render=render)
    assert refused.value.key == "web.host"


def test_a_port_in_use_is_reported_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    sensor, port = FakeSensor(), free_port()
    with ExitStack() as stack:
        with socket.create_server((LOOPBACK, port)):
            stack.enter_context(started(sensor, port=port))
            until(lambda: warnings(caplog))
        until(lambda: accepts_connections(port))
        assert Page(port, sensor, tls=False).ask("GET", "/").status == 200
    (warning,) = warnings(caplog)
    assert f"port {port}" in warning


def test_an_address_of_another_machine_does_not_stop_the_sensor(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    for host in ("192.0.2.1", "nowhere.invalid"):
        with started(FakeSensor(), host=host, port=free_port(), **with_password(tmp_path)):
            until(lambda: any(host in warning for warning in warnings(caplog)))  # noqa: B023 - called at once


def test_a_certificate_that_appears_later_is_used(
    certificates: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sensor, port = FakeSensor(), free_port()
    files = {"cert_file": str(tmp_path / "page.crt"), "key_file": str(certificates / "server.key")}
    with started(sensor, port=port, **files):
        until(lambda: warnings(caplog))
        (tmp_path / "page.crt").write_bytes((certificates / "server.crt").read_bytes())
        until(lambda: accepts_connections(port))
        assert Page(port, sensor, tls=True).ask("GET", "/").status == 200
    assert len(warnings(caplog)) == 1


def test_closing_ends_streams_thread_and_port(caplog: pytest.LogCaptureFixture) -> None:
    sensor, port = FakeSensor(), free_port()
    page = Page(port, sensor, tls=False)
    with started(sensor, port=port) as server, ExitStack() as stack:
        until(lambda: accepts_connections(port))
        viewers = [stack.enter_context(stream(page)) for _ in range(5)]
        idle = stack.enter_context(page.socket())
        for one in viewers:
            one.next("status")
        server.close(LONG_S)
        assert threads() == []
        for one in viewers:
            with pytest.raises((EOFError, ConnectionError)):
                _read_all(one)
        assert idle.recv(1) == b""
        assert not accepts_connections(port)
        assert sensor.feed.viewers == 0
        sensor.feed.publish(make_update(1))
    assert warnings(caplog) == []


def test_closing_does_not_wait_for_a_page_that_could_not_be_opened() -> None:
    with socket.create_server((LOOPBACK, 0)) as other, started(FakeSensor(), port=other.getsockname()[1]) as server:
        server.close(LONG_S)
        assert threads() == []


def test_a_server_that_was_never_started_can_be_closed() -> None:
    sensor = FakeSensor()
    server = WebServer(Web(), feed=sensor.feed, sensor=sensor, device_id="hall", render=render)
    server.close()
    server.close()


def test_a_page_can_be_opened_again_at_once(page: Page) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            with started(FakeSensor(), port=free_port()) as server:
                server.close(LONG_S)
        assert stack.enter_context(stream(page)).status == 200


def test_an_error_in_the_page_is_logged_and_ends_only_the_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> dict[str, bytes]:
        raise ZeroDivisionError

    monkeypatch.setattr("edge.web.serving.package_files", broken)
    with started(FakeSensor(), port=free_port()):
        until(lambda: warnings(caplog))
    assert "unexpected error" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_sensor_without_a_page_does_not_import_its_server() -> None:
    heavy = "{'tornado', 'prometheus_client'}"
    code = f"import sys, edge.service.run, edge.web.server; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_is_reached_over_ipv6_and_ipv4(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("NO IPV6")
    with opened({"host": "::", **with_password(tmp_path)}) as page:
        assert page.ask("GET", "/login").status == 200
        socket.create_connection(("::1", page.port), timeout=LONG_S).close()


def _read_all(viewer: Stream) -> None:
    while True:
        viewer.read()
