"""Which machine this is."""

from pathlib import Path

from edge.system.board import board_name


def test_only_a_raspberry_pi_has_a_board_name(tmp_path: Path) -> None:
    assert board_name(tmp_path) == ""
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert board_name(tmp_path) == "Raspberry Pi 5 Model B Rev 1.0"
    model.write_bytes(b"Rock 5\0")
    assert board_name(tmp_path) == ""
