"""Notes of libraries on standard error are left out, and nothing else is."""

import os

import pytest

from edge.system.library_notes import without_notes


def test_notes_are_left_out_and_other_lines_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with without_notes():
        os.write(2, b"first\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nWARNING: INFO: last")
    os.write(2, b"\nINFO: after\n")
    assert capfd.readouterr().err == "first\nWARNING: INFO: last\nINFO: after\n"


def test_text_written_before_an_error_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with without_notes():
            os.write(2, b"reason\n")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert capfd.readouterr().err == "reason\n"
