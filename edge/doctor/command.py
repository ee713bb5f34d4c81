"""Run other programs, within a time limit and without exceptions."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

LIMIT_S = 8.0
# Packages that may crash on import are imported in another process. -P keeps it from importing from the current folder.
PYTHON = (sys.executable, "-P", "-c")
CHECKOUT = str(Path(__file__).parents[2])  # programs for PYTHON append it to sys.path to import `edge`


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended. `code` is None if it did not start or took too long, and negative after a signal."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def reason(self) -> str:
        """Why it failed, on one line."""
        if self.code is not None and self.code < 0:
            return f"it crashed with {signal.Signals(-self.code).name}"
        return self.err.strip().rpartition("\n")[2].strip() or "it printed no error"


Run: TypeAlias = Callable[[Sequence[str]], Ran]


def run(command: Sequence[str]) -> Ran:
    """Run a program for at most LIMIT_S; never raises."""
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
            timeout=LIMIT_S, env=environ,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ran(None, err=f"no answer within {LIMIT_S:.0f} s")
    except OSError as exc:
        return Ran(None, err=str(exc.strerror))
    return Ran(done.returncode, done.stdout, done.stderr)
