"""Examine drawn pictures and videos."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.skeleton import INDEX
from edge.types import Image, Pose
from tests.support.scenes import HEIGHT, WIDTH

SIZE = WIDTH, HEIGHT  # px


def hips(pose: Pose) -> Any:
    """The middle of the hips, (x, y) px."""
    return pose.xy[[INDEX["LEFT_HIP"], INDEX["RIGHT_HIP"]]].mean(axis=0)


def has_colour(image: Image, colour: tuple[int, int, int], place: Any, *, within_px: int, tolerance: int = 40) -> bool:
    """Whether a pixel near `place` has that colour."""
    x, y = np.rint(place).astype(int)
    near = image[max(y - within_px, 0) : y + within_px + 1, max(x - within_px, 0) : x + within_px + 1].astype(int)
    return bool((np.abs(near - colour).max(axis=-1) <= tolerance).any())


class Clip:
    """A video file, read back."""

    def __init__(self, file: Path) -> None:
        av = pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
            self.codec = str(stream.codec_context.name)
            self.pixels = str(stream.codec_context.pix_fmt)
            self.rate: Fraction | None = stream.average_rate
        self.images = [frame.to_ndarray(format="rgb24") for frame in frames]
        self.times_s = [float(frame.time) for frame in frames]

    @property
    def steps_s(self) -> list[float]:
        return [b - a for a, b in pairwise(self.times_s)]
