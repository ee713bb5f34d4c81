"""Examine other processes."""

from pathlib import Path

from edge.system.files import read_text


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    stat = read_text(Path(f"/proc/{pid}/stat"))
    return not stat or stat.rpartition(")")[2].split()[0] == "Z"
