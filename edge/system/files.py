"""Write files all or nothing, and read small ones of the kernel."""

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace `path` with `content`, also across a power failure. Raises OSError; then `path` is as it was.

    `mode` holds whatever the umask: the daemon is another user than the one who installs.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def read_text(path: Path) -> str:
    """A small file of /proc or /sys, stripped; "" if it cannot be read."""
    try:
        # The device tree ends its strings with a NUL.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return ""
