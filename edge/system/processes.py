"""Start modules of this program as processes, and find the processes that use a device."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.system.files import read_text

_RUN_MODULE = "import runpy, sys; sys.path.append({root!r}); runpy.run_module({module!r}, None, '__main__', True)"


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this program. It imports nothing from the current directory."""
    root = str(Path(__file__).parents[2])
    return [sys.executable, "-P", "-c", _RUN_MODULE.format(root=root, module=module), *arguments]


@dataclass(frozen=True, slots=True)
class Process:
    """A running process."""

    pid: int
    name: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def processes_with_open_file(is_wanted: Callable[[str], bool], root: Path = Path("/")) -> tuple[list[Process], bool]:
    """The processes that have a wanted file open, and whether every process could be read.

    `is_wanted` gets the resolved path of each open file. Only root can read the open files of other users' processes.
    """
    found, complete = [], True
    for folder in sorted((root / "proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        try:
            opened = {str(link.readlink()) for link in (folder / "fd").iterdir()}
        except PermissionError:
            # In a container even root cannot read some processes; those belong to the host and do not count.
            complete = os.geteuid() == 0
            continue
        except OSError:  # the process has just ended
            continue
        if any(map(is_wanted, opened)):
            arguments = tuple(read_text(folder / "cmdline").split("\0"))
            found.append(Process(int(folder.name), read_text(folder / "comm"), arguments))
    return found, complete
