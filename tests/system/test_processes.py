"""Find the processes that have a file open."""

import os
import sys
from pathlib import Path

import pytest

from edge.system.processes import processes_with_open_file
from tests.support.devices import program


def test_a_process_with_the_file_open_is_found(tmp_path: Path) -> None:
    file = tmp_path / "video0"
    file.touch()
    assert processes_with_open_file(str(file).__eq__)[0] == []
    with program("motion", file) as pid:
        (found,) = processes_with_open_file(str(file).__eq__)[0]
    assert found.pid == pid
    assert found.arguments[0] == sys.executable
    assert found.arguments[-1] == str(file)
    assert str(found).endswith(f"(process {pid})")


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: only root can become another user")
def test_only_root_sees_every_process() -> None:
    os.seteuid(65534)
    try:
        complete = processes_with_open_file("/dev/none".__eq__)[1]
    finally:
        os.seteuid(0)
    assert complete is False
