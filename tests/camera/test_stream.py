"""Network streams and devices. The streams come from small servers, and from ffmpeg."""

import logging
import shutil
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.camera.reopening import Limits
from edge.config import Camera
from edge.errors import CameraError
from edge.types import Frame
from tests.support.streams import Body, http_server, parts, rtsp_server, transport_stream
from tests.support.videos import av, levels
from tests.support.waiting import LONG_S, until

from edge.camera.stream import open_stream  # isort: skip - PyAV may be missing

QUICK = Limits(first_pause_s=0.01, longest_pause_s=0.02, start_s=0.05, give_up_s=0.5)


def camera(source: str, stall_s: float = LONG_S) -> Camera:
    return Camera(source=source, fps=0, stall_s=stall_s, width=32, height=32)


def assert_shows_no_secret(error: CameraError) -> None:
    assert error.key == "camera.source"
    assert "://127.0.0.1:" in error.problem
    assert "secret" not in "".join(traceback.format_exception(error))
    assert error.__context__ is None, "the error of ffmpeg holds the whole address"


def test_a_stream_that_does_not_come_back_is_given_up_with_its_last_error() -> None:
    frames: list[Frame] = []
    server = http_server(lambda: [transport_stream()], kind="video/mp2t")
    with server as source, open_stream(camera(source), limits=QUICK) as feed:
        with pytest.raises(CameraError) as caught:
            frames.extend(feed)
        assert feed.live
        assert len(frames) + feed.dropped == 120
        assert feed.reopened == 0
    assert "404" in caught.value.problem
    assert_shows_no_secret(caught.value)
    assert levels(frames[-1:])[0] == pytest.approx(238, abs=6)
    assert (frames[-1].width, frames[-1].height, frames[-1].sequence) == (32, 24, 119)


def test_a_stream_that_breaks_off_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    frames: list[Frame] = []
    server = http_server(*[lambda: parts([50, 60, 70])] * 3)
    with server as source, open_stream(camera(source), limits=QUICK) as feed, pytest.raises(CameraError):
        frames.extend(feed)
    assert feed.reopened == 2
    sequences = [frame.sequence for frame in frames]
    assert sequences[-1] == 8
    assert sequences == sorted(set(sequences))
    assert caplog.text.count("gives pictures again") == 2
    assert "secret" not in caplog.text


@pytest.mark.parametrize("refused", [1, 3])
def test_a_server_that_is_restarted_may_refuse_connections_at_first(refused: int) -> None:
    """The second request and some more are refused, and then the stream is back."""
    bodies: list[Body] = [lambda: parts([50] * 9), *[lambda: [b"no stream"]] * refused, lambda: parts([60] * 9)]
    with http_server(*bodies) as source, open_stream(camera(source), limits=QUICK) as feed:
        with pytest.raises(CameraError):
            list(feed)
        assert feed.reopened == 1


def test_a_stream_that_falls_silent_is_opened_again() -> None:
    release = threading.Event()

    def silent() -> Iterator[bytes]:
        yield from parts([50] * 10)
        release.wait(LONG_S)

    with http_server(silent, lambda: parts([60] * 10)) as source:
        with open_stream(camera(source, stall_s=0.3), limits=QUICK) as feed:
            frames = iter(feed)
            next(frames)
            until(lambda: feed.reopened == 1)
        release.set()


def test_a_stream_without_a_picture_that_can_be_decoded_counts_as_silent() -> None:
    def broken() -> Iterator[bytes]:
        yield from parts([50] * 5)
        while not release.is_set():
            yield from parts([None])
            time.sleep(0.01)

    release = threading.Event()
    with http_server(broken, lambda: parts([60] * 10)) as source:
        with open_stream(camera(source, stall_s=0.3), limits=QUICK) as feed:
            next(iter(feed))
            until(lambda: feed.reopened == 1)
            assert feed.unreadable > 0
        release.set()


def test_rtsp() -> None:
    frames: list[Frame] = []
    with rtsp_server(transport_stream()) as source, open_stream(camera(source), limits=QUICK) as feed:
        with pytest.raises(CameraError) as caught:
            frames.extend(feed)
        assert len(frames) + feed.dropped + feed.unreadable > 100
    assert_shows_no_secret(caught.value)
    assert (frames[-1].width, frames[-1].height) == (32, 24)
    assert levels(frames[-1:])[0] == pytest.approx(2 * frames[-1].sequence, abs=12)


def test_a_slow_consumer_gets_the_newest_frame_of_a_stream() -> None:
    first_taken = threading.Event()

    def body() -> Iterator[bytes]:
        yield from parts(range(0, 120, 2))  # ffmpeg examines some of these before it decodes any
        first_taken.wait(LONG_S)
        yield from parts(range(120, 240, 2))

    with http_server(body) as source, open_stream(camera(source), limits=QUICK) as feed:
        frames = iter(feed)
        next(frames)
        first_taken.set()
        until(lambda: feed.dropped == 118)
        last = next(frames)
    assert last.sequence == 119
    assert levels([last])[0] == pytest.approx(238, abs=3)


def test_damaged_pictures_before_the_first_good_one_are_not_counted() -> None:
    server = http_server(lambda: parts([None] * 3 + [50] * 5 + [None] + [60] * 5))
    with server as source, open_stream(camera(source), limits=QUICK) as feed, pytest.raises(CameraError):
        list(feed)
    assert feed.unreadable == 1


def test_no_more_pictures_are_taken_from_a_stream_than_fps_allows() -> None:
    frames: list[Frame] = []
    with http_server(lambda: parts(range(0, 240, 2))) as source:
        slow = Camera(source=source, fps=0.01, stall_s=LONG_S)
        with open_stream(slow, limits=QUICK) as feed, pytest.raises(CameraError):
            frames.extend(feed)
    assert 1 <= len(frames) + feed.dropped <= 2  # of 120; the second one because streams are not perfectly regular


def test_a_refused_password_is_an_error_that_does_not_show_it() -> None:
    with http_server(refusal=401) as source, open_stream(camera(source)) as feed:  # noqa: SIM117 - too long
        with pytest.raises(CameraError) as caught:
            list(feed)
    assert "401" in caught.value.problem
    assert "password" in caught.value.remedy
    assert_shows_no_secret(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp", "https"])
def test_a_refused_connection_is_an_error_at_once(scheme: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # the port is taken, but nothing listens
        source = f"{scheme}://me:secret@127.0.0.1:{bound.getsockname()[1]}/live"
        with open_stream(camera(source)) as feed, pytest.raises(CameraError) as caught:
            list(feed)
    assert "refused" in caught.value.problem
    assert_shows_no_secret(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_never_answers_is_an_error(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        source = f"{scheme}://me:secret@127.0.0.1:{mute.getsockname()[1]}/live"
        with open_stream(camera(source, stall_s=0.2), limits=QUICK) as feed, pytest.raises(CameraError) as caught:
            list(feed)
    assert "gave no picture for 0.2 s" in caught.value.problem
    assert "camera.stall_s" in caught.value.remedy
    assert_shows_no_secret(caught.value)


def test_a_device_that_does_not_exist_is_an_error() -> None:
    with open_stream(camera("/dev/video250")) as feed, pytest.raises(CameraError) as caught:
        list(feed)
    assert caught.value.key == "camera.source"
    assert "/dev/video250" in caught.value.problem
    assert "group video" in caught.value.remedy


def test_a_timeout_after_a_suspension_is_no_failure_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyAV counts the time in which the process was suspended: the stream is then opened again, even the first one."""
    opens: list[object] = []
    open_ = av.open

    def opened(*args: object, **kwargs: object) -> object:
        opens.append(args)
        if len(opens) == 1:
            monkeypatch.setattr(time, "monotonic", lambda: original() + LONG_S)
            raise av.ExitError(1414092869, "Immediate exit requested")
        return open_(*args, **kwargs)

    original = time.monotonic
    monkeypatch.setattr(av, "open", opened)
    server, limits = http_server(lambda: parts([50] * 10)), Limits(first_pause_s=0.01, give_up_s=LONG_S)
    with server as source, open_stream(camera(source, stall_s=1.0), limits=limits) as feed:
        assert levels([next(iter(feed))])[0] == pytest.approx(50, abs=3)
    assert len(opens) == 2


@pytest.mark.parametrize(("source", "problem"), [("/dev/video0", "has hung"), ("http://camera/", "gave no picture")])
def test_only_a_device_can_hang(monkeypatch: pytest.MonkeyPatch, source: str, problem: str) -> None:
    """To resolve the name of a host may take longer than any driver."""
    release = threading.Event()
    monkeypatch.setattr(av, "open", lambda *_, **__: release.wait(LONG_S))
    with open_stream(camera(source), limits=Limits(give_up_s=0.4, hang_s=0.1)) as feed:
        with pytest.raises(CameraError) as caught:
            list(feed)
        release.set()
    assert problem in caught.value.problem


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="FFMPEG IS NOT INSTALLED: do apt-get install ffmpeg")
def test_an_ffmpeg_that_is_started_again_is_found_again() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = f"http://127.0.0.1:{port}/live.ts"
    command = ["ffmpeg", "-v", "quiet", "-re", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25", "-t", "1"]
    command += ["-c:v", "mpeg4", "-g", "5", "-f", "mpegts", "-listen", "1", source]  # one client, for a second
    limits = Limits(first_pause_s=0.05, longest_pause_s=0.1, give_up_s=LONG_S)
    with subprocess.Popen(command):
        until(lambda: is_listening(port))
        feed = open_stream(camera(source), limits=limits)
        frames = iter(feed)
        assert next(frames).sequence == 0
    with feed:
        for number in (1, 2):
            with subprocess.Popen(command):
                while feed.reopened < number:
                    next(frames)


def is_listening(port: int) -> bool:
    """Whether a socket listens on that port. Connecting would take the place of ffmpeg's only client."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(f":{port:04X} 00000000:0000 0A" in line for line in lines)
