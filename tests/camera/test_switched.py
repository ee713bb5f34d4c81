"""A source that is switched off and on."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edge.camera import switched
from edge.camera.feed import Feed, Picture, Reader
from edge.camera.switched import Switched
from edge.config import Camera
from edge.errors import CameraError, ConfigError
from tests.support.waiting import until

CAMERA = Camera(source="test", fps=0)


class Device:
    """A camera that only one reader can have open."""

    def __init__(self, pictures: int = 1_000_000) -> None:
        self.opened = 0
        self.open = False
        self.pictures = pictures
        self.hangs: threading.Event | None = None  # closing takes until it is set

    def feed(self) -> Feed:
        return Feed(self._read(), CAMERA, live=False)

    def _read(self) -> Reader:
        if self.open:
            raise CameraError("camera.source", "is busy", "close it")
        self.open, self.opened = True, self.opened + 1
        try:
            for _ in range(self.pictures):
                yield Picture(np.zeros((2, 2, 3), np.uint8), 2, 2)
        finally:
            if self.hangs:
                self.hangs.wait()
            self.open = False


class Reading:
    """A thread that counts the frames of a source."""

    def __init__(self, source: Switched) -> None:
        self.frames = 0
        self.sequences: list[int] = []
        self.error: BaseException | None = None
        self._source = source
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def more(self) -> None:
        before = self.frames
        until(lambda: self.frames > before + 1 or self.ended)
        assert not self.ended, self.error

    def _read(self) -> None:
        try:
            for frame in self._source:
                self.sequences.append(frame.sequence)
                self.frames += 1
        except ConfigError as exc:
            self.error = exc


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def sources() -> Iterator[list[Switched]]:
    opened: list[Switched] = []
    yield opened
    for source in opened:
        source.close(1)


def test_off_closes_the_camera_and_on_opens_it_again(device: Device, sources: list[Switched]) -> None:
    source = Switched(device.feed, on=True)
    sources.append(source)
    reading = Reading(source)
    for number in range(1, 4):
        reading.more()
        assert (device.open, device.opened, source.off) == (True, number, False)
        source.switch(on=False)
        assert source.off
        until(lambda: not device.open)
        source.switch(on=True)
    reading.more()


def test_a_source_that_starts_off_opens_no_camera_until_it_is_on(device: Device, sources: list[Switched]) -> None:
    source = Switched(device.feed, on=False)
    sources.append(source)
    reading = Reading(source)
    assert (source.off, source.ready, source.waiting, device.opened) == (True, False, False, 0)
    source.switch(on=True)
    reading.more()
    assert device.opened == 1


def test_a_camera_that_does_not_close_is_an_error(
    device: Device, sources: list[Switched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switched, "STUCK_S", 0.0)
    device.hangs = threading.Event()
    source = Switched(device.feed, on=True)
    sources.append(source)
    Reading(source).more()
    source.check()
    source.switch(on=False)
    with pytest.raises(CameraError):
        source.check()
    device.hangs.set()
    until(lambda: not device.open)
    source.check()


def test_switching_fast_never_opens_a_camera_twice_at_once(device: Device, sources: list[Switched]) -> None:
    source = Switched(device.feed, on=True)
    sources.append(source)
    reading = Reading(source)
    for _ in range(50):
        source.switch(on=False)
        source.switch(on=True)
    reading.more()


@pytest.mark.parametrize("on", [True, False])
def test_close_ends_the_iteration(device: Device, *, on: bool) -> None:
    source = Switched(device.feed, on=on)
    reading = Reading(source)
    if on:
        reading.more()
    source.close(1)
    until(lambda: reading.ended)
    assert not device.open


def test_a_file_that_ends_ends_the_iteration() -> None:
    source = Switched(Device(pictures=3).feed, on=True)
    assert len(list(source)) == 3


def test_a_source_that_can_no_longer_be_opened_raises(sources: list[Switched]) -> None:
    feeds = [Device().feed()]

    def open_feed() -> Feed:
        if not feeds:
            raise ConfigError("camera.source", "is gone", "bring it back")
        return feeds.pop()

    source = Switched(open_feed, on=True)
    sources.append(source)
    reading = Reading(source)
    reading.more()
    source.switch(on=False)
    source.switch(on=True)
    until(lambda: reading.ended)
    assert isinstance(reading.error, ConfigError)


def test_counts_go_on_over_switches(device: Device, sources: list[Switched]) -> None:
    feeds: list[Feed] = []

    def open_feed() -> Feed:
        feeds.append(device.feed())
        feeds[-1].dropped = 5
        return feeds[-1]

    source = Switched(open_feed, on=True)
    sources.append(source)
    reading = Reading(source)
    reading.more()
    source.switch(on=False)
    source.switch(on=True)
    until(lambda: len(feeds) == 2)
    assert source.dropped == 10


def test_frames_are_numbered_on_over_switches(device: Device, sources: list[Switched]) -> None:
    source = Switched(device.feed, on=True)
    sources.append(source)
    reading = Reading(source)
    for _ in range(3):
        reading.more()
        source.switch(on=False)
        source.switch(on=True)
    reading.more()
    assert reading.sequences == sorted(set(reading.sequences))


def test_counts_do_not_rise_and_fall_again_while_the_camera_is_opened_again(
    device: Device, sources: list[Switched]
) -> None:
    counts = []

    def open_feed() -> Feed:
        if sources:
            counts.append(sources[0].unreadable)
        feed = device.feed()
        feed.unreadable = 3
        return feed

    source = Switched(open_feed, on=True)
    sources.append(source)
    reading = Reading(source)
    reading.more()
    for _ in range(2):
        source.switch(on=False)
        until(lambda: not device.open)
        counts.append(source.unreadable)
        source.switch(on=True)
        reading.more()
        counts.append(source.unreadable)
    assert counts == [3, 3, 6, 6, 6, 9]
