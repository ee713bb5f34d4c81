"""A machine made of files, and programs that only pretend to run."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.doctor.command import Ran


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root folder of a machine that has a user and no devices. Its processes are the real ones."""
    for folder in ("dev", "etc", "sys/bus/usb/devices", "sys/bus/pci/devices"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc").symlink_to("/proc")
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nedge-pose:x:990:991::/:/bin/false\n")
    ours = os.getegid()  # the group of files that the tests make
    (tmp_path / "etc/group").write_text(f"video:x:{ours}:pi\nedge-pose:x:991:\nplugdev:x:46:pi,edge-pose\n+:::\n")
    return tmp_path


def node(path: Path, mode: int = 0o660) -> Path:
    """Make a device node, which is an ordinary file here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)
    return path


@contextmanager
def program(name: str, file: Path) -> Iterator[int]:
    """Run a program of that name that has `file` open; yields its process ID."""
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


class Commands:
    """Runs no program: each prints what is given by its name, and all others do not exist."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def __call__(self, command: Sequence[str]) -> Ran:
        known = self.answers.get(command[0])
        return Ran(None, err="No such file or directory") if known is None else Ran(0, known)
