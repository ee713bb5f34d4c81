"""Write files atomically, and read small kernel files."""

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o644, owner: os.stat_result | None = None) -> None:
    """Replace `path` with `content`, so that even a power failure leaves either the old or the new file.

    The file gets exactly this `mode`, whatever the umask, because the daemon runs as another user than the installer.
    If root writes it, it gets the `owner`.
    Raises OSError and leaves the old file unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner and os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):  # it no longer exists after the replacement
            temporary.unlink()


def read_text(path: Path) -> str:
    """The text of a small file in /proc or /sys, stripped; "" if it cannot be read."""
    try:
        # The device tree ends its strings with a NUL.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return ""
