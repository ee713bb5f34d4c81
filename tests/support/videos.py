"""Small videos and pictures, encoded for tests."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.types import Frame, Image

av = pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")


def plain(level: int, width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def encode(file: Path | BytesIO, images: Sequence[Image], *, codec: str = "png", rate: int = 10, **more: Any) -> None:
    """Write a video of frames of the same size; `png` keeps every bit."""
    with av.open(file, "w", format=more.get("format")) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        stream.height, stream.width = images[0].shape[:2]
        stream.codec_context.sample_aspect_ratio = more.get("sar", Fraction(1))
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def jpeg(level: int, width: int = 64, height: int = 48) -> bytes:
    file = BytesIO()
    Pillow.fromarray(plain(level, width, height)).save(file, "jpeg")
    return file.getvalue()


def levels(frames: Iterable[Frame]) -> list[int]:
    return [int(frame.image[1, 1, 0]) for frame in frames]
