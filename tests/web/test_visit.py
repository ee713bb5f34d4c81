"""Commands on the same machine find the page, whatever it uses."""

import ssl
from pathlib import Path

from edge.config import Web
from edge.system.state_dir import state_file
from edge.web.visit import expires_s, fingerprint, urls, visit
from tests.web.opened import EVERYWHERE, opened, with_password
from tests.web.sensors import FakeSensor

DAY_S = 86400


def first_certificate(file: Path) -> bytes:
    """The certificate in a file, DER."""
    end = "-----END CERTIFICATE-----"
    text = file.read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT") : text.index(end) + len(end)])


def test_a_page_for_other_machines_shows_its_own_certificate(tmp_path: Path) -> None:
    keys = {"host": EVERYWHERE, **with_password(tmp_path)}
    with opened(keys) as page:
        web = Web(enabled=True, port=page.port, **keys)  # type: ignore[arg-type]
        seen = visit(web)
        assert (seen.problem, seen.status, seen.text) == ("", 200, "ok")
        assert seen.fingerprint == fingerprint(first_certificate(state_file("page", "hall", "pem")))
        assert expires_s(web, seen.certificate) > 1_700_000_000 + 3000 * DAY_S


def test_a_page_for_this_machine_needs_no_certificate() -> None:
    with opened() as page:
        web = Web(enabled=True, port=page.port)
        assert (visit(web).status, visit(web).fingerprint) == (200, "")
        assert urls(web) == [f"http://localhost:{page.port}"]


def test_a_page_with_a_certificate_of_its_owner_uses_https(certificates: Path) -> None:
    keys = {"cert_file": str(certificates / "server.crt"), "key_file": str(certificates / "server.key")}
    with opened(keys) as page:
        web = Web(enabled=True, port=page.port, **keys)  # type: ignore[arg-type]
        seen = visit(web)
        assert seen.fingerprint == fingerprint(first_certificate(certificates / "server.crt"))
        assert seen.status == 200
        assert urls(web) == [f"https://localhost:{page.port}"]


def test_the_reason_is_that_of_healthz() -> None:
    sensor = FakeSensor()
    sensor.connected = False
    with opened(sensor=sensor) as page:
        seen = visit(Web(enabled=True, port=page.port))
    assert (seen.problem, seen.status) == ("", 503)
    assert "broker" in seen.text
