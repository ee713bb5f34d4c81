"""How the daemon and its machine are: counted and measured for the `health` message."""

import ctypes
import statistics
from collections import deque
from pathlib import Path

from edge.mqtt.messages import Quantiles

WINDOW_S = 5.0
LATENCIES_KEPT = 200

_TEMPERATURE = Path("/sys/class/thermal/thermal_zone0/temp")
_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_THROTTLED_NOW = 0b1111  # under-voltage, frequency capped, throttled, soft temperature limit


class Meter:
    """Frame rate and latencies of the last few seconds; all times are time.monotonic()."""

    def __init__(self, now_s: float) -> None:
        self.started_s = now_s
        self.processed = 0
        self.last_frame_s: float | None = None
        self._done_s: deque[float] = deque()
        self._inference_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._total_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def count(self, now_s: float, inference_ms: float, total_ms: float) -> None:
        """Count a frame whose poses are known."""
        self.processed += 1
        self.last_frame_s = now_s
        self._done_s.append(now_s)
        self._forget(now_s)
        self._inference_ms.append(inference_ms)
        self._total_ms.append(total_ms)

    def fps(self, now_s: float) -> float:
        """Frames a second over the last seconds; falls when none come any more."""
        self._forget(now_s)
        intervals = len(self._done_s) - 1
        return intervals / (now_s - self._done_s[0]) if intervals > 0 and now_s > self._done_s[0] else 0.0

    def inference(self) -> Quantiles | None:
        return _quantiles(self._inference_ms)

    def total(self) -> Quantiles | None:
        return _quantiles(self._total_ms)

    def _forget(self, now_s: float) -> None:
        while self._done_s and self._done_s[0] < now_s - WINDOW_S:
            self._done_s.popleft()


def _quantiles(values: deque[float]) -> Quantiles | None:
    if not values:
        return None
    ordered = sorted(values)
    p95 = ordered[min(round(0.95 * len(ordered)), len(ordered) - 1)]
    return Quantiles(median=round(statistics.median(ordered), 2), p95=round(p95, 2))


def soc_temperature_c() -> float | None:
    """Of the system on a chip; None where the kernel does not tell."""
    raw = _read(_TEMPERATURE)
    try:
        return round(int(raw) / 1000, 1) if raw else None
    except ValueError:
        return None


def throttled() -> bool | None:
    """Whether a Raspberry Pi runs slower than it could, for heat or a weak power supply; None on other machines."""
    flags = throttled_flags()
    return None if flags is None else bool(flags & _THROTTLED_NOW)


def throttled_flags() -> int | None:
    """The firmware's four flags of now and, from bit 16, of ever since boot; None where the kernel does not tell."""
    raw = _read(_THROTTLED)
    try:
        return int(raw, 16) if raw else None
    except ValueError:
        return None


def rss_mb() -> float | None:
    """Memory of this process that is resident, in MiB; None where /proc does not tell."""
    for line in _read(Path("/proc/self/status")).splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None


def give_memory_back() -> None:
    """Let go of free memory that the C library keeps: a large picture would otherwise count for ever."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's
        trim(0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
