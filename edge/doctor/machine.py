"""The machine: power, temperature, disk, memory, and the clock."""

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from edge.doctor.command import Run
from edge.doctor.result import Level, Result
from edge.system.board import board_name
from edge.system.files import read_text

NO_PI = "not a Raspberry Pi"
STATE = Path("/var/lib/edge-pose")
JOURNAL = Path("/var/log/journal")
SOFT_LIMIT_C, HARD_LIMIT_C = 80, 85  # a Pi slows down at the first, and much more at the second
LOW_DISK_MB, CRITICAL_DISK_MB = 500, 50
LOW_MEMORY_MB, CRITICAL_MEMORY_MB = 150, 50
SYNCHRONISED_US = 16_000_000  # the limit that the kernel and timedatectl use

_UNDER_VOLTAGE, _SINCE_BOOT = 1, 16
_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")


def board(root: Path) -> Result:
    """The board, the system and its architecture."""
    release = dict(line.split("=", 1) for line in read_text(root / "etc/os-release").splitlines() if "=" in line)
    system = release.get("PRETTY_NAME", "Linux").strip('"')
    return Result("board", "ok", f"{board_name(root) or NO_PI}; {system}, {os.uname().machine}")


def power(board: str, flags: int | None, run: Run) -> Result:
    """Under-voltage and throttling, from the firmware's `flags`; a Pi 5 reports them only to vcgencmd."""
    if not board:
        return Result("power", "ok", NO_PI)
    if flags is None:
        printed = run(["vcgencmd", "get_throttled"]).out.partition("=")[2].strip()
        if not printed:
            fix = "sudo apt install raspi-utils, and run with sudo"
            return Result("power", "unknown", "the firmware does not report it", fix)
        flags = int(printed, 16)
    now, before = _named(flags), _named(flags >> _SINCE_BOOT)
    if not flags:
        return Result("power", "ok", "never throttled, never under-voltage since boot")
    text = f"now: {now or 'none'}; since boot: {before or 'none'}"
    if (flags | flags >> _SINCE_BOOT) & _UNDER_VOLTAGE:
        fix = "use the official power supply and a short cable; a Coral or camera may need a powered hub"
    else:
        fix = "cool it with a heat sink, a fan, or a case with holes"
    return Result("power", "problem" if now else "warning", text, fix)


def temperature(celsius: float | None) -> Result:
    """Whether the system on a chip is too hot; None if the kernel does not report its temperature."""
    if celsius is None:
        return Result("temperature", "ok", "the kernel does not report it")
    if celsius < SOFT_LIMIT_C:
        return Result("temperature", "ok", f"{celsius:.0f} °C")
    level: Level = "problem" if celsius >= HARD_LIMIT_C else "warning"
    fix = "cool it with a heat sink, a fan, or a case with holes; or lower camera.fps"
    return Result("temperature", level, f"{celsius:.0f} °C; the machine slows down from {SOFT_LIMIT_C} °C", fix)


def disk(root: Path) -> list[Result]:
    """Free space for models and for the journal."""
    results = []
    for title, wanted in (("disk", STATE), ("journal disk", JOURNAL)):
        place = root / wanted.relative_to("/")
        while not place.exists():
            place = place.parent
        free_mb = shutil.disk_usage(place).free >> 20
        text = f"{size_text(free_mb)} free for {wanted}"
        if free_mb >= LOW_DISK_MB:
            results.append(Result(title, "ok", text))
        else:
            level: Level = "problem" if free_mb < CRITICAL_DISK_MB else "warning"
            results.append(Result(title, level, text, "sudo apt clean; sudo journalctl --vacuum-size=50M"))
    return results


def memory(root: Path) -> Result:
    """Memory that is available to programs."""
    fields = dict(line.split(":", 1) for line in read_text(root / "proc/meminfo").splitlines() if ":" in line)
    if "MemAvailable" not in fields:
        return Result("memory", "unknown", "the kernel does not report it")
    free_mb, total_mb = (int(fields[key].split()[0]) >> 10 for key in ("MemAvailable", "MemTotal"))
    text = f"{size_text(free_mb)} of {size_text(total_mb)} are free"
    if free_mb >= LOW_MEMORY_MB:
        return Result("memory", "ok", text)
    fix = "stop other programs; on a Pi with 1 GB or less, boot to the console (sudo raspi-config)"
    return Result("memory", "problem" if free_mb < CRITICAL_MEMORY_MB else "warning", text, fix)


class _Timex(ctypes.Structure):
    """The start of the struct of adjtimex(2), which has at most 208 bytes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 208),
    )


def clock_error_us() -> int:
    """The kernel's estimate of the clock error; it grows while no time service corrects the clock."""
    timex = _Timex()
    ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    return int(timex.maxerror)


def clock(error_us: Callable[[], int] = clock_error_us) -> Result:
    """Whether a time service sets the clock: messages carry its time, and TLS needs it."""
    if error_us() < SYNCHRONISED_US:
        return Result("clock", "ok", "synchronised")
    text = "not synchronised: times in messages may be wrong, and TLS may fail"
    return Result("clock", "warning", text, "sudo timedatectl set-ntp true, and let it reach a time server")


def _named(flags: int) -> str:
    return ", ".join(flag for bit, flag in enumerate(_FLAGS) if flags >> bit & 1)


def size_text(megabytes: int) -> str:
    """A size in MB or GB."""
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes} MB"
