import os
import socket
from pathlib import Path

import pytest

from edge.service.sd_notify import Notifier
from tests.support.waiting import LONG_S


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(tmp_path / "notify"))
    server.settimeout(LONG_S)
    return server


def test_states_arrive_in_one_datagram(systemd: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname()})
    notifier.send("READY=1", "STATUS=15.0 fps, 1 person")
    assert systemd.recv(1000) == b"READY=1\nSTATUS=15.0 fps, 1 person"
    notifier.close()
    systemd.close()


def test_an_address_with_an_at_sign_is_an_abstract_socket() -> None:
    name = f"edge-pose-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("\0" + name)
        server.settimeout(LONG_S)
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}"})
        notifier.send("WATCHDOG=1")
        assert server.recv(100) == b"WATCHDOG=1"
        notifier.close()


def test_without_systemd_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.send("READY=1")
    notifier.close()
    assert notifier.watchdog_interval_s == 0


def test_a_socket_that_has_vanished_is_ignored(systemd: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname()})
    Path(systemd.getsockname()).unlink()
    systemd.close()
    notifier.send("READY=1")
    notifier.close()


def test_the_watchdog_interval_is_a_quarter_of_the_timeout_of_this_process() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(environ).watchdog_interval_s == 7.5
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_interval_s == 7.5
    assert Notifier(environ | {"WATCHDOG_PID": "1"}).watchdog_interval_s == 0
