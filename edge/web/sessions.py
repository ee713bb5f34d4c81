"""Sessions of the page: signed tokens in a cookie, so that nothing is stored for them."""

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge.system.state_dir import write_state

log = logging.getLogger(__name__)

SESSION_S = 30 * 86400


class Sessions:
    """Issues and checks tokens. They are valid for SESSION_S, until the password or the secret changes."""

    def __init__(self, secret: bytes, password: str, wall: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret, password.encode(), hashlib.sha256)
        self._password = password.encode()
        self._wall = wall

    def is_password(self, text: str) -> bool:
        """Whether this is the password; the time that it takes does not depend on the first difference."""
        return hmac.compare_digest(text.encode(errors="replace"), self._password)

    def issue(self) -> str:
        """A new token: when it ends, a random part, and a signature of both."""
        content = f"{round(self._wall()) + SESSION_S}.{secrets.token_urlsafe(9)}"
        return f"{content}.{self._signature(content)}"

    def is_valid(self, token: str) -> bool:
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(errors="replace"), self._signature(content).encode()):
            return False
        return int(content.partition(".")[0]) > self._wall()

    def _signature(self, content: str) -> str:
        return hmac.new(self._key, content.encode(errors="replace"), hashlib.sha256).hexdigest()


class _Saved(msgspec.Struct, frozen=True):
    secret: str  # hexadecimal


def kept_secret(path: Path) -> bytes:
    """The secret in a file of the state directory. If the file cannot be used, a new secret replaces it."""
    try:
        secret = bytes.fromhex(msgspec.json.decode(path.read_bytes(), type=_Saved).secret)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        secret = b""
    if len(secret) >= hashlib.sha256().digest_size:
        return secret
    secret = secrets.token_bytes(hashlib.sha256().digest_size)
    try:
        write_state(path, msgspec.json.encode(_Saved(secret.hex())))
    except OSError as exc:
        log.warning("sessions of the page will not outlast a restart: %s cannot be written (%s)", path, exc.strerror)
    return secret
