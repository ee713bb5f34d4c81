"""What to do about a Pi camera that does not work, each in one line."""

import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from edge.system.processes import processes_with_open_file

DEVICES = re.compile(r"/dev/(video|media)\d+")
LONGEST = 200  # characters; numpy explains itself on thirty lines


def not_importable(exc: Exception) -> tuple[str, str]:
    """Problem and remedy if `import picamera2` raised `exc`."""
    text, missing = told(exc), getattr(exc, "name", None) or ""
    if missing in {"pykms", "kms"}:
        return "picamera2 needs pykms, even without a screen", "run: sudo apt install python3-kms++"
    if missing == "libcamera._libcamera":  # for which Python it was made is in its file's name
        remedy = "apt's libcamera is built for the system's Python; create the environment with /usr/bin/python3"
    elif isinstance(exc, ValueError) or "numpy" in text:  # a compiled module that was built for another numpy
        remedy = "it needs apt's numpy: pip uninstall numpy in this environment, and apt install python3-numpy"
    else:
        remedy = (
            "apt install --no-install-recommends python3-picamera2, and create the environment with: python3 -m venv "
            "--system-site-packages"
        )
    return f"picamera2 cannot be imported ({text})", remedy


def failing(exc: BaseException) -> str:
    """What to do about a camera that fails with this error."""
    if any(isinstance(cause, PermissionError) for cause in _causes(exc)):
        return "this user may not open it: sudo usermod -aG video <user>"
    return "check its cable, and see: rpicam-hello --list-cameras"


def no_camera() -> str:
    """What to do where no camera is found."""
    media = sorted(Path("/dev").glob("media[0-9]*"))
    if media and not any(os.access(device, os.R_OK | os.W_OK) for device in media):
        return f"this user may not open {media[0]}: sudo usermod -aG video <user>"
    return "switch off and check its cable at both ends, then see: rpicam-hello --list-cameras"


def holders() -> str:
    """The other processes that have camera devices open; if this user cannot see them, how to find them."""
    found, _ = processes_with_open_file(lambda path: DEVICES.fullmatch(path) is not None)
    others = [str(process) for process in found if process.pid != os.getpid()]
    return ", ".join(others) or "another process, which this user may not see: sudo fuser -v /dev/media* names it"


def told(exc: BaseException) -> str:
    """What an exception and those behind it say, in one line; picamera2 hides the cause behind a general one."""
    texts = (" ".join(str(cause).split()).rstrip(".") or type(cause).__name__ for cause in _causes(exc))
    return ": ".join(textwrap.shorten(text, LONGEST, placeholder=" ...") for text in dict.fromkeys(texts))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = exc
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
