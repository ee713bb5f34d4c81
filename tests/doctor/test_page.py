"""The page's part of `edge-pose doctor`."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, Web
from edge.doctor import page as module
from edge.doctor.result import Result
from tests.support.brokers import free_port
from tests.support.pages import EVERYWHERE, server


def examine(root: Path, **web: object) -> dict[str, Result]:
    """Name -> result of each line, for a page that is switched on with these keys."""
    config = Config(web=msgspec.convert({"enabled": True, **web}, Web))
    return {result.name: result for result in module.page(root, config)}


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text("secret words")
    file.chmod(0o600)
    return str(file)


def test_a_page_that_is_off_is_one_line_that_says_how_to_switch_it_on(root: Path) -> None:
    (result,) = module.page(root, Config())
    assert (result.name, result.level) == ("page", "ok")
    assert "web.enabled = true" in result.text


def test_a_healthy_page_has_no_fixes(root: Path, password: str, certificates: Path) -> None:
    with server(certificates=certificates) as port:
        found = examine(root, host=EVERYWHERE, port=port, password_file=password)
    assert list(found) == ["page password", "page", "page certificate", "page health"]
    # The certificate of the tests is valid for two days.
    levels = {name: (result.level, bool(result.fix)) for name, result in found.items()}
    assert levels.pop("page certificate") == ("warning", True)
    assert set(levels.values()) == {("ok", False)}


def test_the_fingerprint_is_that_of_the_served_certificate(root: Path, password: str, certificates: Path) -> None:
    printed = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", certificates / "server.crt"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with server(certificates=certificates) as port:
        found = examine(root, host=EVERYWHERE, port=port, password_file=password)
    assert printed.strip().rpartition("=")[2] in found["page certificate"].text
    assert "valid for 2 more days" in found["page certificate"].text


def test_an_expired_certificate_is_a_warning(root: Path, password: str, tmp_path: Path) -> None:
    folder = tmp_path / "expired"
    folder.mkdir()
    for command in (
        "req -newkey rsa:2048 -nodes -subj /CN=old -keyout server.key -out request",
        "x509 -req -in request -signkey server.key -days -1 -out server.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    with server(certificates=folder) as port:
        found = examine(root, host=EVERYWHERE, port=port, password_file=password)
    assert found["page certificate"].level == "warning"
    assert "expired" in found["page certificate"].text


def test_an_unhealthy_sensor_is_a_warning_with_its_reason(root: Path) -> None:
    with server(503, b"the broker is away\n") as port:
        found = examine(root, port=port)
    assert list(found) == ["page password", "page", "page health"]
    assert (found["page"].level, found["page health"].level) == ("ok", "warning")
    assert found["page health"].text == "the broker is away"


def test_a_port_without_the_page_is_a_warning(root: Path) -> None:
    found = examine(root, port=free_port())
    assert (found["page"].level, "journalctl" in found["page"].fix) == ("warning", True)
    with server(404) as port:
        found = examine(root, port=port)
    assert (found["page"].level, found["page"].fix) == ("warning", "choose another web.port")
    assert "page health" not in found


def test_without_openssl_the_page_has_no_certificate(
    root: Path, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/none")
    found = examine(root, host=EVERYWHERE, port=free_port(), password_file=password)
    assert "apt install openssl" in found["page"].fix


def test_a_page_for_other_machines_without_a_password_is_a_problem(root: Path) -> None:
    (result,) = examine(root, host=EVERYWHERE).values()
    assert (result.name, result.level) == ("page", "problem")
    assert "web.host" in result.text


def test_a_password_that_others_can_read_is_a_warning(root: Path, password: str) -> None:
    Path(password).chmod(0o644)
    found = examine(root, port=free_port(), password_file=password)
    assert found["page password"].level == "warning"
    assert found["page password"].fix == f"sudo chmod 600 {password}"


def test_a_short_password_is_a_warning(root: Path, password: str) -> None:
    Path(password).write_text("1234567\n")
    found = examine(root, port=free_port(), password_file=password)
    assert found["page password"].level == "warning"
    assert "1234567" not in found["page password"].text


def test_the_password_of_the_service_is_found(root: Path) -> None:
    assert "none" in examine(root, port=free_port())["page password"].text
    (root / "etc/edge-pose").mkdir()
    file = root / "etc/edge-pose/web_password"
    file.touch(mode=0o600)
    assert examine(root, port=free_port())["page password"].level == "warning"  # empty
    file.write_text("secret words\n")
    found = examine(root, port=free_port())["page password"]
    assert (found.level, str(file) in found.text, "secret" in found.text) == ("ok", True, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: only root can become another user")
def test_without_sudo_the_password_is_unknown(root: Path) -> None:
    (root / "etc/edge-pose").mkdir()
    (root / "etc/edge-pose/web_password").write_text("secret words\n")
    (root / "etc/edge-pose/web_password").chmod(0o600)
    for folder in [root, *root.parents]:
        if folder.is_relative_to("/tmp/"):  # noqa: S108 - pytest's folders
            folder.chmod(0o755)
    os.seteuid(65534)
    try:
        found = examine(root, port=free_port())["page password"]
    finally:
        os.seteuid(0)
    assert (found.level, found.fix) == ("unknown", "run with sudo")
