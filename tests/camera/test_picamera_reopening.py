"""A Pi camera that falls silent or fails is opened again."""

import os
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from edge.errors import CameraError
from edge.system.clock import RunningClock
from tests.support.leaks import descriptors, nothing_left_behind
from tests.support.picamera_rig import (
    BUFFERS,
    PICAMERA_WARNINGS,
    FakeRig,
    RealRig,
    Rig,
    some,
)
from tests.support.waiting import LONG_S, until

pytestmark = PICAMERA_WARNINGS


STALLS = {"pi": 200, "other": 20, "real": 10}


def test_a_camera_that_falls_silent_is_opened_again(rig: Rig, request: pytest.FixtureRequest) -> None:
    stalls = int(os.environ.get("EDGE_POSE_STALLS") or STALLS[request.node.callspec.params["rig"]])
    rig.limits = replace(rig.limits, first_pause_s=0.0)
    with rig.open(stall_s=0.2 if isinstance(rig, RealRig) else 0.01) as feed:
        frames = iter(feed)
        next(frames)
        # At each of the two moments, a camera may be opening or closing.
        with nothing_left_behind(threads=2, files=BUFFERS + 3):
            for number in range(stalls):
                rig.lose()
                until(lambda: feed.reopened > number)  # noqa: B023 - it is called at once
            some(feed, 20)  # more frames than there are buffers
        assert feed.reopened >= stalls
    assert rig.held() == 0


def test_a_suspension_of_the_process_is_no_silence_of_the_camera(rig: Rig) -> None:
    jump_s = 0.0
    clock = partial(RunningClock, lambda: time.monotonic() + jump_s)
    rig.patch.setattr(rig.module, "RunningClock", clock)
    with rig.open(stall_s=LONG_S, fps=20) as feed:  # most of the time it waits until the next picture is due
        some(feed, 2)
        jump_s = 2 * LONG_S
        some(feed, 5)
        assert feed.reopened == 0


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("method", ["__init__", "configure", "start", "capture_request", "queue_request", "close"])
def test_a_library_that_fails_is_tried_again(rig: Rig, method: str, times: int) -> None:
    with rig.open() as feed:
        some(feed, 1)
        if method == "queue_request":  # the calls at the start, not those of a running camera
            rig.lose()
        left = rig.break_next(method, times)
        if method not in {"capture_request", "queue_request"}:
            rig.lose()
        until(lambda: feed.reopened and not left())
        some(feed, 20)
    assert rig.held() == 0
    rig.library(0).close()


@pytest.mark.parametrize("method", ["make_buffer", "get_metadata"])
def test_a_picture_that_cannot_be_read_is_skipped(rig: Rig, method: str) -> None:
    with rig.open() as feed:
        some(feed, 1)
        left = rig.break_next(method, 10, rig.request)
        until(lambda: not left())
        some(feed, 5)
        assert (feed.unreadable, feed.reopened) == (10, 0)
    assert rig.held() == 0


def test_a_camera_with_only_broken_pictures_counts_as_silent(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with rig.open() as feed:
        some(feed, 1)
        rig.break_next("make_buffer", 10**6, rig.request)
        until(lambda: "gave no picture" in caplog.text)
    assert feed.unreadable


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_camera_is_opened_again_after_its_event_loop_died(rig: Rig) -> None:
    with rig.open() as feed:
        some(feed, 1)
        rig.break_next("process_requests")
        until(lambda: feed.reopened)
        some(feed, 20)
    assert rig.held() == 0


class Refused:
    """An attribute that cannot be set the first few times."""

    def __init__(self, name: str, times: int) -> None:
        self.name, self.times = name, times

    def __set__(self, owner: Any, value: object) -> None:
        if self.times:
            self.times -= 1
            raise RuntimeError(f"no {self.name}")
        vars(owner)[self.name] = value

    def __get__(self, owner: Any, kind: type) -> Any:
        if self.name not in vars(owner):
            raise AttributeError(self.name)
        return vars(owner)[self.name]

    def __delete__(self, owner: Any) -> None:
        self.__get__(owner, type(owner))
        del vars(owner)[self.name]


@pytest.mark.parametrize("also", ["", "close"])
def test_a_constructor_that_fails_after_it_took_the_camera_releases_it(
    rig: Rig, caplog: pytest.LogCaptureFixture, also: str
) -> None:
    with rig.open() as feed:
        some(feed, 1)
        used = descriptors()
        rig.lose()  # otherwise `break_next` breaks the `close` of the running camera
        until(lambda: feed.reopened)
        rig.patch.setattr(rig.library, "allocator", Refused("allocator", 3), raising=False)
        rig.lose()
        until(lambda: "no allocator" in caplog.text)
        left = rig.break_next("close") if also else lambda: 0
        until(lambda: feed.reopened > 1 and not left())
        some(feed, 20)
        assert descriptors() <= used + BUFFERS + 3
    assert "descriptor" not in caplog.text  # closing one twice may close that of other code
    assert rig.held() == 0
    rig.library(0).close()


def test_a_camera_that_stays_silent_is_given_up(rig: Rig) -> None:
    rig.limits = replace(rig.limits, give_up_s=1.0)
    rig.silence()
    with rig.open(stall_s=0.1) as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert caught.value.problem == "picamera2 gave no picture for 0.3 s"
    rig.library(0).close()


def test_a_driver_that_never_returns_is_given_up(pi: FakeRig) -> None:
    pi.limits = replace(pi.limits, hang_s=0.5)
    release, close = threading.Event(), pi.library.close
    pi.patch.setattr(pi.library, "close", lambda picam: release.wait(LONG_S) and close(picam))
    with pi.open(stall_s=0.1) as feed:
        frames = iter(feed)
        next(frames)
        pi.silence()
        with pytest.raises(CameraError) as caught:
            list(frames)
        assert "has hung" in caught.value.problem
        release.set()


def test_a_job_that_finishes_too_late_releases_its_buffer(rig: Rig) -> None:
    """The frame arrives after the last request for it and before the camera is closed."""
    opened = threading.Event()
    stop_preview = rig.library.stop_preview

    def late(picam: Any) -> None:
        opened.set()
        time.sleep(0.2)
        stop_preview(picam)

    rig.patch.setattr(rig.library, "stop_preview", late)
    with rig.open() as feed:
        some(feed, 1)
    assert opened.is_set()
    assert rig.held() == 0
