"""Causes and remedies for a Pi camera that does not work, in one line each."""

import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from edge.system.processes import processes_with_open_file

DEVICES = re.compile(r"/dev/(video|media)\d+")
MAX_LENGTH = 200  # characters; numpy's explanation takes thirty lines


def not_importable(exc: Exception) -> tuple[str, str]:
    """Problem and remedy if `import picamera2` raised `exc`."""
    cause, missing = cause_of(exc), getattr(exc, "name", None) or ""
    if missing in {"pykms", "kms"}:
        return "picamera2 needs pykms, even without a screen", "run: sudo apt install python3-kms++"
    if missing == "libcamera._libcamera":  # its file name contains the Python version that it was built for
        remedy = "apt's libcamera is built for the system's Python; create the environment with /usr/bin/python3"
    elif isinstance(exc, ValueError) or "numpy" in cause:  # a compiled module that was built for another numpy
        remedy = "it needs apt's numpy: pip uninstall numpy in this environment, and apt install python3-numpy"
    else:
        remedy = (
            "apt install --no-install-recommends python3-picamera2, and create the environment with: python3 -m venv "
            "--system-site-packages"
        )
    return f"picamera2 cannot be imported ({cause})", remedy


def is_busy(exc: BaseException) -> bool:
    """Whether another program uses the camera. libcamera says so only in words."""
    return "busy" in cause_of(exc).lower()


def failure_remedy(exc: BaseException) -> str:
    """What to do about a camera that failed with `exc`."""
    if any(isinstance(cause, PermissionError) for cause in _causes(exc)):
        return "this user may not open it: sudo usermod -aG video <user>"
    return "check its cable, and run: rpicam-hello --list-cameras"


def absence_remedy() -> str:
    """What to do if no camera is found."""
    media = sorted(Path("/dev").glob("media[0-9]*"))
    if media and not any(os.access(device, os.R_OK | os.W_OK) for device in media):
        return f"this user may not open {media[0]}: sudo usermod -aG video <user>"
    return "switch off, check its cable at both ends, and run: rpicam-hello --list-cameras"


def holders() -> str:
    """Other processes that have a camera device open, or how to find them if this user cannot see them."""
    found, _ = processes_with_open_file(lambda path: DEVICES.fullmatch(path) is not None)
    others = [str(process) for process in found if process.pid != os.getpid()]
    return ", ".join(others) or "another process, which this user cannot see: sudo fuser -v /dev/media* shows it"


def cause_of(exc: BaseException) -> str:
    """The texts of an exception and its causes on one line; picamera2 hides the cause behind a general exception."""
    texts = (" ".join(str(cause).split()).rstrip(".") or type(cause).__name__ for cause in _causes(exc))
    return ": ".join(textwrap.shorten(text, MAX_LENGTH, placeholder=" ...") for text in dict.fromkeys(texts))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = exc
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
