"""The names under which the page may be opened."""

import ipaddress
import re
import socket
from collections.abc import Iterable


def host_names(more: Iterable[str]) -> set[str]:
    """The names of this machine in lower case: localhost, its own with and without .local, and `more`."""
    own = socket.gethostname().lower()
    first = own.partition(".")[0]
    return {"localhost", own, first, f"{first}.local", *(name.lower().rstrip(".") for name in more)}


def is_own_host(host: str, names: Iterable[str]) -> bool:
    """Whether a Host header names this machine: an IP address, or one of `names`.

    A page elsewhere can make its own name resolve to this machine (DNS rebinding), but then the header has that name.
    """
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+))(?::[0-9]{1,5})?", host)
    if found is None:
        return False
    name = (found[1] or found[2]).lower().rstrip(".")
    if name in names:
        return True
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
