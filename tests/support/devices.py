"""Device nodes, and programs that have them open."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def node(path: Path, mode: int = 0o660) -> Path:
    """Create an ordinary file in place of a device node."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)
    return path


@contextmanager
def program(name: str, file: Path) -> Iterator[int]:
    """Run a program with this name that keeps `file` open; yields its process ID."""
    script = file.parent / "bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text("import sys\nfile = open(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()\n")
    process = subprocess.Popen([sys.executable, str(script), str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    try:
        yield process.pid
    finally:
        process.communicate()
        script.unlink()
