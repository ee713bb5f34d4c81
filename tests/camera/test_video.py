"""Video files, streams and devices: the files are encoded here, and the streams come from small servers."""

import logging
import socket
import struct
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.camera import open_source
from edge.config import Camera
from edge.errors import CameraError, ConfigError
from edge.types import Frame, Image
from tests.support.leaks import nothing_left_behind

av = pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
PATIENCE_S = 20


def plain(level: int, width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def noise(count: int) -> list[Image]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8))


def quarters() -> Image:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32], image[24:, 32:] = RED, GREEN, BLUE, WHITE
    return image


def middles(image: Image) -> list[tuple[int, ...]]:
    height, width = image.shape[:2]
    return [tuple(image[y, x].tolist()) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]


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


def read(file: Path, **camera: Any) -> list[Frame]:
    with open_source(Camera(source=f"video:{file}", fps=0, **camera)) as feed:
        return list(feed)


def levels(frames: Iterable[Frame]) -> list[int]:
    return [int(frame.image[1, 1, 0]) for frame in frames]


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
    assert steps_s(frames) == pytest.approx([0.1] * 11)  # as encoded, however fast they come


@pytest.mark.parametrize(("codec", "name"), [("mpeg4", "a.mp4"), ("mpeg4", "a.mkv"), ("libx264", "a.mp4")])
def test_usual_codecs(tmp_path: Path, codec: str, name: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"THIS PYAV HAS NO {codec}")
    encode(tmp_path / name, [quarters()] * 8, codec=codec)
    frames = read(tmp_path / name)
    assert len(frames) == 8  # also those that the decoder still holds at the end
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
def test_frames_fit_into_the_size_asked_for(
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
MATRICES = {  # of the track header, for a picture that has to be turned clockwise by so many degrees
    90: (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    180: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    270: (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}


@pytest.mark.skipif(not hasattr(av.VideoFrame, "rotation"), reason="PYAV BEFORE 14.1 DOES NOT TELL ROTATIONS")
@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(90, [BLUE, RED, WHITE, GREEN]), (180, [WHITE, BLUE, GREEN, RED]), (270, [GREEN, WHITE, RED, BLUE])],
)
def test_videos_of_phones_are_upright(tmp_path: Path, degrees: int, expected: list[tuple[int, ...]]) -> None:
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


def test_frames_may_change_their_size(tmp_path: Path) -> None:
    jpegs = [jpeg(10), jpeg(20, 80, 40), jpeg(30, 33, 91), jpeg(40)]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs))
    frames = read(tmp_path / "a.mjpeg", width=64, height=64)
    assert [(frame.width, frame.height) for frame in frames] == [(64, 48), (64, 32), (23, 64), (64, 48)]
    np.testing.assert_allclose(levels(frames), [10, 20, 30, 40], atol=3)


def jpeg(level: int, width: int = 64, height: int = 48) -> bytes:
    file = BytesIO()
    Pillow.fromarray(plain(level, width, height)).save(file, "jpeg")
    return file.getvalue()


def test_a_video_without_a_clock_gets_one(tmp_path: Path) -> None:
    if "libx264" not in av.codecs_available:
        pytest.skip("THIS PYAV HAS NO libx264")
    encode(tmp_path / "a.h264", [plain(level) for level in range(0, 250, 50)], codec="libx264", format="h264")
    with av.open(str(tmp_path / "a.h264")) as container:
        assert {frame.pts for frame in container.decode(video=0)} == {None}
    assert steps_s(read(tmp_path / "a.h264")) == pytest.approx([1 / 25] * 4)


def test_a_clock_that_jumps_back_runs_on(tmp_path: Path) -> None:
    half = BytesIO()
    encode(half, [plain(level) for level in range(0, 250, 50)], codec="mpeg4", rate=10, format="mpegts")
    (tmp_path / "a.ts").write_bytes(half.getvalue() * 2)
    frames = read(tmp_path / "a.ts")
    assert len(frames) == 10
    assert min(steps_s(frames)) > 0


def test_loop(tmp_path: Path) -> None:
    encode(tmp_path / "a.mov", [plain(level) for level in (10, 20, 30)])
    with open_source(Camera(source=f"video:{tmp_path}/a.mov", fps=0, loop=True)) as feed:
        frames = [frame for frame, _ in zip(feed, range(8), strict=False)]
    assert levels(frames) == [10, 20, 30, 10, 20, 30, 10, 20]
    assert [frame.sequence for frame in frames] == list(range(8))
    assert steps_s(frames) == pytest.approx([0.1] * 7)


def spoil(file: Path, numbers: set[int]) -> None:
    """Overwrite the inner half of these packets."""
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
    assert capfd.readouterr().err == ""  # ffmpeg does not chatter


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
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


def test_a_file_that_vanishes_while_it_is_looped_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
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


def test_what_is_no_video_is_an_error_at_once(tmp_path: Path) -> None:
    sound(tmp_path / "sound.wav")
    (tmp_path / "text.txt").write_text("some words, which ffmpeg would gladly show on a terminal\n" * 30)
    (tmp_path / "text.mp4").write_text("some words\n" * 30)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    for name in ("sound.wav", "text.txt", "text.mp4", "empty.mp4", "folder", "nowhere.mp4"):
        with pytest.raises(ConfigError) as caught:
            open_source(Camera(source=f"video:{tmp_path}/{name}"))
        assert caught.value.key == "camera.source"
        assert f"{tmp_path}/{name} " in caught.value.problem


def test_names_that_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(tmp_path / "12:30.mov", [plain(10)])
    monkeypatch.chdir(tmp_path)
    assert levels(read(Path("12:30.mov"))) == [10]


# Streams


@contextmanager
def http_server(
    body: Callable[[], Iterable[bytes]], *, kind: str = "multipart/x-mixed-replace; boundary=part", status: int = 200
) -> Iterator[str]:
    """Give the address, with a password in it, of a server that answers with this body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            with suppress(OSError):  # when nobody listens any more
                for chunk in body():
                    self.wfile.write(chunk)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://me:secret@127.0.0.1:{server.server_port}/live?key=secret"
        finally:
            server.shutdown()
            thread.join()


def parts(levels: Iterable[int | None]) -> Iterator[bytes]:
    """JPEGs as cameras send them, in an endless multipart answer; None is a damaged one."""
    for level in levels:
        content = jpeg(0)[:300] if level is None else jpeg(level)
        head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
        yield head.encode() + content + b"\r\n"


def transport_stream() -> bytes:
    file = BytesIO()
    encode(file, [plain(level) for level in range(0, 240, 2)], codec="mpeg4", format="mpegts")
    return file.getvalue()


def assert_shows_no_secret(error: CameraError) -> None:
    assert error.key == "camera.source"
    assert "://127.0.0.1:" in error.problem
    assert "secret" not in "".join(traceback.format_exception(error))
    assert error.__context__ is None, "the error of ffmpeg holds the whole address"


def test_a_stream_gives_frames_until_it_ends_which_is_an_error() -> None:
    with http_server(lambda: [transport_stream()], kind="video/mp2t") as source:
        frames: list[Frame] = []
        with open_source(Camera(source=source, fps=0, width=32, height=32)) as feed:
            with pytest.raises(CameraError) as caught:
                frames.extend(feed)
            assert feed.live
            assert len(frames) + feed.dropped == 120
    assert_shows_no_secret(caught.value)
    assert levels(frames[-1:])[0] == pytest.approx(238, abs=6)
    assert (frames[-1].width, frames[-1].height, frames[-1].sequence) == (32, 24, 119)


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"


def rtsp_requests(file: BinaryIO) -> Iterator[str]:
    request = ""
    while line := file.readline().decode():
        request += line
        if line == "\r\n":
            yield request
            request = ""


def rtsp_answer(request: str) -> bytes:
    number = request.partition("CSeq: ")[2].partition("\r\n")[0]
    head, rest = f"200 OK\r\nCSeq: {number}\r\nSession: 1", "\r\n\r\n"
    if request.startswith("DESCRIBE"):
        rest = f"\r\nContent-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    elif request.startswith("SETUP"):
        assert "RTP/AVP/TCP" in request
        rest = "\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    return f"RTSP/1.0 {head}{rest}".encode()


@contextmanager
def rtsp_server(content: bytes) -> Iterator[str]:
    """Give the address of a camera that sends this transport stream, once, and over TCP only."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file, suppress(OSError):
            for request in rtsp_requests(file):
                connection.sendall(rtsp_answer(request))
                if request.startswith("PLAY"):
                    break
            for number, start in enumerate(range(0, len(content), 1316)):
                packet = struct.pack(">BBHII", 0x80, 33, number, number * 900, 1) + content[start : start + 1316]
                connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"rtsp://me:secret@127.0.0.1:{listener.getsockname()[1]}/live"
        thread.join()


def test_rtsp() -> None:
    with rtsp_server(transport_stream()) as source, open_source(Camera(source=source, fps=0)) as feed:
        frames: list[Frame] = []
        with pytest.raises(CameraError) as caught:
            frames.extend(feed)
        assert len(frames) + feed.dropped + feed.unreadable > 100
    assert_shows_no_secret(caught.value)
    assert (frames[-1].width, frames[-1].height) == (64, 48)
    assert levels(frames[-1:])[0] == pytest.approx(2 * frames[-1].sequence, abs=12)


def test_a_slow_consumer_gets_the_newest_frame_of_a_stream() -> None:
    first_taken = threading.Event()

    def body() -> Iterator[bytes]:
        yield from parts(range(0, 120, 2))  # some are looked at before any is decoded
        first_taken.wait(PATIENCE_S)
        yield from parts(range(120, 240, 2))

    with http_server(body) as source, open_source(Camera(source=source, fps=0)) as feed:
        frames = iter(feed)
        next(frames)
        first_taken.set()
        feed._thread.join(PATIENCE_S)  # until the stream has ended, which is an error, but the newest frame comes first
        last = next(frames)
        assert last.sequence == 119
        assert levels([last])[0] == pytest.approx(238, abs=3)
        assert feed.dropped == 118
        with pytest.raises(CameraError):
            next(frames)


def test_what_comes_before_the_first_frame_of_a_stream_is_not_damaged() -> None:
    with http_server(lambda: parts([None] * 3 + [50] * 5 + [None] + [60] * 5)) as source:
        feed = open_source(Camera(source=source, fps=0))
        with feed, pytest.raises(CameraError):
            list(feed)
    assert feed.unreadable == 1


def test_fps_is_the_most_that_is_taken_from_a_stream() -> None:
    frames: list[Frame] = []
    with http_server(lambda: parts(range(0, 240, 2))) as source:
        feed = open_source(Camera(source=source, fps=0.01, stall_s=PATIENCE_S))
        with feed, pytest.raises(CameraError):
            frames.extend(feed)
    assert 1 <= len(frames) + feed.dropped <= 2  # of 120; the second because some unrest is allowed


def test_a_refused_password_is_an_error_that_does_not_tell_it() -> None:
    with http_server(list, status=401) as source, open_source(Camera(source=source)) as feed:  # noqa: SIM117 - too long
        with pytest.raises(CameraError) as caught:
            list(feed)
    assert "401" in caught.value.problem
    assert "password" in caught.value.remedy
    assert_shows_no_secret(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp", "https"])
def test_nobody_there_is_an_error(scheme: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but it does not listen
        source = f"{scheme}://me:secret@127.0.0.1:{nobody.getsockname()[1]}/live"
        with open_source(Camera(source=source)) as feed, pytest.raises(CameraError) as caught:
            list(feed)
    assert "refused" in caught.value.problem
    assert_shows_no_secret(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_says_nothing_is_an_error(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        source = f"{scheme}://me:secret@127.0.0.1:{mute.getsockname()[1]}/live"
        with open_source(Camera(source=source, fps=0, stall_s=0.05)) as feed:
            with pytest.raises(CameraError) as caught:
                list(feed)
            connection, _ = mute.accept()
            connection.close()
            mute.close()
            feed._thread.join(PATIENCE_S)
            assert not feed._thread.is_alive()
    assert_shows_no_secret(caught.value)


def test_no_such_device() -> None:
    with open_source(Camera(source="/dev/video250")) as feed, pytest.raises(CameraError) as caught:
        list(feed)
    assert caught.value.key == "camera.source"
    assert "/dev/video250" in caught.value.problem
    assert "group video" in caught.value.remedy


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
