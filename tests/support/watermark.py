"""A picture that can be recognised in whatever leaves the sensor: raw, encoded, reduced, mirrored, or in text."""

import base64
import re
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from edge.types import Image

COLUMNS, ROWS, CELL_PX = 40, 30, 16
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM")
RUN_PX = 24  # a piece of a row of pixels that occurs nowhere by chance
RECOGNISED = 0.5  # correlation; other pictures stay below 0.2


def _cells() -> npt.NDArray[np.bool_]:
    return np.random.default_rng(7).random((ROWS, COLUMNS)) < 0.5


def watermark() -> Image:
    """(480, 640, 3): cells of two colours, with a different pixel value in each row, and noise."""
    rng = np.random.default_rng(8)
    cells = np.kron(_cells(), np.ones((CELL_PX, CELL_PX), bool))
    picture = np.where(cells[..., None], (200, 190, 180), (60, 50, 40)) + rng.integers(-20, 20, (*cells.shape, 3))
    return picture.astype(np.uint8)


def is_marked(content: bytes) -> bool:
    """Whether the watermark is anywhere in these bytes: as pixels, in a picture file, or in text as base64 or hex."""
    return _has_pixels(content) or any(map(_is_watermark, _pictures(content))) or any(map(is_marked, _decoded(content)))


def _has_pixels(content: bytes) -> bool:
    """Whether they have a piece of a row: as RGB, BGR or one channel of it, mirrored or not."""
    rows = watermark()[CELL_PX // 2 :: CELL_PX]
    for picture in (rows, rows[:, ::-1], rows[..., ::-1], rows[:, ::-1, ::-1], *(rows[..., k] for k in range(3))):
        for row in picture:
            pieces = (row[at : at + RUN_PX].tobytes() for at in range(0, len(row), RUN_PX))
            if any(piece in content for piece in pieces):
                return True
    return False


def _pictures(content: bytes) -> Iterator[Pillow.Image]:
    """All pictures in the bytes that can be decoded."""
    for signature in SIGNATURES:
        for found in re.finditer(re.escape(signature), content):
            try:
                picture = Pillow.open(BytesIO(content[found.start() :]))
                picture.load()
            except Exception:  # noqa: BLE001, S112 - decoders raise many types
                continue
            yield picture


def _is_watermark(picture: Pillow.Image) -> bool:
    """Whether a picture looks like the watermark, also reduced, mirrored, or with drawings on it."""
    cells = np.asarray(picture.convert("L").resize((COLUMNS, ROWS), Pillow.Resampling.BOX), float)
    if cells.std() == 0:
        return False
    wanted = _cells().astype(float)
    return any(np.corrcoef(cells.ravel(), one.ravel())[0, 1] > RECOGNISED for one in (wanted, wanted[:, ::-1]))


def _decoded(content: bytes) -> Iterator[bytes]:
    """What long runs of base64 and hex digits stand for."""
    for found in re.finditer(rb"[A-Za-z0-9+/_-]{200,}", content):
        text = found[0].translate(bytes.maketrans(b"-_", b"+/"))
        yield base64.b64decode(text[: len(text) - (len(text) % 4 == 1)] + b"==")
    for found in re.finditer(rb"[0-9a-fA-F]{200,}", content):
        for digits in (found[0], found[0][1:]):  # the text before may end with such a digit
            yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
