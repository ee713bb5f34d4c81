"""The Pi's own camera: the same tests on a fake that behaves, and on the real picamera2.

The latter looks through libcamera's virtual camera: `make test-picamera2` runs this file in a Debian tree of its own.
"""

import gc
import importlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image as Pillow

from edge.camera import open_source
from edge.camera.feed import Feed
from edge.cli.annotate import run as run_annotate
from edge.config import Camera, Config
from edge.errors import CameraError, ConfigError
from edge.types import Frame, Image
from tests.picamera2.scene import FRAME, still
from tests.picamera2.virtual import prepare
from tests.support.fakes_picamera import AfModeEnum, Hardware, Transform
from tests.support.leaks import descriptors, nothing_left_behind
from tests.support.waiting import until

pytestmark = [  # of the real one
    pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Picamera2.__del__:pytest.PytestUnraisableExceptionWarning"),  # if half made
]
REAL = os.environ.get("EDGE_POSE_PICAMERA2") == "virtual"
LARGEST = (481, 353)  # width, height that the default model takes
PATIENCE_S = 20
FAST = Camera(source="picamera2", width=FRAME[0], height=FRAME[1], fps=0, stall_s=0.3)


class Rig:
    """A camera whose frames can be made to stay away, and a library that can be made to fail."""

    pi = False  # whether it is a Pi's own camera

    def __init__(self, monkeypatch: pytest.MonkeyPatch, modules: dict[str, Any]) -> None:
        self.patch = monkeypatch
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.delitem(sys.modules, "edge.camera.picamera", raising=False)
        self.module: ModuleType = importlib.import_module("edge.camera.picamera")
        monkeypatch.setattr(self.module, "BACKOFF_S", 0.01)
        monkeypatch.setattr(self.module, "LONGEST_BACKOFF_S", 0.5)
        monkeypatch.setattr(self.module, "START_S", 0.3)
        self.library: Any = self.module.Picamera2
        self.request: Any = importlib.import_module("picamera2").CompletedRequest
        self.lower: Any = self.library  # what has queue_request

    def open(self, camera: Camera = FAST, largest: tuple[int, int] | None = LARGEST, **changes: Any) -> Feed:
        return open_source(msgspec.structs.replace(camera, **changes), largest=largest)

    def break_next(
        self, method: str, times: int = 1, owner: Any = None, error: Exception | None = None
    ) -> Callable[[], int]:
        """The next calls of a method raise; returns how often it still will."""
        owner = owner or (self.lower if method == "queue_request" else self.library)
        original, left = getattr(owner, method), [times]

        def broken(*args: Any, **kwargs: Any) -> Any:
            if left[0]:
                left[0] -= 1
                raise error or RuntimeError(f"{method} is broken")
            return original(*args, **kwargs)

        self.patch.setattr(owner, method, broken)
        return lambda: left[0]

    def lose(self) -> None:
        """Lose a camera that is running; it would give pictures again if it were opened again."""
        before = self.lost()
        self.silence()
        until(lambda: self.lost() >= before + self.module.BUFFERS)
        self.heal()

    def silence(self) -> None: ...
    def heal(self) -> None: ...

    def lost(self) -> int:
        """Buffers that silent cameras did not give back."""
        raise NotImplementedError

    def held(self) -> int:
        """Requests that were not given back to the camera."""
        raise NotImplementedError


class FakeRig(Rig):
    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, pi: bool) -> None:
        self.hardware, self.pi = Hardware(still(), pi=pi), pi
        super().__init__(monkeypatch, self.hardware.modules())

    def silence(self) -> None:
        self.hardware.silent = True

    def heal(self) -> None:
        self.hardware.silent = False

    def lost(self) -> int:
        return self.hardware.lost

    def held(self) -> int:
        return self.hardware.held


class RealRig(Rig):
    """As a camera that is lost: libcamera's requests come back cancelled, and picamera2 passes over those."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        prepare()
        super().__init__(monkeypatch, {})
        self.lower = importlib.import_module("libcamera").Camera
        picamera2 = importlib.import_module("picamera2.picamera2")
        self.silent, self.cancelled = False, 0
        handle = picamera2.CameraManager.handle_request

        def handle_request(manager: Any, flushid: int | None = None) -> None:
            if self.silent and flushid is None:
                self.cancelled += len(manager.cms.get_ready_requests())
            else:
                handle(manager, flushid)

        monkeypatch.setattr(picamera2.CameraManager, "handle_request", handle_request)

    def silence(self) -> None:
        self.silent = True

    def heal(self) -> None:
        self.silent = False

    def lost(self) -> int:
        return self.cancelled

    def held(self) -> int:
        gc.collect()
        return sum(one.ref_count > 0 for one in gc.get_objects() if isinstance(one, self.request))


@pytest.fixture(params=["pi", "other", "real"])
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    if request.param != "real":
        return FakeRig(monkeypatch, pi=request.param == "pi")
    if not REAL:
        pytest.skip("NOT THE REAL PICAMERA2: that needs root and debootstrap, and make test-picamera2")
    return RealRig(monkeypatch)


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch) -> FakeRig:
    return FakeRig(monkeypatch, pi=True)


def some(feed: Feed, count: int) -> list[Frame]:
    return list(islice(feed, count))


def off_by(image: Image, expected: Image) -> float:
    """Mean difference of two pictures that may differ in size, in steps of 0..255."""
    size = (64, 48)
    small, wanted = (np.asarray(Pillow.fromarray(one).resize(size), np.float32) for one in (image, expected))
    return float(np.abs(small - wanted).mean())


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
def test_half_a_turn_is_the_isps_work(pi: FakeRig, rotation: int) -> None:
    with pi.open(rotation=rotation) as feed:
        some(feed, 1)
    transform = pi.hardware.asked[-1]["transform"]
    assert (transform.hflip, transform.vflip) == ((rotation == 180,) * 2)


@pytest.mark.parametrize("rotation", [0, 180])
@pytest.mark.parametrize(
    "turns", [Transform(), Transform(hflip=True), Transform(True, True), Transform(hflip=True, transpose=True)]
)
def test_what_the_isp_turned_in_another_way_is_put_right(pi: FakeRig, turns: Transform, rotation: int) -> None:
    pi.hardware.turns = turns
    with pi.open(rotation=rotation) as feed:
        (frame,) = some(feed, 1)
    assert off_by(frame.image, np.ascontiguousarray(np.rot90(still(), -rotation // 90))) < 3
    assert frame.image.flags.c_contiguous


@pytest.mark.usefixtures("pi")
def test_a_picture_of_it_can_be_annotated(tmp_path: Path) -> None:
    run_annotate(Config(camera=FAST), "picamera2", tmp_path / "out.png")
    with Pillow.open(tmp_path / "out.png") as image:
        assert image.size == FRAME
        assert off_by(np.asarray(image), still()) < 10


@pytest.mark.parametrize("given", ["RGB888", "XBGR8888", "XRGB8888"])
def test_colours_in_another_order_are_put_right(pi: FakeRig, given: str) -> None:
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
        ((640, 480), LARGEST[::-1], 90, (470, 352)),
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


def test_what_was_granted_is_read_back(rig: Rig) -> None:
    with rig.open() as feed:
        some(feed, 1)
        granted = feed.mode
    assert granted is not None
    if rig.pi:
        assert (granted.model, granted.format, granted.autofocus) == ("imx708", "BGR888", "continuous")
        assert (granted.width, granted.height) == (480, 288)
        assert granted.fps == pytest.approx(60, abs=0.1)  # what it can, for 0 was asked for
    else:
        assert (granted.format, granted.width, granted.height) == ("NV12", 1280, 768)
        assert (granted.fps, granted.autofocus) == (None, None)


def test_a_camera_that_has_the_frames_aspect_gives_the_whole_frame(rig: Rig) -> None:
    with rig.open(width=640, height=512) as feed:
        some(feed, 1)
        assert feed.mode is not None
        aspect = feed.mode.width / feed.mode.height
    assert aspect == pytest.approx(640 / 512, rel=0.02)


def test_an_aspect_that_a_camera_does_not_have_is_said(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "edge")
    with rig.open(width=480, height=480) as feed:
        (frame,) = some(feed, 1)
    assert any("stretched" in record.message for record in caplog.records) is not rig.pi
    assert (frame.width, frame.height) == (480, 480)


def test_frames_carry_the_moment_at_which_they_were_taken(rig: Rig) -> None:
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
def test_whichever_clock_the_sensor_means(pi: FakeRig, slept_s: int, clock: int) -> None:
    ahead_ns = {time.CLOCK_MONOTONIC: 0, time.CLOCK_BOOTTIME: slept_s * 10**9}
    pi.patch.setattr(pi.module.time, "clock_gettime_ns", lambda one: time.monotonic_ns() + ahead_ns[one])
    taken_s = time.monotonic() - 0.05
    told = {"SensorTimestamp": round(taken_s * 1e9) + ahead_ns[clock]}
    assert pi.module._taken_s(told) == pytest.approx(taken_s, abs=1e-3)


@pytest.mark.parametrize(
    "told", [None, 0, 1, -1, 10**19, pytest.param(time.time_ns(), id="the time of day"), "now"], ids=str
)
def test_a_moment_that_makes_no_sense_is_unknown(rig: Rig, told: object) -> None:
    original = rig.request.get_metadata
    rig.patch.setattr(rig.request, "get_metadata", lambda one: original(one) | {"SensorTimestamp": told})
    with rig.open() as feed:
        frames = some(feed, 2)
    assert not any(frame.dated for frame in frames)
    assert frames[0].monotonic_s < frames[1].monotonic_s < time.monotonic()


@pytest.mark.parametrize(
    ("fps", "limits"), [(15, (66_667, 66_667)), (0, (16_666, 1_000_000)), (200, (16_666,) * 2), (0.1, (1_000_000,) * 2)]
)
def test_the_sensor_holds_the_frame_rate(pi: FakeRig, fps: float, limits: tuple[int, int]) -> None:
    with pi.open(fps=fps) as feed:
        some(feed, 1)
    assert pi.hardware.controls["FrameDurationLimits"] == limits


def test_a_camera_that_comes_faster_is_taken_at_the_rate(rig: Rig) -> None:
    with rig.open(fps=50) as feed:
        frames = some(feed, 6)
    assert feed.dropped + 6 >= frames[-1].sequence + 1
    # Five periods between them, less what the first was late; the last may come a quarter early.
    assert frames[-1].monotonic_s - frames[0].monotonic_s > 3 / 50


@pytest.mark.parametrize("mode", ["continuous", "auto", "manual"])
def test_autofocus_where_there_is_one(pi: FakeRig, mode: str) -> None:
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
        until(lambda: feed.dropped >= 5)
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


def test_a_feed_that_waits_can_be_closed(rig: Rig) -> None:
    rig.silence()
    feed = rig.open(stall_s=PATIENCE_S)
    closer = threading.Timer(0.3, feed.close)
    closer.start()
    assert list(feed) == []
    closer.join()
    assert not feed._thread.is_alive()


STALLS = {"pi": 1000, "other": 20, "real": 10}


def test_a_camera_that_falls_silent_is_opened_again(rig: Rig, request: pytest.FixtureRequest) -> None:
    stalls = int(os.environ.get("EDGE_POSE_STALLS") or STALLS[request.node.callspec.params["rig"]])
    rig.patch.setattr(rig.module, "BACKOFF_S", 0.0)
    with rig.open(stall_s=0.2 if isinstance(rig, RealRig) else 0.01) as feed:
        frames = iter(feed)
        next(frames)
        # One camera more or less may be on its way, now or then.
        with nothing_left_behind(threads=2, files=rig.module.BUFFERS + 3):
            for number in range(stalls):
                rig.lose()
                until(lambda: feed.reopened > number)  # noqa: B023 - it is called at once
            some(feed, 20)  # more frames than there are buffers
        assert feed.reopened >= stalls
    assert rig.held() == 0


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("method", ["__init__", "configure", "start", "capture_request", "queue_request", "close"])
def test_a_library_that_fails_is_tried_again(rig: Rig, method: str, times: int) -> None:
    with rig.open() as feed:
        some(feed, 1)
        if method == "queue_request":  # of the start, and not of a camera that runs
            rig.lose()
        left = rig.break_next(method, times)
        if method not in {"capture_request", "queue_request"}:
            rig.lose()
        until(lambda: feed.reopened and not left())
        some(feed, 20)
    assert rig.held() == 0
    rig.library(0).close()


@pytest.mark.parametrize("method", ["make_buffer", "get_metadata"])
def test_a_picture_that_cannot_be_read_is_passed_over(rig: Rig, method: str) -> None:
    with rig.open() as feed:
        some(feed, 1)
        left = rig.break_next(method, 10, rig.request)
        until(lambda: not left())
        some(feed, 5)
        assert (feed.unreadable, feed.reopened) == (10, 0)
    assert rig.held() == 0


def test_a_camera_whose_pictures_are_all_broken_is_silent(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with rig.open() as feed:
        some(feed, 1)
        rig.break_next("make_buffer", 10**6, rig.request)
        until(lambda: "gave no picture" in caplog.text)
    assert feed.unreadable


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_event_loop_does_not_matter(rig: Rig) -> None:
    with rig.open() as feed:
        some(feed, 1)
        rig.break_next("process_requests")
        until(lambda: feed.reopened)
        some(feed, 20)
    assert rig.held() == 0


@pytest.mark.parametrize("method", ["__init__", "configure", "start"])
def test_who_starts_it_learns_at_once_what_is_wrong(rig: Rig, method: str) -> None:
    rig.break_next(method)
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert caught.value.key == "camera.source"
    assert f"{method} is broken" in caught.value.problem
    rig.library(0).close()


class Refused:
    """An attribute that cannot be set at first."""

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
def test_a_constructor_that_fails_when_it_has_the_camera(rig: Rig, caplog: pytest.LogCaptureFixture, also: str) -> None:
    with rig.open() as feed:
        some(feed, 1)
        used = descriptors()
        rig.lose()  # or `close` would be that of the camera that runs
        until(lambda: feed.reopened)
        rig.patch.setattr(rig.library, "allocator", Refused("allocator", 3), raising=False)
        rig.lose()
        until(lambda: "no allocator" in caplog.text)
        left = rig.break_next("close") if also else lambda: 0
        until(lambda: feed.reopened > 1 and not left())
        some(feed, 20)
        assert descriptors() <= used + rig.module.BUFFERS + 3
    assert "descriptor" not in caplog.text  # which would have been closed twice, and by then be somebody else's
    assert rig.held() == 0
    rig.library(0).close()


def test_who_may_not_open_it_learns_what_to_do(rig: Rig) -> None:
    rig.break_next("__init__", error=PermissionError(13, "Permission denied", "/dev/dma_heap/linux,cma"))
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "/dev/dma_heap/linux,cma" in caught.value.problem
    assert "usermod -aG video <user>" in caught.value.remedy


@pytest.mark.parametrize("method", ["configure", "start"])
def test_a_camera_that_somebody_streams_from_is_in_use_too(rig: Rig, method: str) -> None:
    rig.break_next(method, error=RuntimeError("Failed to start camera: Device or resource busy"))
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "in use by" in caught.value.problem


def test_it_is_given_up_when_nothing_helps(rig: Rig) -> None:
    rig.patch.setattr(rig.module, "GIVE_UP_S", 1.0)
    rig.silence()
    with rig.open(stall_s=0.1) as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert caught.value.problem == "picamera2 gave no picture for 0.3 s"
    rig.library(0).close()


def test_a_driver_that_never_returns_is_given_up(pi: FakeRig) -> None:
    pi.patch.setattr(pi.module, "GIVE_UP_S", 0.5)
    release, close = threading.Event(), pi.library.close
    pi.patch.setattr(pi.library, "close", lambda picam: release.wait(PATIENCE_S) and close(picam))
    with pi.open(stall_s=0.1) as feed:
        frames = iter(feed)
        next(frames)
        pi.silence()
        with pytest.raises(CameraError) as caught:
            list(frames)
        assert "camera.stall_s" in caught.value.remedy
        release.set()


def test_a_job_that_is_done_too_late_gives_its_buffer_back(rig: Rig) -> None:
    """The frame comes when nobody asks any more, and before the camera is closed."""
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


def test_no_camera(pi: FakeRig) -> None:
    pi.hardware.models = ()
    with pi.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "no camera was found" in caught.value.problem
    assert "rpicam-hello --list-cameras" in caught.value.remedy


def test_a_number_without_a_camera_is_an_error(rig: Rig) -> None:
    with rig.open(source="picamera2:7") as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert re.search("is only 1 camera|are only 2 cameras", caught.value.problem)


@pytest.mark.parametrize("source", ["picamera2:x", "picamera2:-1", "picamera2:1:2"])
def test_a_suffix_that_is_no_number_is_refused(pi: FakeRig, source: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pi.open(source=source)
    assert caught.value.key == "camera.source"
    assert source in caught.value.problem


def test_who_has_the_camera(rig: Rig, tmp_path: Path) -> None:
    device = tmp_path / "media0"
    device.touch()
    other = rig.library(0)
    rig.patch.setattr(rig.module.picamera_help, "DEVICES", re.compile(re.escape(str(device))))
    with device.open("rb") as taken, subprocess.Popen(["sleep", "60"], stdin=taken) as holder:
        with rig.open() as feed, pytest.raises(CameraError) as caught:
            some(feed, 1)
        assert f"in use by sleep (process {holder.pid})" in caught.value.problem
        holder.terminate()
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "in use by another process" in caught.value.problem
    other.close()


@pytest.mark.parametrize("missing", ["picamera2", "libcamera"])
def test_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name, module in (Hardware(still()).modules() | {missing: None}).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "edge.camera.picamera", raising=False)
    with pytest.raises(ConfigError) as caught:
        open_source(FAST)
    assert caught.value.key == "camera.source"
    assert missing in caught.value.problem
    assert "python3-picamera2" in caught.value.remedy
    assert "--system-site-packages" in caught.value.remedy


@pytest.mark.parametrize(
    ("fails", "problem", "remedy"),
    [
        ("import pykms", "pykms", "apt install python3-kms"),
        ("raise ValueError('numpy.dtype size changed')", "numpy.dtype size changed", "pip uninstall numpy"),
        (
            "raise ImportError('numpy.core.multiarray failed' + 50 * '\\n\\nIMPORTANT: READ THIS')",
            "numpy.core.multiarray failed",
            "pip uninstall numpy",
        ),
        ("raise ImportError('no', name='libcamera._libcamera')", "(no)", "/usr/bin/python3"),
        ("raise AttributeError('PixelFormat')", "(PixelFormat)", "apt install"),
        ("import ctypes; ctypes.CDLL('libnone.so')", "libnone.so: ", "apt install"),
    ],
)
def test_a_library_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: str, problem: str, remedy: str
) -> None:
    (tmp_path / "picamera2.py").write_text(fails)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "libcamera", Hardware(still()).modules()["libcamera"])
    monkeypatch.setitem(sys.modules, "pykms", None)
    for name in ("picamera2", "edge.camera.picamera"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ConfigError) as caught:
        open_source(FAST)
    assert caught.value.key == "camera.source"
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert len(str(caught.value)) < 400


# What the fake has to have in common with the real one.


@pytest.fixture
def picam(rig: Rig) -> Iterator[Any]:
    picam = rig.library(0)
    rig.module._start(picam, FAST, (480, 288))
    yield picam
    picam.close()


def test_a_request_can_be_released_once(picam: Any) -> None:
    request = picam.capture_request(wait=PATIENCE_S)
    request.release()
    with pytest.raises(RuntimeError, match="negative"):
        request.release()


def test_jobs_that_timed_out_stay_and_eat_all_buffers(rig: Rig, picam: Any) -> None:
    held: list[Any] = []
    with suppress(TimeoutError):
        while True:
            held.append(picam.capture_request(wait=0.3))
    assert 0 < len(held) <= rig.module.BUFFERS
    for _ in range(rig.module.BUFFERS):
        with pytest.raises(TimeoutError):
            picam.capture_request(wait=0.05)
    for request in held:
        request.release()
    with pytest.raises(TimeoutError):
        picam.capture_request(wait=0.5)


def test_controls_that_a_camera_has_not_are_refused(picam: Any) -> None:
    with pytest.raises(RuntimeError, match="Zoom is not advertised"):
        picam.set_controls({"Zoom": 1})
