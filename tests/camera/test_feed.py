"""The feed between the thread of a reader and the consumer, with small readers that the tests control."""

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from edge.camera.feed import Feed, Notice, Picture, Reader, redact_url
from edge.config import Camera
from edge.errors import CameraError
from edge.types import CameraMode, Frame
from tests.support.leaks import nothing_left_behind
from tests.support.waiting import LONG_S

FAST = Camera(source="test", fps=0)


def picture(number: int = 0, media_s: float | None = None) -> Picture:
    return Picture(np.full((2, 3, 3), number, np.uint8), 3, 2, media_s)


def sequences(frames: Iterator[Frame] | Feed) -> list[int]:
    return [frame.sequence for frame in frames]


def test_every_picture_of_a_file_arrives_in_order() -> None:
    with Feed((picture(n) for n in range(200)), FAST, live=False) as feed:
        frames = list(feed)
    assert [(frame.sequence, int(frame.image[0, 0, 0])) for frame in frames] == [(n, n) for n in range(200)]
    assert (feed.dropped, feed.unreadable, feed.live) == (0, 0, False)


def test_a_file_is_read_one_picture_ahead() -> None:
    begun = [threading.Event() for _ in range(8)]

    def reader() -> Reader:
        for number, event in enumerate(begun):
            event.set()
            yield picture(number)

    with Feed(reader(), FAST, live=False) as feed:
        for frame in feed:
            # The next frame waits in the slot, and the one after it is made but not handed over.
            ahead = frame.sequence + 2
            assert all(event.wait(LONG_S) for event in begun[: ahead + 1])
            assert not any(event.is_set() for event in begun[ahead + 1 :])


def test_a_live_feed_keeps_the_newest_picture() -> None:
    first_taken, nine_made = threading.Event(), threading.Event()

    def reader() -> Reader:
        yield picture(0)
        first_taken.wait(LONG_S)
        for number in range(1, 10):
            yield picture(number)
        nine_made.set()

    with Feed(reader(), FAST, live=True) as feed:
        frames = iter(feed)
        first = next(frames)
        first_taken.set()
        assert nine_made.wait(LONG_S)
        rest = list(frames)
    assert first.sequence == 0
    assert first.image.max() == 0  # later pictures must not overwrite it
    assert [(frame.sequence, int(frame.image.max())) for frame in rest] == [(9, 9)]
    assert feed.dropped == 8


@pytest.mark.parametrize("live", [False, True])
def test_unreadable_pictures_leave_gaps_and_unwanted_ones_do_not(live: bool) -> None:
    def reader() -> Reader:
        yield Notice.UNREADABLE
        yield Notice.UNWANTED
        yield Notice.UNREADABLE
        yield picture()
        yield Notice.UNWANTED
        yield Notice.UNREADABLE

    with Feed(reader(), FAST, live=live) as feed:
        assert sequences(feed) == [2]
        assert (feed.unreadable, feed.dropped) == (3, 0)


@pytest.mark.parametrize("live", [False, True])
def test_an_error_of_the_reader_reaches_the_consumer_after_the_last_picture(live: bool) -> None:
    error = CameraError("camera.source", "the lens fell off", "replace it")

    def reader() -> Reader:
        yield picture()
        raise error

    seen: list[Frame] = []
    with Feed(reader(), FAST, live=live) as feed, pytest.raises(CameraError) as caught:
        seen.extend(feed)
    assert caught.value is error
    assert len(seen) == 1 - feed.dropped


@pytest.mark.parametrize("live", [False, True])
def test_closing_ends_an_iteration_that_waits(live: bool) -> None:
    release, taken, finished = threading.Event(), threading.Event(), threading.Event()
    tidied: list[str] = []

    def reader() -> Reader:
        try:
            yield picture()
            release.wait(LONG_S)
            yield picture()
        finally:
            tidied.append(threading.current_thread().name)

    feed = Feed(reader(), FAST, live=live)
    seen: list[int] = []

    def consume() -> None:
        for frame in feed:
            seen.append(frame.sequence)
            taken.set()
        finished.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    assert taken.wait(LONG_S)
    closer = threading.Thread(target=feed.close)
    closer.start()
    assert finished.wait(LONG_S)  # although the reader still hangs
    release.set()
    for thread in (consumer, closer):
        thread.join(LONG_S)
    feed.close()
    assert seen == [0]
    assert tidied == ["camera"]
    assert list(feed) == []


def test_closing_drops_the_waiting_frame() -> None:
    begun = threading.Event()

    def reader() -> Reader:
        yield picture()
        yield picture()
        begun.set()  # by now the first picture is in the slot
        yield picture()

    with Feed(reader(), FAST, live=False) as feed:
        next(iter(feed))
        assert begun.wait(LONG_S)
    assert list(feed) == []


def test_an_error_does_not_keep_the_decoder_of_the_reader_alive() -> None:
    used: list[weakref.ref[threading.Event]] = []

    def reader() -> Reader:
        decoder = threading.Event()
        used.append(weakref.ref(decoder))
        yield picture()
        raise CameraError("camera.source", "the lens fell off", "")

    with suppress(CameraError), Feed(reader(), FAST, live=False) as feed:
        list(feed)
    assert used[0]() is None


def test_a_closed_feed_raises_no_error() -> None:
    def reader() -> Reader:
        yield picture()
        raise CameraError("camera.source", "the lens fell off", "")

    with Feed(reader(), FAST, live=False) as feed:
        next(iter(feed))
        feed._thread.join(LONG_S)
    assert list(feed) == []


def test_a_feed_can_be_closed_before_it_is_read() -> None:
    feed = Feed((picture(n) for n in count()), FAST, live=False)
    feed.close()
    feed.close()
    assert list(feed) == []


def test_iteration_can_be_resumed() -> None:
    with Feed((picture(n) for n in range(4)), FAST, live=False) as feed:
        first = next(iter(feed))
        assert [first.sequence, *sequences(feed)] == [0, 1, 2, 3]


@pytest.mark.parametrize("live", [False, True])
def test_closing_ends_the_wait_of_a_paced_feed(live: bool) -> None:
    second = threading.Event()

    def reader() -> Reader:
        yield picture()
        second.set()
        yield picture()
        raise AssertionError("the second picture is due in a quarter of an hour")

    feed = Feed(reader(), Camera(source="test", fps=0.001, stall_s=LONG_S), live=live)
    frames = iter(feed)
    next(frames)
    assert second.wait(LONG_S)
    closer = threading.Timer(0.05, feed.close)
    closer.start()
    assert list(frames) == []
    closer.join()
    assert not feed._thread.is_alive()


def test_pictures_come_at_the_rate_asked_for() -> None:
    with Feed((picture(n) for n in range(4)), Camera(source="test", fps=50), live=False) as feed:
        times_s = [frame.monotonic_s for frame in feed]
    # Four pictures take three periods, less the delay of the first. A busy machine can only add to that.
    assert times_s[-1] - times_s[0] > 2 / 50


def test_an_unpaced_feed_ignores_fps() -> None:
    with Feed((picture(n) for n in range(4)), Camera(source="test", fps=0.001), live=False, paced=False) as feed:
        assert sequences(feed) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("rotation", "rows"),
    [(0, ["abc", "def"]), (90, ["da", "eb", "fc"]), (180, ["fed", "cba"]), (270, ["cf", "be", "ad"])],
)
def test_rotation_is_clockwise(rotation: int, rows: list[str]) -> None:
    image = np.frombuffer(b"aaabbbcccdddeeefff", np.uint8).reshape(2, 3, 3)
    camera = Camera(source="test", fps=0, rotation=rotation)  # type: ignore[arg-type]  # one of the four
    with Feed((Picture(image, 300, 200) for _ in range(1)), camera, live=False) as feed:
        (frame,) = feed
    assert [bytes(row[:, 0]).decode() for row in frame.image] == rows
    assert (frame.image[..., 0] == frame.image[..., 2]).all()
    assert frame.image.flags.c_contiguous
    assert (frame.width, frame.height) == ((300, 200) if rotation % 180 == 0 else (200, 300))


def test_frames_of_a_medium_have_its_time() -> None:
    before_s = time.monotonic()
    with Feed((picture(n, media_s=n * 1000.0) for n in range(3)), FAST, live=False) as feed:
        times_s = [frame.monotonic_s for frame in feed]
    assert np.diff(times_s) == pytest.approx([1000, 1000])
    assert before_s <= times_s[0] <= time.monotonic()


def test_frames_without_a_time_have_that_of_their_arrival() -> None:
    moments_s = [time.monotonic()]
    wall_s = time.time()
    with Feed((picture(n) for n in range(3)), FAST, live=False) as feed:
        moments_s += [frame.monotonic_s for frame in feed]
    moments_s.append(time.monotonic())
    assert moments_s == sorted(moments_s)
    with Feed(iter_once(), FAST, live=False) as feed:
        (frame,) = feed
    assert frame.wall_s == pytest.approx(wall_s, abs=LONG_S)


def test_frames_have_the_time_of_the_exposure_if_the_sensor_reports_it() -> None:
    taken_s = time.monotonic() - 0.5

    def reader() -> Reader:
        yield Picture(np.zeros((2, 3, 3), np.uint8), 3, 2, taken_s=taken_s)
        yield picture()

    with Feed(reader(), FAST, live=False) as feed:
        dated, other = feed
    assert (dated.monotonic_s, dated.dated, other.dated) == (taken_s, True, False)
    assert other.wall_s - dated.wall_s >= 0.49  # 0.01 s for a correction of the clock


def test_the_mode_is_known_with_the_first_picture() -> None:
    modes = [CameraMode("imx708", "BGR888", 480 + n, 360, 15.0, None) for n in range(3)]

    def reader() -> Reader:
        for mode in modes:
            yield mode
            yield picture()

    with Feed(reader(), FAST, live=False) as feed:
        frames = iter(feed)
        assert next(frames).sequence == 0
        assert feed.mode in modes[:2]  # the reader is one picture ahead
        assert [frame.sequence for frame in frames] == [1, 2]
        assert (feed.mode, feed.reopened) == (modes[2], 0)


def iter_once() -> Reader:
    yield picture()


def test_nothing_leaks() -> None:
    def reader() -> Reader:
        with Path(os.devnull).open("rb"):
            for number in count():
                yield picture(number)

    with nothing_left_behind():
        for number in range(50):
            with Feed(reader(), FAST, live=number % 2 == 0) as feed:
                next(iter(feed))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("images:/home/me@home/a b.jpg", "images:/home/me@home/a b.jpg"),
        ("/dev/video0", "/dev/video0"),
        ("rtsp://10.0.0.8:554/live/1", "rtsp://10.0.0.8:554"),
        ("rtsp://me:secret@10.0.0.8:554/live", "rtsp://10.0.0.8:554"),
        ("rtsp://me:p@secret@camera.lan", "rtsp://camera.lan"),
        ("rtsp://me:p/secret@camera.lan/live", "rtsp://***"),
        ("rtsp://me:p@s/secret@camera.lan/live", "rtsp://***"),
        ("http://camera.lan/video.cgi?user=me&pwd=secret", "http://camera.lan"),
        ("http://camera.lan?pwd=secret", "http://camera.lan"),
        ("https://[fe80::1]:8080/x", "https://[fe80::1]:8080"),
    ],
)
def test_only_scheme_and_host_of_a_url_are_shown(source: str, shown: str) -> None:
    assert redact_url(source) == shown
