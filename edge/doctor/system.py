"""The machine itself: power, heat, disk, memory, and the clock."""

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from edge.doctor.machine import Finding, Level, Run, read

NO_PI = "not a Raspberry Pi"
STATE = Path("/var/lib/edge-pose")
JOURNAL = Path("/var/log/journal")
SOFT_LIMIT_C, HARD_LIMIT_C = 80, 85  # where a Pi slows down, and where it brakes hard
LITTLE_DISK_MB, NO_DISK_MB = 500, 50
LITTLE_MEMORY_MB, NO_MEMORY_MB = 150, 50
SYNCHRONISED_US = 16_000_000  # the kernel's own bound, which timedatectl goes by as well

_UNDER_VOLTAGE, _SINCE_BOOT = 1, 16
_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")


def board(root: Path) -> str:
    """The name of a Raspberry Pi; "" for any other machine."""
    model = read(root / "proc/device-tree/model")
    return model if model.startswith("Raspberry Pi") else ""


def name(root: Path) -> Finding:
    release = dict(line.split("=", 1) for line in read(root / "etc/os-release").splitlines() if "=" in line)
    system = release.get("PRETTY_NAME", "Linux").strip('"')
    return Finding("board", "ok", f"{board(root) or NO_PI}; {system}, {os.uname().machine}")


def power(pi: str, flags: int | None, run: Run) -> Finding:
    """Under-voltage and throttling, by the firmware's `flags`; a Pi 5's kernel does not have them, vcgencmd does."""
    if not pi:
        return Finding("power", "ok", NO_PI)
    if flags is None:
        told = run(["vcgencmd", "get_throttled"]).out.partition("=")[2].strip()
        if not told:
            return Finding(
                "power", "unknown", "the firmware does not tell", "sudo apt install raspi-utils, and run with sudo"
            )
        flags = int(told, 16)
    now, before = _named(flags), _named(flags >> _SINCE_BOOT)
    if not flags:
        return Finding("power", "ok", "never throttled, never under-voltage since boot")
    text = f"now: {now or 'none'}; since boot: {before or 'none'}"
    if (flags | flags >> _SINCE_BOOT) & _UNDER_VOLTAGE:
        fix = "use the Pi's own power supply and a short cable; a Coral or camera may need a powered hub"
    else:
        fix = "cool it: a heat sink, a fan, a case with holes"
    return Finding("power", "problem" if now else "warning", text, fix)


def temperature(celsius: float | None) -> Finding:
    if celsius is None:
        return Finding("temperature", "ok", "the kernel does not tell")
    if celsius < SOFT_LIMIT_C:
        return Finding("temperature", "ok", f"{celsius:.0f} °C")
    level: Level = "problem" if celsius >= HARD_LIMIT_C else "warning"
    fix = "cool it: a heat sink, a fan, a case with holes; or lower camera.fps"
    return Finding("temperature", level, f"{celsius:.0f} °C: from {SOFT_LIMIT_C} °C on it slows down", fix)


def disk(root: Path) -> list[Finding]:
    """Room where models are kept and where the journal is."""
    found = []
    for title, wanted in (("disk", STATE), ("journal disk", JOURNAL)):
        place = root / wanted.relative_to("/")
        while not place.exists():
            place = place.parent
        free_mb = shutil.disk_usage(place).free >> 20
        text = f"{_size(free_mb)} free for {wanted}"
        if free_mb >= LITTLE_DISK_MB:
            found.append(Finding(title, "ok", text))
        else:
            level: Level = "problem" if free_mb < NO_DISK_MB else "warning"
            found.append(Finding(title, level, text, "sudo apt clean; sudo journalctl --vacuum-size=50M"))
    return found


def memory(root: Path) -> Finding:
    """Memory that programs could still have."""
    fields = dict(line.split(":", 1) for line in read(root / "proc/meminfo").splitlines() if ":" in line)
    if "MemAvailable" not in fields:
        return Finding("memory", "unknown", "the kernel does not tell")
    free_mb, total_mb = (int(fields[key].split()[0]) >> 10 for key in ("MemAvailable", "MemTotal"))
    text = f"{_size(free_mb)} of {_size(total_mb)} are free"
    if free_mb >= LITTLE_MEMORY_MB:
        return Finding("memory", "ok", text)
    fix = "end other programs: on a Pi with 1 GB or less, the desktop (sudo raspi-config, boot to the console)"
    return Finding("memory", "problem" if free_mb < NO_MEMORY_MB else "warning", text, fix)


class _Timex(ctypes.Structure):
    """adjtimex(2), as far as it is read here; the kernel writes 208 bytes at most."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 208),
    )


def clock_error_us() -> int:
    """How wrong the clock may be by the kernel's own estimate; grows while nobody corrects it."""
    timex = _Timex()
    ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    return int(timex.maxerror)


def clock(error_us: Callable[[], int] = clock_error_us) -> Finding:
    """Whether a time service keeps the clock right: messages carry its time, and TLS needs it."""
    if error_us() < SYNCHRONISED_US:
        return Finding("clock", "ok", "synchronised")
    text = "not synchronised: times in messages may be wrong, and TLS may fail"
    return Finding("clock", "warning", text, "sudo timedatectl set-ntp true, and let it reach a time server")


def _named(flags: int) -> str:
    return ", ".join(flag for bit, flag in enumerate(_FLAGS) if flags >> bit & 1)


def _size(megabytes: int) -> str:
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes} MB"
