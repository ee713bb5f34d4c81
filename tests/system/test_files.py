import stat
from pathlib import Path

import pytest

from edge.system.files import read_text, write_atomically


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    write_atomically(path, b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_a_failed_write_keeps_the_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match="folder"):
        write_atomically(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_kernel_text_is_stripped_and_a_missing_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5\0\n")
    assert read_text(tmp_path / "model") == "Raspberry Pi 5"
    assert read_text(tmp_path / "none") == ""
