"""Report the state of the daemon to systemd (sd_notify). Does nothing without systemd."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Sends READY, STATUS, WATCHDOG and STOPPING to the socket in NOTIFY_SOCKET."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" means the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        timeout_s = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if for_us else 0.0
        # systemd recommends a ping at half the timeout; a quarter leaves room for a late frame.
        self.watchdog_interval_s = timeout_s / 4

    @property
    def active(self) -> bool:
        """Whether systemd runs this service, with notifications as in our unit."""
        return self._socket is not None

    def send(self, *states: str) -> None:
        """Send e.g. "READY=1", "STATUS=...". Errors of the socket are ignored."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(states).encode(), self._address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
