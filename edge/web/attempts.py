"""Slow down wrong passwords."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5  # wrong passwords from one address without a wait
PAUSE_S = 3.0  # between two further ones
FORGET_S = 900.0  # after the last wrong one
MAX_ADDRESSES = 1024
# From all addresses together: so many at once, then one per TOTAL_REFILL_S. Sessions do not need a password.
TOTAL, TOTAL_REFILL_S = 100, 1.0


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class Attempts:
    """Counts wrong passwords by address. The table is bounded: the address with the oldest failure is forgotten."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[str, _Failures] = OrderedDict()  # oldest first
        self._total = float(TOTAL)  # wrong passwords left without a wait
        self._refilled_s = monotonic()

    def wait_s(self, address: str) -> float:
        """Seconds until a password from this address is checked; 0 means now."""
        now_s = self._monotonic()
        self._total = min(self._total + (now_s - self._refilled_s) / TOTAL_REFILL_S, float(TOTAL))
        self._refilled_s = now_s
        wait_s = (1 - self._total) * TOTAL_REFILL_S
        failures = self._failures.get(_group(address))
        if failures is not None and failures.count >= FREE:
            wait_s = max(wait_s, failures.last_s + PAUSE_S - now_s)
        return max(wait_s, 0.0)

    def failed(self, address: str) -> None:
        """Count a wrong password."""
        now_s, group = self._monotonic(), _group(address)
        self._total -= 1
        failures = self._failures.pop(group, None)
        if failures is None or now_s - failures.last_s > FORGET_S:
            failures = _Failures(0, now_s)
        self._failures[group] = _Failures(failures.count + 1, now_s)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the wrong passwords of an address."""
        self._failures.pop(_group(address), None)


def _group(address: str) -> str:
    """The address, or its network of 64 bits with IPv6, in which one machine may use any address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))
