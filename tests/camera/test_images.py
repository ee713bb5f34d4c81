"""Image files, written with Pillow by each test and damaged by hand where needed."""

import logging
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from edge.camera import open_source
from edge.config import Camera
from edge.errors import CameraError, ConfigError
from edge.types import Frame, Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width: int = 60, height: int = 40) -> Pillow.Image:
    """A picture with red, green, blue and white quarters: each rotation and reflection of it looks different."""
    image = Pillow.new("RGB", (2, 2))
    for place, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), (RED, GREEN, BLUE, WHITE), strict=True):
        image.putpixel(place, colour)
    return image.resize((width, height), Pillow.Resampling.NEAREST)


def painted(mode: str, width: int = 60, height: int = 40) -> Pillow.Image:
    """Four quarters, or two halves for modes without colours."""
    if mode not in {"L", "LA", "1"}:
        return quarters(width, height).convert(mode)
    image = Pillow.new("L", (width, height), 0)
    image.paste(255, (width // 2, 0, width, height))
    return image.convert(mode)


def middles(image: Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters."""
    height, width = image.shape[:2]
    return [tuple(image[y, x].tolist()) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]


def read(path: Path, *, loop: bool = False) -> list[Frame]:
    with open_source(Camera(source=f"images:{path}", fps=0, loop=loop)) as feed:
        return list(feed)


def read_one(path: Path) -> Frame:
    (frame,) = read(path)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    return frame


def test_a_picture_arrives_unchanged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 47, 3), np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    frame = read_one(tmp_path / "a.png")
    np.testing.assert_array_equal(frame.image, pixels)
    assert (frame.width, frame.height, frame.sequence) == (47, 31, 0)


def test_a_folder_is_read_in_natural_order_without_subfolders(tmp_path: Path) -> None:
    for number, name in enumerate(["1.png", "2.PNG", "3b.png", "10.png", "a2.png", "a10.bmp", "b.jpg"]):
        Pillow.new("RGB", (number + 1, 1)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._1.png").write_bytes(b"what other systems leave behind")
    (tmp_path / "more").mkdir()
    Pillow.new("RGB", (99, 1)).save(tmp_path / "more/0.png")
    with open_source(Camera(source=f"images:{tmp_path}", fps=0)) as feed:
        assert [frame.width for frame in feed] == [1, 2, 3, 4, 5, 6, 7]
        assert feed.unreadable == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_by_its_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    truth = ImageOps.exif_transpose(with_exif(quarters(), exif))
    quarters().save(tmp_path / f"a.{suffix}", exif=exif)
    frame = read_one(tmp_path / f"a.{suffix}")
    assert (frame.width, frame.height) == truth.size == frame.image.shape[1::-1]
    np.testing.assert_allclose(middles(frame.image), middles(np.asarray(truth)), atol=8)


def with_exif(image: Pillow.Image, exif: Pillow.Exif) -> Pillow.Image:
    file = BytesIO()
    image.save(file, "png", exif=exif)
    return Pillow.open(file)


def test_damaged_exif_is_ignored(tmp_path: Path) -> None:
    quarters().save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\0\x01")
    assert read_one(tmp_path / "a.jpg").image.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("L", "a.png"), ("P", "a.png"), ("P", "a.gif"), ("1", "a.png"), ("CMYK", "a.jpg"), ("CMYK", "a.tif"),
     ("YCbCr", "a.jpg"), ("RGB", "a.ppm"), ("RGB", "a.bmp"), ("RGBA", "a.png"), ("LA", "a.png")],
)  # fmt: skip
def test_each_pixel_mode_becomes_rgb(tmp_path: Path, mode: str, name: str) -> None:
    painted(mode).save(tmp_path / name)
    expected = middles(np.asarray(painted(mode).convert("RGB")))
    np.testing.assert_allclose(middles(read_one(tmp_path / name).image), expected, atol=8)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_scaled(tmp_path: Path, name: str) -> None:
    levels = np.repeat(np.array([[0, 0x4000, 0x80FF, 0xFFFF]], np.uint16), 3, axis=0)
    Pillow.fromarray(levels).save(tmp_path / name)
    assert read_one(tmp_path / name).image[1].tolist() == [[level] * 3 for level in (0, 0x40, 0x80, 0xFF)]


def test_transparent_pixels_become_grey(tmp_path: Path) -> None:
    image = quarters().convert("RGBA")
    image.putalpha(Pillow.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (0, 0, 30, 20))
    image.paste((255, 255, 255, 128), (30, 0, 60, 20))
    image.save(tmp_path / "a.png")
    assert middles(read_one(tmp_path / "a.png").image) == [(128,) * 3, (192,) * 3, BLUE, WHITE]


def test_a_transparent_palette_becomes_grey(tmp_path: Path) -> None:
    palette = quarters().quantize(4)
    palette.save(tmp_path / "a.png", transparency=bytes([0] * 4))  # all four of them
    assert middles(read_one(tmp_path / "a.png").image) == [(128,) * 3] * 4


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    first, second = (Pillow.new("RGB", (8, 8), colour) for colour in (RED, GREEN))
    for name in ("a.gif", "b.webp", "c.png", "d.tif"):
        first.save(tmp_path / name, save_all=True, append_images=[second], lossless=True)
    assert [frame.image[4, 4].tolist() for frame in read(tmp_path)] == [list(RED)] * 4


def test_a_picture_can_be_one_pixel(tmp_path: Path) -> None:
    Pillow.new("RGB", (1, 1), RED).save(tmp_path / "a.png")
    frame = read_one(tmp_path / "a.png")
    assert (frame.image.tolist(), frame.width, frame.height) == ([[list(RED)]], 1, 1)


@pytest.mark.parametrize(
    ("mode", "name", "size"),
    [("RGB", "a.jpg", (4001, 3001)), ("L", "a.jpg", (1000, 9000)), ("RGB", "a.png", (2100, 2099)),
     ("P", "a.png", (4000, 2500)), ("1", "a.png", (4000, 2500)), ("RGBA", "a.png", (2000, 1100)),
     ("RGB", "a.bmp", (60000, 1))],
)  # fmt: skip
def test_huge_pictures_are_reduced_but_keep_their_size(
    tmp_path: Path, mode: str, name: str, size: tuple[int, int]
) -> None:
    painted(mode, *size).save(tmp_path / name)
    frame = read_one(tmp_path / name)
    assert (frame.width, frame.height) == size
    assert max(frame.image.shape) == 1920
    assert frame.image.shape[1] / size[0] == pytest.approx(1920 / max(size), abs=1 / size[0])
    if min(size) > 1:
        expected = middles(np.asarray(painted(mode).convert("RGB")))
        np.testing.assert_allclose(middles(frame.image), expected, atol=8)


def test_a_huge_picture_stored_on_its_side_is_turned(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    quarters(4000, 3999).save(tmp_path / "a.jpg", exif=exif)  # almost square, and square once it is reduced
    frame = read_one(tmp_path / "a.jpg")
    assert (frame.width, frame.height) == (3999, 4000)
    np.testing.assert_allclose(middles(frame.image), [BLUE, RED, WHITE, GREEN], atol=8)


def test_a_reduced_picture_covers_all_of_the_original(tmp_path: Path) -> None:
    """A line of the original must keep its place in the size of the frame, or all keypoints are off."""
    image = Pillow.new("L", (15361, 64), 0)  # not divisible by eight
    image.paste(255, (14960, 0, 15040, 64))
    image.save(tmp_path / "a.jpg", quality=95)
    frame = read_one(tmp_path / "a.jpg")
    row = frame.image[frame.image.shape[0] // 2, :, 0].astype(float)
    centre = (row * (np.arange(len(row)) + 0.5)).sum() / row.sum() * frame.width / len(row)
    assert centre == pytest.approx(15000, abs=1.5)


PEAK = """
import sys
from edge.camera import open_source
from edge.config import Camera
from pathlib import Path

def peak() -> int:
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))

for source in sys.argv[1:]:
    with open_source(Camera(source=source, fps=0)) as feed:
        for frame in feed:
            print(peak() * 1024, frame.width, frame.height, *frame.image.shape)
"""


def test_a_huge_jpeg_is_never_decoded_in_full(tmp_path: Path) -> None:
    quarters(30, 30).save(tmp_path / "small.jpg")
    Pillow.new("L", (8000, 6000)).save(tmp_path / "huge.jpg")
    command = [sys.executable, "-c", PEAK, f"images:{tmp_path}/small.jpg", f"images:{tmp_path}/huge.jpg"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    small, huge = ([int(word) for word in line.split()] for line in result.stdout.splitlines())
    assert huge[1:] == [8000, 6000, 1440, 1920, 3]
    assert huge[0] - small[0] < 8000 * 6000  # a third of the bytes of the whole picture


def damaged(folder: Path) -> dict[str, bytes]:
    """Damaged files by name."""
    noise = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
    noise.save(folder / "whole.jpg")
    jpeg = (folder / "whole.jpg").read_bytes()
    noise.save(folder / "whole.png")
    png = (folder / "whole.png").read_bytes()
    middle = len(png) // 2
    return {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": png[: len(png) // 2],
        "spoilt.png": png[:middle] + bytes(40) + png[middle + 40 :],
        "empty.jpg": b"",
        "text.png": b"hello",
        "bomb.png": png_header(20_000, 20_000),
        "floats.tif": floats(),
    }


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def floats() -> bytes:
    file = BytesIO()
    Pillow.fromarray(np.ones((4, 4), np.float32)).save(file, "tiff")
    return file.getvalue()


def test_unreadable_pictures_are_skipped_with_one_warning_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = damaged(tmp_path)
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    with open_source(Camera(source=f"images:{tmp_path}", fps=0, loop=True)) as feed, caplog.at_level(logging.WARNING):
        frames = [frame for frame, _ in zip(feed, range(4), strict=False)]
        assert feed.unreadable >= len(bad)
    assert len(frames) == 4  # two passes over the readable pictures
    lines = caplog.messages
    for name in bad:
        (line,) = (line for line in lines if name in line)
        assert len(line.splitlines()) == 1
        assert line.split(" is skipped: ")[1].strip()
    assert len(lines) == len(bad)
    assert any("bomb.png" in line and "limit of 200000000 pixels" in line for line in lines)


def test_a_hundred_megapixels_are_read(tmp_path: Path) -> None:
    Pillow.new("L", (10_100, 10_000)).save(tmp_path / "a.jpg")
    frame = read_one(tmp_path / "a.jpg")
    assert (frame.width, frame.height) == (10_100, 10_000)


def test_a_picture_that_vanishes_is_unreadable(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        quarters().save(tmp_path / name)
    with open_source(Camera(source=f"images:{tmp_path}", fps=0)) as feed:
        (tmp_path / "b.png").unlink()  # the folder was listed, but nothing has been read yet
        assert [frame.sequence for frame in feed] == [0]
        assert feed.unreadable == 1


def test_only_broken_pictures_are_an_error_even_in_a_loop(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "b.jpg").write_bytes(b"y")
    with pytest.raises(CameraError) as caught:
        read(tmp_path, loop=True)
    assert caught.value.key == "camera.source"
    assert caught.value.problem == f"none of the 2 pictures in {tmp_path} can be read"


def test_a_loop_reads_the_folder_again_and_again(tmp_path: Path) -> None:
    for width in (1, 2):
        Pillow.new("RGB", (width, 1)).save(tmp_path / f"{width}.png")
    with open_source(Camera(source=f"images:{tmp_path}", fps=0, loop=True)) as feed:
        assert [(frame.sequence, frame.width) for frame, _ in zip(feed, range(5), strict=False)] == [
            (0, 1), (1, 2), (2, 1), (3, 2), (4, 1),
        ]  # fmt: skip


def test_one_file_needs_no_suffix(tmp_path: Path) -> None:
    quarters().save(tmp_path / "photo", "png")
    assert read_one(tmp_path / "photo").width == 60


@pytest.mark.parametrize(
    ("path", "message"), [("nowhere", "No such file"), ("a.png/b", "Not a directory"), ("empty", "has no pictures")]
)
def test_nothing_to_read_is_an_error_at_once(tmp_path: Path, path: str, message: str) -> None:
    quarters().save(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/readme.md").touch()
    with pytest.raises(ConfigError) as caught:
        open_source(Camera(source=f"images:{tmp_path / path}"))
    assert caught.value.key == "camera.source"
    assert str(tmp_path / path) in caught.value.problem
    assert message in caught.value.problem
