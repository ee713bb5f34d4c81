"""What every check is given to look at a machine with, and the Finding that it gives back."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

# "unknown" is what could not be looked at. It is no problem of the machine's, but no all-clear either.
Level: TypeAlias = Literal["ok", "unknown", "warning", "problem"]

COMMAND_S = 8.0
SUDO = "run with sudo"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `fix` is one line that says what to do, and empty where there is nothing to do."""

    name: str
    level: Level
    text: str
    fix: str = ""


Report: TypeAlias = dict[str, list[Finding]]  # by the title of their group


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. `code` is None if it is not there or took too long, and negative after a signal."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def last_words(self) -> str:
        """What it died of, on one line."""
        if self.code is not None and self.code < 0:
            return f"it crashed with {signal.Signals(-self.code).name}"
        return self.err.strip().rpartition("\n")[2].strip() or "it said nothing"


Run: TypeAlias = Callable[[Sequence[str]], Ran]


def run(command: Sequence[str]) -> Ran:
    """Run a command to its end, or for COMMAND_S; never raises."""
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
            timeout=COMMAND_S, env=environ,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ran(None, err=f"no answer within {COMMAND_S:.0f} s")
    except OSError as exc:
        return Ran(None, err=str(exc.strerror))
    return Ran(done.returncode, done.stdout, done.stderr)


def read(path: Path) -> str:
    """The text of a small file of the kernel's, stripped; "" where there is none."""
    try:
        # The device tree ends its strings with a NUL.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return ""


def split(message: str) -> tuple[str, str]:
    """Our errors read "what is wrong; what to do": both parts."""
    text, _, fix = message.rpartition("; ")
    return (text, fix) if text else (fix, "")


def denied(exc: BaseException) -> bool:
    """Whether a file could not be read for want of permission."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, PermissionError):
            return True
        cause = cause.__cause__
    return False
