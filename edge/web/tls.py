"""The certificate of the page: the owner's, or a self-signed one that is made at the first start."""

import logging
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from edge.config import Web
from edge.errors import ConfigError, RequestError
from edge.system.addresses import addresses
from edge.system.state_dir import state_file, write_state
from edge.web.hosts import host_names
from edge.web.visit import fingerprint

log = logging.getLogger(__name__)

DAYS = 3650
RENEW_S = 30 * 86400  # before it expires
RUN_S = 60.0  # for one run of openssl
_REQUEST = """[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = {name}
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
"""


def open_tls(web: Web, device_id: str) -> ssl.SSLContext:
    """TLS for the page. Makes the self-signed certificate if it is missing or about to expire. Raises EdgeError."""
    cert = Path(web.cert_file) if web.cert_file else state_file("page", device_id, "pem")
    if not web.cert_file and not _is_usable(cert):
        try:
            write_state(cert, _self_signed(web.names))
        except OSError as exc:
            problem = f"the certificate of the page cannot be written ({exc.strerror})"
            raise RequestError(str(cert), problem, "make its folder writable for the service") from exc
    try:
        return _context(cert, web.key_file or None)
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        key = "web.cert_file" if web.cert_file else str(cert)
        problem = f"certificate and key cannot be used ({getattr(exc, 'strerror', None) or exc})"
        raise ConfigError(key, problem, "use a certificate and its private key, readable, in PEM format") from exc


def _context(cert: Path, key_file: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(
        cert, key_file, password=""
    )  # without a password, openssl would ask for one on the terminal
    return context


def _is_usable(cert: Path) -> bool:
    """Whether the file has a certificate that is valid for some time, and its key."""
    try:
        _context(cert, None)
        _openssl("x509", "-noout", "-checkend", str(RENEW_S), "-in", str(cert))
    except (OSError, ValueError, RequestError):
        return False
    return True


def _self_signed(more_names: Iterable[str]) -> bytes:
    """A new key and certificate for this machine, PEM. Raises RequestError."""
    names = [f"DNS:{name}" for name in sorted(host_names(more_names)) if _is_name(name)]
    numbers = [f"IP:{address}" for address in ["127.0.0.1", *addresses()]]
    text = _REQUEST.format(name=socket.gethostname()[:64] or "edge-pose", names=", ".join([*names, *numbers]))
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "request"
        request.write_text(text, encoding="ascii")
        made = Path(folder) / "made"
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(made))
        cert = _openssl("req", "-x509", "-days", str(DAYS), "-config", str(request), *new_key)
        log.info("made a certificate for the page; SHA-256 %s", fingerprint(ssl.PEM_cert_to_DER_cert(cert.decode())))
        return cert + made.read_bytes()


def _is_name(name: str) -> bool:
    """Whether a certificate can have this name; others are left out of it."""
    return re.fullmatch(r"[A-Za-z0-9*_-]+(\.[A-Za-z0-9*_-]+)*", name) is not None


def _openssl(*arguments: str) -> bytes:
    """What the command openssl prints. Raises RequestError."""
    remedy = "install openssl, or set web.cert_file and web.key_file"
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, timeout=RUN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise RequestError("openssl", f"cannot make a certificate ({exc})", remedy) from exc
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RequestError("openssl", f"cannot make a certificate ({said[-1] if said else done.returncode})", remedy)
    return done.stdout
