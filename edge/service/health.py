"""The `health` message: counts and latencies of the daemon, and readings of the machine."""

import ctypes
import statistics
import time
from collections import deque
from pathlib import Path

from edge.inference.network import State
from edge.mqtt import messages
from edge.mqtt.messages import Quantiles
from edge.mqtt.publisher import Publisher
from edge.pipeline.seams import FrameSource, Update
from edge.recording.record import Recorder
from edge.system.files import read_text

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
        self.idle = 0  # frames that no network saw
        self.last_frame_s: float | None = None
        self.frame_age_ms: float | None = None  # of the newest frame when inference took it, by the sensor's clock
        self._done_s: deque[float] = deque()
        self._inference_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._total_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def count(self, update: Update, now_s: float) -> None:
        """Count a processed frame."""
        self.processed += 1
        self.last_frame_s = now_s
        self._done_s.append(now_s)
        self._forget(now_s)
        self._inference_ms.append(update.inference_s * 1e3)
        self._total_ms.append((now_s - update.started_s) * 1e3)
        age_ms = (update.started_s - update.frame.monotonic_s) * 1e3
        self.frame_age_ms = round(age_ms, 1) if update.frame.dated else None

    def count_idle(self, at_s: float) -> None:
        """Count a frame that the gate judged at this time, and that no network saw."""
        self.idle += 1
        self.last_frame_s = at_s
        self._done_s.append(at_s)

    def fps(self, now_s: float) -> float:
        """Frames per second over the last WINDOW_S; falls to 0 when no frames come."""
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


def assemble(  # noqa: PLR0913 - the sources of the message
    *,
    meter: Meter,
    source: FrameSource,
    publisher: Publisher,
    recorder: Recorder | None,
    state: State,
    camera: messages.Camera,
    idle: bool,
    pictures: bool,
    now_s: float,
) -> messages.Health:
    """The payload of `health`. While the camera is stalled, latencies are null: the old ones are out of date."""
    stalled = camera == "stalled"
    age_s = None if meter.last_frame_s is None else now_s - meter.last_frame_s
    return messages.Health(
        v=messages.SCHEMA_VERSION,
        time=messages.timestamp(time.time()),
        uptime_s=round(now_s - meter.started_s, 1),
        fps=round(meter.fps(now_s), 2),
        latency_ms=messages.HealthLatency(
            inference=None if stalled else meter.inference(), total=None if stalled else meter.total()
        ),
        frames=messages.FrameCounts(
            processed=meter.processed, idle=meter.idle, dropped=source.dropped, unreadable=source.unreadable
        ),
        messages_dropped=publisher.dropped,
        connects=publisher.connection.connects,
        recording_dropped=recorder.dropped if recorder else None,
        last_frame_age_s=None if age_s is None else round(age_s, 3),
        frame_age_ms=None if stalled else meter.frame_age_ms,
        idle=idle,
        camera=camera,
        pictures=pictures,
        camera_reopened=source.reopened,
        backend=state.backend,
        backend_code=state.code,
        backend_reason=state.text,
        soc_temperature_c=soc_temperature_c(),
        throttled=throttled(),
        rss_mb=rss_mb(),
    )


def soc_temperature_c() -> float | None:
    """The temperature of the system on a chip, °C; None if the kernel does not report it."""
    try:
        return round(int(read_text(_TEMPERATURE)) / 1000, 1)
    except ValueError:
        return None


def throttled() -> bool | None:
    """Whether heat or a weak power supply slows this Raspberry Pi down now; None if the kernel does not report it."""
    flags = throttled_flags()
    return None if flags is None else bool(flags & _THROTTLED_NOW)


def throttled_flags() -> int | None:
    """The firmware's four flags, now from bit 0 and since boot from bit 16; None if the kernel does not report them."""
    try:
        return int(read_text(_THROTTLED), 16)
    except ValueError:
        return None


def rss_mb() -> float | None:
    """Resident memory of this process, MiB; None without /proc."""
    for line in read_text(Path("/proc/self/status")).splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None


def trim_memory() -> None:
    """Return freed memory to the system, because the C library may keep the memory of a large picture for ever."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's
        trim(0)


def _quantiles(values: deque[float]) -> Quantiles | None:
    if not values:
        return None
    ordered = sorted(values)
    p95 = ordered[min(round(0.95 * len(ordered)), len(ordered) - 1)]
    return Quantiles(median=round(statistics.median(ordered), 2), p95=round(p95, 2))
