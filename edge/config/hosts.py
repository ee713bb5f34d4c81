"""Host names and ports in the configuration and on the command line."""

import ipaddress
import re

from edge.errors import UsageError


def host_and_port(value: str, option: str) -> tuple[str, int | None]:
    """Split HOST or HOST:PORT, the value of a command-line `option`. Raises UsageError."""
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\s/]+))(?::(?P<port>\d{1,5}))?", value)
    host = (found["v6"] or found["host"]) if found else ""
    port = int(found["port"]) if found and found["port"] else None
    if not is_host(host) or not (port is None or 1 <= port <= 65535):
        problem = f"{value!r} is not HOST or HOST:PORT"
        raise UsageError(option, problem, "write, for example, 192.168.1.10:1883 or [fe80::1]:1883")
    return host, port


def is_host(name: str) -> bool:
    """Whether the system's resolver accepts a name or address."""
    try:
        name.encode("idna")
        if ":" in name:
            ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return bool(name) and not re.search(r"[\s/]", name)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server that listens on `host`. No name but localhost counts."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
