"""Which Host headers name this machine."""

import pytest

from edge.web.hosts import host_names, is_own_host


@pytest.fixture(autouse=True)
def _name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Hall-Pi.example.org")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8077",
        "192.168.1.7:8077",
        "[::1]",
        "[::1]:8077",
        "[fe80::1]:80",
        "localhost:8077",
        "LOCALHOST",
        "hall-pi",
        "Hall-Pi:8077",
        "hall-pi.local",
        "hall-pi.local.:8077",
        "hall-pi.example.org",
        "pose.home:443",
    ],
)
def test_addresses_and_own_names_are_accepted(host: str) -> None:
    assert is_own_host(host, host_names(["Pose.Home"]))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8077",
        "hall-pi.evil.example",
        "hall-pi.local.evil.example",
        "xhall-pi",
        "127.0.0.1.nip.io",
        "127.0.0.1:8077:1",
        "127.0.0.1:port",
        "[::1",
        "::1",
        "localhost evil.example",
        "localhost/",
        "user@localhost",
        "localhost:8077, evil.example",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[127.0.0.1]x",
        "pose.home\0",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    assert not is_own_host(host, host_names(["pose.home"]))
