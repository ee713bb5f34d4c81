"""Video files, encoded by each test."""

import logging
import struct
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.camera import open_source
from edge.config import Camera
from edge.errors import CameraError, ConfigError
from edge.types import Frame, Image
from tests.support.leaks import nothing_left_behind
from tests.support.videos import av, encode, jpeg, levels, plain

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def noise(count: int) -> list[Image]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8))


def quarters() -> Image:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32], image[24:, 32:] = RED, GREEN, BLUE, WHITE
    return image


def middles(image: Image) -> list[tuple[int, ...]]:
    height, width = image.shape[:2]
    return [tuple(image[y, x].tolist()) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]


def read(file: Path, **camera: Any) -> list[Frame]:
    with open_source(Camera(source=f"video:{file}", fps=0, **camera)) as feed:
        return list(feed)


def steps_s(frames: list[Frame]) -> list[float]:
    times_s = [frame.monotonic_s for frame in frames]
    return [b - a for a, b in pairwise(times_s)]


def test_a_file_arrives_frame_by_frame_and_exactly(tmp_path: Path) -> None:
    images = noise(12)
    encode(tmp_path / "a.mov", images)
    with open_source(Camera(source=f"video:{tmp_path}/a.mov", fps=0)) as feed:
        frames = list(feed)
        assert (feed.live, feed.dropped, feed.unreadable) == (False, 0, 0)
    np.testing.assert_array_equal([frame.image for frame in frames], images)
    assert [frame.sequence for frame in frames] == list(range(12))
    assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
    assert all(frame.image.flags.c_contiguous for frame in frames)
    assert steps_s(frames) == pytest.approx([0.1] * 11)  # as encoded, although they are read faster


@pytest.mark.parametrize(("codec", "name"), [("mpeg4", "a.mp4"), ("mpeg4", "a.mkv"), ("libx264", "a.mp4")])
def test_common_codecs_are_read(tmp_path: Path, codec: str, name: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"THIS PYAV HAS NO {codec}")
    encode(tmp_path / name, [quarters()] * 8, codec=codec)
    frames = read(tmp_path / name)
    assert len(frames) == 8  # including those that are still in the decoder at the end
    np.testing.assert_allclose(middles(frames[-1].image), [RED, GREEN, BLUE, WHITE], atol=12)


@pytest.mark.parametrize(
    ("size", "sar", "bounds", "expected"),
    [
        ((64, 48), 1, (640, 480), (64, 48)),  # never enlarged
        ((64, 48), 1, (32, 32), (32, 24)),
        ((64, 48), 1, (33, 33), (33, 25)),
        ((48, 64), 1, (32, 32), (24, 32)),
        ((64, 4), 1, (8, 8), (8, 1)),
        ((64, 48), Fraction(4, 3), (640, 480), (64, 36)),
        ((64, 48), Fraction(3, 4), (640, 480), (48, 48)),
        ((64, 48), Fraction(4, 3), (32, 480), (32, 18)),
    ],
)
def test_frames_fit_into_the_configured_size(
    tmp_path: Path,
    size: tuple[int, int],
    sar: Fraction | int,
    bounds: tuple[int, int],
    expected: tuple[int, int],
) -> None:
    encode(tmp_path / "a.mp4", [plain(9, *size)] * 2, codec="mpeg4", sar=Fraction(sar))
    frame, _ = read(tmp_path / "a.mp4", width=bounds[0], height=bounds[1])
    assert (frame.width, frame.height) == frame.image.shape[1::-1] == expected


def test_a_scaled_frame_covers_all_of_the_original(tmp_path: Path) -> None:
    image = plain(0, 640, 480)
    image[:, 600:620] = 255
    encode(tmp_path / "a.mov", [image])
    (frame,) = read(tmp_path / "a.mov", width=320, height=240)
    row = frame.image[120, :, 0].astype(float)
    assert (row * (np.arange(320) + 0.5)).sum() / row.sum() == pytest.approx(305, abs=0.2)


ONE = 1 << 16
MATRICES = {  # of the track header: degrees clockwise by which the picture must be turned
    90: (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    180: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    270: (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}


@pytest.mark.skipif(not hasattr(av.VideoFrame, "rotation"), reason="PYAV BEFORE 14.1 DOES NOT TELL ROTATIONS")
@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(90, [BLUE, RED, WHITE, GREEN]), (180, [WHITE, BLUE, GREEN, RED]), (270, [GREEN, WHITE, RED, BLUE])],
)
def test_videos_of_phones_are_turned_upright(tmp_path: Path, degrees: int, expected: list[tuple[int, ...]]) -> None:
    encode(tmp_path / "a.mov", [quarters()] * 3)
    content = bytearray((tmp_path / "a.mov").read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # version 0 of the box
    struct.pack_into(">9i", content, matrix, *MATRICES[degrees])
    (tmp_path / "a.mov").write_bytes(content)
    size = (48, 64) if degrees % 180 else (64, 48)
    for frame in read(tmp_path / "a.mov"):
        assert middles(frame.image) == expected
        assert (frame.width, frame.height) == frame.image.shape[1::-1] == size
    small, *_ = read(tmp_path / "a.mov", width=32, height=8)
    assert (small.width, small.height) == ((6, 8) if degrees % 180 else (11, 8))


def test_frames_of_one_file_may_differ_in_size(tmp_path: Path) -> None:
    jpegs = [jpeg(10), jpeg(20, 80, 40), jpeg(30, 33, 91), jpeg(40)]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs))
    frames = read(tmp_path / "a.mjpeg", width=64, height=64)
    assert [(frame.width, frame.height) for frame in frames] == [(64, 48), (64, 32), (23, 64), (64, 48)]
    np.testing.assert_allclose(levels(frames), [10, 20, 30, 40], atol=3)


def test_frames_without_timestamps_follow_at_the_rate_of_the_codec(tmp_path: Path) -> None:
    if "libx264" not in av.codecs_available:
        pytest.skip("THIS PYAV HAS NO libx264")
    encode(tmp_path / "a.h264", [plain(level) for level in range(0, 250, 50)], codec="libx264", format="h264")
    with av.open(str(tmp_path / "a.h264")) as container:
        assert {frame.pts for frame in container.decode(video=0)} == {None}
    assert steps_s(read(tmp_path / "a.h264")) == pytest.approx([1 / 10] * 4)


def test_a_file_whose_times_are_all_zero_plays_at_its_nominal_rate(tmp_path: Path) -> None:
    """Some writers leave every frame of an MP4 at time 0, which gives an average rate of thousands per second."""
    file = tmp_path / "zero.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height = 64, 48
        packets = []
        for image in [plain(20 * n) for n in range(8)]:
            packets += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        for packet in [*packets, *stream.encode()]:
            packet.pts = packet.dts = 0
            container.mux(packet)
    assert steps_s(read(file)) == pytest.approx([1 / 12] * 7)


def test_time_goes_on_when_timestamps_jump_back(tmp_path: Path) -> None:
    half = BytesIO()
    encode(half, [plain(level) for level in range(0, 250, 50)], codec="mpeg4", rate=10, format="mpegts")
    (tmp_path / "a.ts").write_bytes(half.getvalue() * 2)
    frames = read(tmp_path / "a.ts")
    assert len(frames) == 10
    assert min(steps_s(frames)) > 0


def test_a_loop_continues_numbers_and_time(tmp_path: Path) -> None:
    encode(tmp_path / "a.mov", [plain(level) for level in (10, 20, 30)])
    with open_source(Camera(source=f"video:{tmp_path}/a.mov", fps=0, loop=True)) as feed:
        frames = [frame for frame, _ in zip(feed, range(8), strict=False)]
    assert levels(frames) == [10, 20, 30, 10, 20, 30, 10, 20]
    assert [frame.sequence for frame in frames] == list(range(8))
    assert steps_s(frames) == pytest.approx([0.1] * 7)


def spoil(file: Path, numbers: set[int]) -> None:
    """Overwrite the middle of these packets."""
    content = bytearray(file.read_bytes())
    with av.open(str(file)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for number in numbers:
        start, size = packets[number]
        content[start + size // 4 : start + size * 3 // 4] = bytes(size * 3 // 4 - size // 4)
    file.write_bytes(content)


@pytest.mark.parametrize("loop", [False, True])
def test_damaged_packets_are_skipped_and_counted(tmp_path: Path, loop: bool, capfd: pytest.CaptureFixture[str]) -> None:
    images = noise(6)
    encode(tmp_path / "a.mov", images)
    spoil(tmp_path / "a.mov", {0, 3, 5})
    with open_source(Camera(source=f"video:{tmp_path}/a.mov", fps=0, loop=loop)) as feed:
        frames = [frame for frame, _ in zip(feed, range(3), strict=False)] if loop else list(feed)
        assert loop or feed.unreadable == 3
    np.testing.assert_array_equal([frame.image for frame in frames], [images[1], images[2], images[4]])
    assert [frame.sequence for frame in frames] == [1, 2, 4]
    assert capfd.readouterr().err == ""  # ffmpeg writes nothing to stderr


def test_a_truncated_file_gives_its_complete_frames(tmp_path: Path) -> None:
    images = noise(6)
    encode(tmp_path / "a.avi", images)
    content = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(content[: len(content) // 2])
    frames = read(tmp_path / "a.avi")
    assert 1 <= len(frames) < 6
    np.testing.assert_array_equal(frames[0].image, images[0])


@pytest.mark.parametrize("loop", [False, True])
def test_a_file_in_which_nothing_can_be_decoded_is_an_error(tmp_path: Path, loop: bool) -> None:
    encode(tmp_path / "a.mov", noise(4))
    spoil(tmp_path / "a.mov", {0, 1, 2, 3})
    with pytest.raises(CameraError) as caught:
        read(tmp_path / "a.mov", loop=loop)
    assert caught.value.problem == f"nothing in {tmp_path}/a.mov can be decoded"


def test_a_looped_file_that_is_deleted_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encode(tmp_path / "a.mov", [plain(10)] * 3)
    with open_source(Camera(source=f"video:{tmp_path}/a.mov", fps=0, loop=True)) as feed:
        (tmp_path / "a.mov").unlink()
        with caplog.at_level(logging.WARNING), pytest.raises(CameraError):
            list(feed)
    assert ["No such file" in line for line in caplog.messages] == [True]


def sound(file: Path) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))


def test_a_file_without_video_is_an_error_at_once(tmp_path: Path) -> None:
    sound(tmp_path / "sound.wav")
    (tmp_path / "text.txt").write_text("some words, which ffmpeg can render as on a terminal\n" * 30)
    (tmp_path / "text.mp4").write_text("some words\n" * 30)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    for name in ("sound.wav", "text.txt", "text.mp4", "empty.mp4", "folder", "nowhere.mp4"):
        with pytest.raises(ConfigError) as caught:
            open_source(Camera(source=f"video:{tmp_path}/{name}"))
        assert caught.value.key == "camera.source"
        assert f"{tmp_path}/{name} " in caught.value.problem


def test_a_file_name_may_contain_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(tmp_path / "12:30.mov", [plain(10)])
    monkeypatch.chdir(tmp_path)
    assert levels(read(Path("12:30.mov"))) == [10]


def test_nothing_leaks(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", [quarters()] * 20, codec="mpeg4")

    def once() -> None:
        with open_source(Camera(source=f"video:{tmp_path}/a.mp4", fps=0)) as feed:
            next(iter(feed))

    once()
    with nothing_left_behind():
        for _ in range(50):
            once()
    assert (
        len(list(Path("/proc/self/task").iterdir())) < 25
    )  # decoders' threads, too, though they end in their own time
