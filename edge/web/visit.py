"""Where the page is, and whether it answers. For commands, which are not the service itself."""

import hashlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge.config import Web
from edge.system.addresses import addresses, local_name

LIMIT_S = 3.0
LONGEST_ANSWER = 1000  # bytes
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not an address to listen on


@dataclass(frozen=True, slots=True)
class Visit:
    """What answers at the port of the page."""

    problem: str = ""  # why it cannot be used; "" if it answers as the page does
    certificate: bytes = b""  # DER; empty without TLS
    status: int = 0  # of /healthz
    text: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as browsers show it; "" without one."""
        return fingerprint(self.certificate) if self.certificate else ""


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER, such as 0A:1B:..."""
    return hashlib.sha256(certificate).digest().hex(":").upper()


def urls(web: Web) -> list[str]:
    """The addresses of the page, the one that works for most browsers first."""
    if not web.beyond_loopback:
        hosts = ["localhost" if web.host in {"127.0.0.1", "::1"} else web.host]
    elif web.host in _EVERY_ADDRESS:
        hosts = [*web.names, *addresses(), local_name()]
    else:
        hosts = [*web.names, web.host]
    return [f"{'https' if web.tls else 'http'}://{_bracketed(host)}:{web.port}" for host in hosts]


def visit(web: Web) -> Visit:
    """Ask the page on this machine for its health. Never raises."""
    host = _EVERY_ADDRESS.get(web.host, web.host)
    certificate = b""
    try:
        with _connected(web, host) as stream:
            if isinstance(stream, ssl.SSLSocket):
                certificate = stream.getpeercert(binary_form=True) or b""
            connection = http.client.HTTPConnection(host, web.port, timeout=LIMIT_S)
            connection.sock = stream
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            text = " ".join(answer.read(LONGEST_ANSWER).decode(errors="replace").split())
    except (OSError, http.client.HTTPException) as exc:
        return Visit(_reason(exc), certificate)
    if answer.status not in {200, 503}:
        return Visit(f"another program answers with {answer.status}", certificate, answer.status, text)
    return Visit("", certificate, answer.status, text)


def expires_s(web: Web, certificate: bytes) -> float:
    """When the certificate that the page serves expires, on the clock of time.time(). Raises OSError if it has.

    `certificate` is in DER. It is trusted here: the question is only whether it is valid.
    """
    with _connected(web, _EVERY_ADDRESS.get(web.host, web.host), certificate) as stream:
        assert isinstance(stream, ssl.SSLSocket)
        return float(ssl.cert_time_to_seconds(str((stream.getpeercert() or {})["notAfter"])))


@contextmanager
def _connected(web: Web, host: str, trusted: bytes = b"") -> Iterator[socket.socket]:
    """A connection to the page; `trusted` is the only certificate that is accepted, without it any is."""
    with socket.create_connection((host, web.port), LIMIT_S) as stream:
        if not web.tls:
            yield stream
            return
        # The certificate may be the service's own, without a name for this address; the connection is local.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if trusted:
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it may be one that another certificate has signed
            context.load_verify_locations(cadata=trusted)
        with context.wrap_socket(stream, server_hostname=host) as encrypted:
            yield encrypted


def _reason(exc: Exception) -> str:
    if isinstance(exc, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(exc, TimeoutError):
        return f"no answer within {LIMIT_S:.0f} s"
    if isinstance(exc, ssl.SSLError):
        return f"it does not speak TLS ({exc.reason})"
    return " ".join(str(exc).split()) or type(exc).__name__


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
