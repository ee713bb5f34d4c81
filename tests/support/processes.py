"""Examine other processes."""

from pathlib import Path

from edge.system.files import read_text


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    stat = read_text(Path(f"/proc/{pid}/stat"))
    return not stat or stat.rpartition(")")[2].split()[0] == "Z"


def children(pid: int) -> list[int]:
    """The processes that any thread of this one started and that have not been reaped."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in read_text(task).split()]
