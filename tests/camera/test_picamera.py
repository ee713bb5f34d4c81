"""The pictures of a Pi camera, with a fake library and with the real picamera2."""

import logging
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.cli.annotate import run as run_annotate
from edge.config import Config
from tests.picamera2.scene import FRAME, still
from tests.support.fakes_picamera import AfModeEnum, Transform
from tests.support.picamera_rig import (
    FAST,
    LARGEST,
    PICAMERA_WARNINGS,
    FakeRig,
    Rig,
    off_by,
    some,
)
from tests.support.waiting import LONG_S, until

pytestmark = PICAMERA_WARNINGS


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_picture_is_rgb_and_the_right_way_round(rig: Rig, rotation: int) -> None:
    with rig.open(rotation=rotation) as feed:
        (frame,) = some(feed, 1)
    expected = np.rot90(still(), -rotation // 90)
    assert off_by(frame.image, np.ascontiguousarray(expected)) < 3
    assert off_by(frame.image, np.ascontiguousarray(expected[..., ::-1])) > 10
    assert off_by(frame.image, np.ascontiguousarray(expected[::-1, ::-1])) > 10
    assert (frame.width, frame.height) == (FRAME if rotation % 180 == 0 else FRAME[::-1])
    assert frame.image.flags.c_contiguous


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_isp_makes_half_turns(pi: FakeRig, rotation: int) -> None:
    with pi.open(rotation=rotation) as feed:
        some(feed, 1)
    transform = pi.hardware.asked[-1]["transform"]
    assert (transform.hflip, transform.vflip) == ((rotation == 180,) * 2)


@pytest.mark.parametrize("rotation", [0, 180])
@pytest.mark.parametrize(
    "turns", [Transform(), Transform(hflip=True), Transform(True, True), Transform(hflip=True, transpose=True)]
)
def test_an_unexpected_turn_of_the_isp_is_corrected(pi: FakeRig, turns: Transform, rotation: int) -> None:
    pi.hardware.turns = turns
    with pi.open(rotation=rotation) as feed:
        (frame,) = some(feed, 1)
    assert off_by(frame.image, np.ascontiguousarray(np.rot90(still(), -rotation // 90))) < 3
    assert frame.image.flags.c_contiguous


@pytest.mark.usefixtures("pi")
def test_annotate_draws_on_a_picture_of_the_camera(tmp_path: Path) -> None:
    run_annotate(Config(camera=FAST), "picamera2", tmp_path / "out.png")
    with Pillow.open(tmp_path / "out.png") as image:
        assert image.size == FRAME
        assert off_by(np.asarray(image), still()) < 10


@pytest.mark.parametrize("given", ["RGB888", "XBGR8888", "XRGB8888"])
def test_colours_in_another_order_are_sorted(pi: FakeRig, given: str) -> None:
    pi.hardware.format = given
    with pi.open() as feed:
        (frame,) = some(feed, 1)
        assert feed.mode is not None
        assert feed.mode.format == given
    assert off_by(frame.image, still()) < 3


@pytest.mark.parametrize(
    ("frame", "largest", "rotation", "size"),
    [
        ((640, 480), LARGEST, 0, (470, 352)),
        ((1280, 720), LARGEST, 0, (480, 270)),
        ((640, 480), LARGEST, 90, (470, 352)),
        ((320, 240), LARGEST, 0, (320, 240)),
        ((641, 481), None, 0, (640, 480)),
    ],
)
def test_the_isp_delivers_what_the_model_takes(
    pi: FakeRig, frame: tuple[int, int], largest: tuple[int, int] | None, rotation: int, size: tuple[int, int]
) -> None:
    with pi.open(width=frame[0], height=frame[1], rotation=rotation, largest=largest) as feed:
        (one,) = some(feed, 1)
    asked = pi.hardware.asked[0]
    assert asked["sensor"] == {"output_size": (2304, 1296)}
    assert asked["main"] == {"size": size, "format": "BGR888"}
    assert asked["queue"] is False
    assert sorted(one.image.shape[:2]) == sorted(size)
    assert {one.width, one.height} == set(frame)


def test_the_mode_is_read_back_from_the_camera(rig: Rig) -> None:
    with rig.open() as feed:
        some(feed, 1)
        mode = feed.mode
    assert mode is not None
    if rig.pi:
        assert (mode.model, mode.format, mode.autofocus) == ("imx708", "BGR888", "continuous")
        assert (mode.width, mode.height) == (480, 288)
        assert mode.fps == pytest.approx(60, abs=0.1)  # the highest rate, because fps is 0
    else:
        assert (mode.format, mode.width, mode.height) == ("NV12", 1280, 768)
        assert (mode.fps, mode.autofocus) == (None, None)


def test_the_mode_has_the_aspect_of_the_frame(rig: Rig) -> None:
    with rig.open(width=640, height=512) as feed:
        some(feed, 1)
        assert feed.mode is not None
        aspect = feed.mode.width / feed.mode.height
    assert aspect == pytest.approx(640 / 512, rel=0.02)


def test_an_aspect_that_the_camera_does_not_have_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "edge")
    with rig.open(width=480, height=480) as feed:
        (frame,) = some(feed, 1)
    assert any("stretched" in record.message for record in caplog.records) is not rig.pi
    assert (frame.width, frame.height) == (480, 480)


def test_frames_have_the_time_of_the_exposure(rig: Rig) -> None:
    before_s = time.monotonic()
    with rig.open() as feed:
        frames = some(feed, 5)
    times_s = [frame.monotonic_s for frame in frames]
    assert all(frame.dated for frame in frames)
    assert times_s == sorted(times_s)
    assert before_s < times_s[0] <= times_s[-1] < time.monotonic()
    assert abs(time.time() - time.monotonic() - (frames[-1].wall_s - frames[-1].monotonic_s)) < 1


@pytest.mark.parametrize("slept_s", [0, 3600])
@pytest.mark.parametrize("clock", [time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME])
def test_the_exposure_can_be_dated_by_either_clock(pi: FakeRig, slept_s: int, clock: int) -> None:
    ahead_ns = {time.CLOCK_MONOTONIC: 0, time.CLOCK_BOOTTIME: slept_s * 10**9}
    pi.patch.setattr(pi.module.time, "clock_gettime_ns", lambda one: time.monotonic_ns() + ahead_ns[one])
    taken_s = time.monotonic() - 0.05
    reported = {"SensorTimestamp": round(taken_s * 1e9) + ahead_ns[clock]}
    assert pi.module._taken_s(reported) == pytest.approx(taken_s, abs=1e-3)


@pytest.mark.parametrize(
    "reported", [None, 0, 1, -1, 10**19, pytest.param(time.time_ns(), id="the time of day"), "now"], ids=str
)
def test_an_impossible_time_of_the_exposure_is_ignored(rig: Rig, reported: object) -> None:
    original = rig.request.get_metadata
    rig.patch.setattr(rig.request, "get_metadata", lambda one: original(one) | {"SensorTimestamp": reported})
    with rig.open() as feed:
        frames = some(feed, 2)
    assert not any(frame.dated for frame in frames)
    assert frames[0].monotonic_s < frames[1].monotonic_s < time.monotonic()


@pytest.mark.parametrize(
    ("fps", "limits"), [(15, (66_667, 66_667)), (0, (16_666, 1_000_000)), (200, (16_666,) * 2), (0.1, (1_000_000,) * 2)]
)
def test_the_sensor_is_set_to_the_frame_rate(pi: FakeRig, fps: float, limits: tuple[int, int]) -> None:
    with pi.open(fps=fps) as feed:
        some(feed, 1)
    assert pi.hardware.controls["FrameDurationLimits"] == limits


def test_a_faster_camera_is_read_at_the_configured_rate(rig: Rig) -> None:
    with rig.open(fps=50) as feed:
        frames = some(feed, 6)
    assert feed.dropped + 6 >= frames[-1].sequence + 1
    # Five periods, less the delay of the first picture and the quarter by which the last may be early.
    assert frames[-1].monotonic_s - frames[0].monotonic_s > 3 / 50


@pytest.mark.parametrize("mode", ["continuous", "auto", "manual"])
def test_autofocus_is_set_if_the_camera_has_it(pi: FakeRig, mode: str) -> None:
    with pi.open(autofocus=mode) as feed:
        some(feed, 1)
        assert feed.mode is not None
        assert feed.mode.autofocus == mode
    assert pi.hardware.controls["AfMode"] == AfModeEnum[mode.capitalize()]
    assert ("AfTrigger" in pi.hardware.controls) is (mode == "auto")


def test_only_the_newest_picture_is_kept(rig: Rig) -> None:
    with rig.open() as feed:
        frames = iter(feed)
        first = next(frames)
        dropped = feed.dropped  # before the first one was taken
        until(lambda: feed.dropped >= dropped + 5)
        second = next(frames)
    assert second.sequence - first.sequence > 5
    assert rig.held() == 0


def test_the_camera_is_free_again_when_the_feed_is_closed(rig: Rig) -> None:
    for _ in range(3):
        with rig.open() as feed:
            some(feed, 2)
        assert not feed._thread.is_alive()
    assert rig.held() == 0
    rig.library(0).close()


def test_a_feed_can_be_closed_while_the_camera_is_silent(rig: Rig) -> None:
    rig.silence()
    feed = rig.open(stall_s=LONG_S)
    closer = threading.Timer(0.3, feed.close)
    closer.start()
    assert list(feed) == []
    closer.join()
    assert not feed._thread.is_alive()
