"""A feed whose reader is silent, hangs, or opens its source again."""

import threading
import time

import numpy as np
import pytest

from edge.camera.feed import Feed, Notice, Picture, Reader
from edge.config import Camera
from edge.errors import CameraError
from edge.types import Frame
from tests.support.waiting import LONG_S, until

BROKEN_OFF = CameraError("camera.source", "broken off", "wait")
FAST = Camera(source="test", fps=0)


def picture() -> Picture:
    return Picture(np.zeros((2, 3, 3), np.uint8), 3, 2)


def test_a_silent_live_source_is_an_error() -> None:
    release = threading.Event()

    def reader() -> Reader:
        yield picture()
        release.wait(LONG_S)

    camera = Camera(source="rtsp://me:secret@camera.lan/live", fps=0, stall_s=0.05)
    with Feed(reader(), camera, live=True) as feed:
        frames = iter(feed)
        next(frames)
        with pytest.raises(CameraError) as caught:
            next(frames)
        release.set()
    assert caught.value.key == "camera.source"
    assert caught.value.problem == "rtsp://camera.lan gave no picture for 0.05 s"
    assert "camera.stall_s" in caught.value.remedy


def test_a_slow_camera_is_not_silent() -> None:
    with Feed((picture() for _ in range(3)), Camera(source="test", fps=10, stall_s=0.01), live=True) as feed:
        assert [frame.sequence for frame in feed] == [0, 1, 2]


def test_a_file_has_no_stall_timeout() -> None:
    def reader() -> Reader:
        time.sleep(0.1)  # longer than `stall_s`
        yield picture()

    with Feed(reader(), Camera(source="test", fps=0, stall_s=0.01), live=False) as feed:
        assert [frame.sequence for frame in feed] == [0]


def test_reopenings_are_counted_and_leave_no_gap() -> None:
    def reader() -> Reader:
        yield picture()
        for _ in range(2):
            yield BROKEN_OFF
            yield Notice.REOPENED
            yield picture()

    with Feed(reader(), FAST, live=False) as feed:
        assert [frame.sequence for frame in feed] == [0, 1, 2]
        assert feed.reopened == 2


def test_a_feed_that_gives_up_raises_the_last_failure() -> None:
    release = threading.Event()

    def reader() -> Reader:
        yield picture()
        yield BROKEN_OFF
        release.wait(LONG_S)

    with Feed(reader(), FAST, live=True, silence_s=0.05) as feed:
        with pytest.raises(CameraError) as caught:
            list(feed)
        release.set()
    assert caught.value is BROKEN_OFF


def test_a_failure_is_forgotten_when_a_picture_comes() -> None:
    release = threading.Event()

    def reader() -> Reader:
        yield BROKEN_OFF
        yield picture()
        release.wait(LONG_S)

    with Feed(reader(), FAST, live=True, silence_s=0.05) as feed:
        with pytest.raises(CameraError) as caught:
            list(feed)
        release.set()
    assert caught.value is not BROKEN_OFF


def test_a_reader_that_hangs_is_an_error_long_before_a_silent_one() -> None:
    release = threading.Event()

    def reader() -> Reader:
        for _ in range(3):
            time.sleep(0.02)
            yield Notice.UNWANTED
        release.wait(LONG_S)

    with Feed(reader(), FAST, live=True, silence_s=LONG_S, hang_s=0.1) as feed:
        with pytest.raises(CameraError) as caught:
            list(feed)
        release.set()
    assert "has hung for 0.1 s" in caught.value.problem


def test_a_reader_that_shows_signs_of_life_does_not_hang() -> None:
    def reader() -> Reader:
        for _ in range(10):
            time.sleep(0.05)
            yield Notice.UNWANTED
        yield picture()

    with Feed(reader(), FAST, live=True, silence_s=LONG_S, hang_s=0.45) as feed:
        assert len(list(feed)) == 1


class SuspendedClock:
    """A monotonic clock that jumps by a minute at the second look, as after SIGSTOP and SIGCONT."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return time.monotonic() + (60 if self.looks > 1 else 0)


def test_time_in_which_the_process_was_suspended_does_not_count() -> None:
    release, clock = threading.Event(), SuspendedClock()

    def reader() -> Reader:
        release.wait(LONG_S)
        yield picture()

    with Feed(reader(), FAST, live=True, silence_s=30, hang_s=30, monotonic=clock) as feed:
        taken: list[Frame] = []
        consumer = threading.Thread(target=lambda: taken.extend(feed))
        consumer.start()
        until(lambda: clock.looks > 3)
        release.set()
        consumer.join(LONG_S)
    assert len(taken) == 1


def test_waiting_says_whether_a_consumer_waits_for_a_live_frame() -> None:
    release = threading.Event()

    def reader() -> Reader:
        release.wait(LONG_S)
        yield picture()

    with Feed(reader(), FAST, live=True) as feed:
        assert not feed.waiting
        consumer = threading.Thread(target=list, args=(feed,))
        consumer.start()
        until(lambda: feed.waiting)
        release.set()
        consumer.join(LONG_S)
        assert not feed.waiting


def test_a_feed_can_be_given_a_longer_limit() -> None:
    def reader() -> Reader:
        yield picture()
        time.sleep(0.2)  # longer than `stall_s`
        yield picture()

    with Feed(reader(), Camera(source="test", fps=0, stall_s=0.01), live=True, silence_s=LONG_S) as feed:
        assert [frame.sequence for frame in feed] == [0, 1]
