"""Host names and ports, as the configuration and the command line take them."""

import ipaddress
import re

from edge.errors import UsageError


def host_and_port(named: str, option: str) -> tuple[str, int | None]:
    """HOST or HOST:PORT, as a command line takes it by `option`. Raises UsageError."""
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\s/]+))(?::(?P<port>\d{1,5}))?", named)
    host = (found["v6"] or found["host"]) if found else ""
    port = int(found["port"]) if found and found["port"] else None
    if not is_host(host) or not (port is None or 1 <= port <= 65535):
        raise UsageError(f"{option}: {named!r} is not HOST or HOST:PORT, e.g. 192.168.1.10:1883 or [fe80::1]:1883")
    return host, port


def is_host(name: str) -> bool:
    try:
        name.encode("idna")  # as the system's resolver will have it
        if ":" in name:
            ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return bool(name) and not re.search(r"[\s/]", name)
