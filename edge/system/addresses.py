"""The names and addresses by which other machines reach this one."""

import fcntl
import socket
import struct
from contextlib import suppress
from pathlib import Path

from edge.system.files import read_text

_SIOCGIFADDR = 0x8915  # the IPv4 address of an interface
_GLOBAL_SCOPE = "00"


def addresses(root: Path = Path("/")) -> list[str]:
    """The IPv4 addresses of this machine, the one with the default route first; without one, the global IPv6 ones."""
    found = list(dict.fromkeys([*_routed(), *_of_interfaces()]))
    usable = [address for address in found if not address.startswith(("127.", "169.254.", "0."))]
    return usable or _ipv6(root)


def local_name() -> str:
    """The name that this machine has in its own network if it runs Avahi, as Raspberry Pi OS does."""
    return socket.gethostname().partition(".")[0] + ".local"


def _routed() -> list[str]:
    """The address from which this machine would send. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # reserved for documentation, so it is on the other side of the default route
        return [str(probe.getsockname()[0])]
    return []


def _of_interfaces() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has none
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _ipv6(root: Path) -> list[str]:
    rows = [line.split() for line in read_text(root / "proc/net/if_inet6").splitlines()]
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[3] == _GLOBAL_SCOPE]
