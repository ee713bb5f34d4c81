"""The page for other machines: always encrypted, with a certificate of its own or the owner's."""

import hashlib
import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from edge.config import Web
from edge.errors import ConfigError, RequestError
from edge.web import tls
from edge.web.tls import open_tls
from tests.support.brokers import LOOPBACK
from tests.web.opened import EVERYWHERE, PASSWORD, Page, opened, with_password

WEB = Web(enabled=True, host=EVERYWHERE, names=("pose.example.org",))

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="OPENSSL IS NOT INSTALLED: run: apt-get install openssl"
)


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def cert(tmp_path: Path) -> Path:
    """Where the page keeps its own certificate."""
    return tmp_path / "state" / "hall.page.pem"


def test_a_certificate_for_this_machine_is_made_once(cert: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    open_tls(WEB, "hall")
    text = openssl("x509", "-noout", "-text", "-in", cert)
    names = re.search("Subject Alternative Name: *\n *(.*)", text)
    assert names is not None
    first = socket.gethostname().partition(".")[0].lower()
    for name in ("DNS:localhost", f"DNS:{first}.local", "DNS:pose.example.org", "IP Address:127.0.0.1"):
        assert name in names[1].split(", ")
    assert "ASN1 OID: prime256v1" in text
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    assert cert.stat().st_mode & 0o777 == 0o600
    shown = openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", cert).strip().partition("=")[2]
    assert shown in caplog.text
    before = cert.read_bytes()
    open_tls(WEB, "hall")
    assert cert.read_bytes() == before


def test_a_certificate_that_is_about_to_expire_is_replaced(cert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_tls(WEB, "hall")
    before = cert.read_bytes()
    monkeypatch.setattr(tls, "RENEW_S", (tls.DAYS + 1) * 86400)
    open_tls(WEB, "hall")
    assert cert.read_bytes() != before


@pytest.mark.parametrize("damage", ["empty", "half", "no key", "text"])
def test_a_damaged_certificate_is_replaced(cert: Path, damage: str) -> None:
    open_tls(WEB, "hall")
    whole = cert.read_text()
    cert.write_text(
        {"empty": "", "half": whole[:500], "no key": whole.partition("-----BEGIN PR")[0], "text": "x"}[damage]
    )
    open_tls(WEB, "hall")
    assert "PRIVATE KEY" in cert.read_text()


def test_without_openssl_the_reason_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError) as refused:
        open_tls(WEB, "hall")
    assert refused.value.key == "openssl"
    assert "web.cert_file" in refused.value.remedy


def test_without_a_writable_state_directory_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "file"))
    with pytest.raises(RequestError) as refused:
        open_tls(WEB, "hall")
    assert refused.value.key == str(tmp_path / "file" / "hall.page.pem")


@pytest.mark.parametrize("wrong", ["missing", "no certificate", "other key", "encrypted key"])
def test_files_of_the_owner_that_cannot_be_used_are_named(certificates: Path, tmp_path: Path, wrong: str) -> None:
    cert, key = certificates / "server.crt", certificates / "server.key"
    if wrong == "missing":
        cert = tmp_path / "none.crt"
    elif wrong == "no certificate":
        cert = key
    elif wrong == "other key":
        key = certificates / "client.key"
    else:
        key = tmp_path / "encrypted.key"
        openssl("pkey", "-aes256", "-passout", "pass:secret", "-in", certificates / "server.key", "-out", key)
    with pytest.raises(ConfigError) as refused:
        open_tls(Web(cert_file=str(cert), key_file=str(key)), "hall")
    assert refused.value.key == "web.cert_file"
    assert refused.value.problem


def test_a_browser_that_trusts_the_certificate_accepts_it(remote: Page, cert: Path) -> None:
    context = ssl.create_default_context(cadata=cert.read_text().partition("-----BEGIN PR")[0])
    with (
        socket.create_connection((LOOPBACK, remote.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        assert client.version() in {"TLSv1.2", "TLSv1.3"}


def test_old_versions_of_tls_are_refused(remote: Page) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((LOOPBACK, remote.port)) as plain, pytest.raises(OSError, match=r"(?i)ssl|reset"):
        context.wrap_socket(plain)


def test_the_certificate_stays_the_same_after_a_restart(tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        with opened({"host": EVERYWHERE, **with_password(tmp_path)}) as page, page.socket() as client:
            assert isinstance(client, ssl.SSLSocket)
            seen.add(hashlib.sha256(client.getpeercert(binary_form=True) or b"").hexdigest())
    assert len(seen) == 1


def test_the_owners_certificate_is_served(certificates: Path) -> None:
    keys = {"cert_file": str(certificates / "server.crt"), "key_file": str(certificates / "server.key")}
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    with opened(keys) as page, socket.create_connection((LOOPBACK, page.port)) as plain:
        context.wrap_socket(plain, server_hostname="localhost").close()
        assert page.ask("GET", "/").status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/page.css", "/live?x=1", "/metrics"])
def test_without_tls_everything_leads_to_the_encrypted_page(remote: Page, path: str) -> None:
    plain = Page(remote.port, remote.sensor, tls=False)
    answer = plain.ask("GET", path)
    assert answer.status == 301
    assert answer.headers["Location"] == f"https://{remote.host}{path}"


def test_without_tls_no_password_and_no_change_is_accepted(remote: Page) -> None:
    remote.log_in()
    plain = Page(remote.port, remote.sensor, tls=False)
    assert plain.log_in(PASSWORD).status == 301
    assert plain.cookie == ""
    plain.cookie = remote.cookie
    assert plain.ask("POST", "/settings/fall", {"value": "OFF"}).status == 301
    assert remote.sensor.config == remote.sensor.file
    assert plain.ask("GET", "/", Host="evil.example").status == 421
    assert plain.ask("GET", "/", Host=None).status == 400


def test_no_state_is_readable_for_other_users(remote: Page, tmp_path: Path) -> None:
    remote.log_in()
    for file in (tmp_path / "state").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
        assert file.stat().st_uid == os.getuid()
