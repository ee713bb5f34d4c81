"""Errors of the video writer. What it writes is tested with the command that uses it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge.errors import CameraError
from edge.types import Image

pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
from edge.drawing.video_writer import write_video

BLACK = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.parametrize("after", [0, 3])
def test_an_error_of_the_source_passes_through(tmp_path: Path, after: int) -> None:
    def broken() -> Iterator[tuple[Image, float]]:
        for number in range(after):
            yield BLACK, number / 10
        raise CameraError("camera.source", "gone", "")

    with pytest.raises(CameraError):
        write_video(tmp_path / "a.mp4", broken(), Fraction(10))


def test_a_folder_that_does_not_exist_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_video(tmp_path / "no folder" / "a.mp4", [(BLACK, 0.0)], Fraction(10))
