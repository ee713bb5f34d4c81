"""`edge-pose page` against servers that answer as the page does, and against others."""

import io
import json
import ssl
from pathlib import Path

import pytest
import segno

from edge.cli.page import qr_code, show
from edge.config import Web
from edge.system.addresses import addresses
from edge.web.visit import fingerprint, urls, visit
from tests.support.brokers import LOOPBACK, free_port
from tests.support.pages import EVERYWHERE, server
from tests.support.sensor import run_edge


def config(folder: Path, port: int, host: str = LOOPBACK) -> Path:
    file, password = folder / "edge-pose.toml", folder / "password"
    password.write_text("secret words")
    lines = ["[web]", "enabled = true", f"port = {port}", f'host = "{host}"', f'password_file = "{password}"']
    file.write_text("\n".join(lines) + "\n")
    return file


def test_while_the_page_is_off_one_line_says_how_to_switch_it_on(tmp_path: Path) -> None:
    file = tmp_path / "edge-pose.toml"
    file.write_text("")
    ran = run_edge("page", "--config", str(file))
    assert (ran.returncode, ran.stderr) == (0, "")
    (line,) = ran.stdout.splitlines()
    assert "web.enabled = true" in line
    assert str(file) in line
    facts = json.loads(run_edge("page", "--config", str(file), "--json").stdout)
    assert (facts["enabled"], facts["addresses"], facts["listening"]) == (False, [], False)


def test_in_a_pipe_it_prints_addresses_and_state_as_plain_text(tmp_path: Path) -> None:
    with server() as port:
        printed = run_edge("page", "--config", str(config(tmp_path, port))).stdout
    assert f"http://localhost:{port}" in printed
    assert "it answers" in printed
    assert printed.isascii()
    assert "\x1b" not in printed
    assert "secret" not in printed


def test_beyond_loopback_it_prints_https_and_the_fingerprint(tmp_path: Path, certificates: Path) -> None:
    with server(certificates=certificates) as port:
        facts = json.loads(run_edge("page", "--config", str(config(tmp_path, port, EVERYWHERE)), "--json").stdout)
    own = ssl.PEM_cert_to_DER_cert((certificates / "server.crt").read_text())
    assert facts["fingerprint"] == fingerprint(own)
    assert facts["listening"] is True
    assert facts["addresses"]
    assert all(address.startswith("https://") and address.endswith(f":{port}") for address in facts["addresses"])
    assert facts["password_file"] == str(tmp_path / "password")


def test_a_fingerprint_is_written_as_browsers_do() -> None:
    assert fingerprint(b"").startswith("E3:B0:C4:42:98:FC:")
    assert len(fingerprint(b"")) == 32 * 3 - 1


def test_it_says_why_the_page_does_not_answer(certificates: Path) -> None:
    assert visit(Web(port=free_port())).problem == "nothing listens there"
    with server(404) as port:
        assert "404" in visit(Web(port=port)).problem
        assert "TLS" in visit(Web(port=port, host=EVERYWHERE)).problem
    with server(503, b"the camera is silent\n", certificates) as port:
        found = visit(Web(port=port, host=EVERYWHERE))
    assert (found.problem, found.status, found.text) == ("", 503, "the camera is silent")


def test_a_page_beyond_loopback_needs_a_password(tmp_path: Path) -> None:
    file = tmp_path / "edge-pose.toml"
    file.write_text('[web]\nenabled = true\nhost = "0.0.0.0"\n')
    ran = run_edge("page", "--config", str(file))
    assert ran.returncode == 78
    assert "web.host" in ran.stderr


def test_addresses_are_those_that_a_browser_can_open() -> None:
    assert urls(Web(host="127.0.0.1", port=80)) == ["http://localhost:80"]
    assert urls(Web(host="127.0.0.2")) == ["http://127.0.0.2:8077"]
    assert urls(Web(host="192.168.1.5")) == ["https://192.168.1.5:8077"]
    assert urls(Web(host="fd00::5", names=("pose.example.org",))) == [
        "https://pose.example.org:8077",
        "https://[fd00::5]:8077",
    ]
    everywhere = urls(Web(host=EVERYWHERE))
    assert everywhere[-1].endswith(".local:8077")
    assert len(everywhere) == 1 + len(addresses())


def test_without_ipv4_the_global_ipv6_addresses_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/if_inet6").write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        "20010db8000000000000000000000001 02 40 00 80     eth0\n"
    )
    monkeypatch.setattr("edge.system.addresses._routed", list)
    monkeypatch.setattr("edge.system.addresses._of_interfaces", lambda: ["127.0.0.1", "169.254.3.4"])
    assert addresses(tmp_path) == ["2001:db8::1"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


FACTS = {"enabled": True, "remote": True, "addresses": ["https://192.168.1.20:8077", "https://pi.local:8077"],
         "fingerprint": "AB:CD", "listening": True, "problem": None,
         "password_file": "/etc/edge-pose/web_password"}  # fmt: skip


def test_a_terminal_gets_a_qr_code_of_the_first_address() -> None:
    out = Terminal()
    show(FACTS, None, out)
    assert out.getvalue().endswith(qr_code("https://192.168.1.20:8077"))


def test_an_address_that_a_phone_cannot_open_gets_no_code() -> None:
    out = Terminal()
    show(FACTS | {"remote": False, "addresses": ["http://localhost:8077"]}, None, out)
    assert "\x1b" not in out.getvalue()
    assert "this machine only" in out.getvalue()


def test_a_terminal_that_cannot_show_the_code_gets_none() -> None:
    out = Terminal()
    out.encoding = "ascii"
    show(FACTS, None, out)
    assert out.getvalue().isascii()
    assert "https://192.168.1.20:8077" in out.getvalue()


def test_the_qr_code_is_black_on_white_with_a_border_and_fits_a_terminal() -> None:
    lines = qr_code("https://192.168.1.20:8077").splitlines()
    rows: list[list[bool]] = []
    for line in lines:
        assert line.startswith("\x1b[38;5;16;48;5;231m")
        assert line.endswith("\x1b[0m")
        characters = line[len("\x1b[38;5;16;48;5;231m") : -len("\x1b[0m")]
        rows += [[one in "▀█" for one in characters], [one in "▄█" for one in characters]]
    expected = [[bool(one) for one in row] for row in segno.make_qr("https://192.168.1.20:8077").matrix_iter(border=2)]
    assert rows[: len(expected)] == expected
    assert not any(any(row) for row in rows[len(expected) :])
    assert len(rows[0]) <= 40
    assert len(lines) <= 22
