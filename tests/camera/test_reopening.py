"""Sessions of a source one after the other, with pauses between them."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import pytest

from edge.camera import reopening as module
from edge.camera.feed import Notice, Picture, Reader
from edge.camera.reopening import Limits, SilentError, pause, reopening
from edge.errors import CameraError
from edge.system.clock import RunningClock

PICTURE = Picture(np.zeros((2, 3, 3), np.uint8), 3, 2)
Script: TypeAlias = list[Picture | Notice | CameraError]
QUICK = Limits(first_pause_s=0.0, longest_pause_s=0.0)


def gone(problem: str = "gone", kind: type[CameraError] = CameraError) -> CameraError:
    return kind("camera.source", problem, "plug it in")


def sessions(*scripts: Script) -> Callable[[], Reader]:
    """Sessions that each yield the items of one script; an error at the end is raised."""
    left = iter(scripts)

    def session() -> Reader:
        for item in next(left):
            if isinstance(item, CameraError):
                raise item
            yield item

    return session


def items_of(*scripts: Script) -> list[object]:
    """What the reader yields; an error as its problem."""
    reader = reopening("camera", sessions(*scripts), QUICK)
    return [item.problem if isinstance(item, CameraError) else item for item in reader]


def test_the_first_failure_is_raised_at_once() -> None:
    reader = reopening("camera", sessions([Notice.UNWANTED, gone()]), QUICK)
    assert next(reader) is Notice.UNWANTED
    with pytest.raises(CameraError) as caught:
        next(reader)
    assert caught.value.problem == "gone"


def test_a_source_that_was_silent_at_first_is_opened_again() -> None:
    assert items_of([gone("silent", SilentError)], [PICTURE]) == ["silent", PICTURE]


def test_a_source_that_gave_pictures_is_opened_again_after_any_failure() -> None:
    found = items_of([PICTURE, gone("a")], [gone("b")], [Notice.UNREADABLE, PICTURE, PICTURE, gone("c")], [PICTURE])
    again = [Notice.REOPENED, PICTURE]
    assert found == [PICTURE, "a", "b", Notice.UNREADABLE, *again, PICTURE, "c", *again]


def test_what_is_yielded_does_not_keep_the_session_alive() -> None:
    failure = gone()
    reader = reopening("camera", sessions([PICTURE, failure], []), QUICK)
    (yielded,) = [item for item in reader if isinstance(item, CameraError)]
    assert failure.__traceback__ is not None
    assert (yielded.__traceback__, yielded.__cause__, yielded.__context__) == (None, None, None)
    assert (yielded.key, yielded.remedy) == (failure.key, failure.remedy)


def test_pauses_double_up_to_a_limit_and_start_again_after_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses_s: list[float] = []

    def note(seconds: float) -> Iterator[Notice]:
        pauses_s.append(seconds)
        return iter(())

    monkeypatch.setattr(module, "pause", note)
    failed: Script = [gone()]
    list(reopening("camera", sessions([PICTURE, gone()], *[failed] * 6, [PICTURE, gone()], []), Limits()))
    assert pauses_s == [0.5, 1, 2, 4, 8, 8, 8, 0.5]


def test_each_try_is_logged_and_the_return_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    list(reopening("rtsp://camera", sessions([PICTURE, gone()], [PICTURE]), QUICK))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "rtsp://camera gives pictures again" in caplog.text


def test_a_pause_lets_the_feed_notice_that_it_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.001)
    before_s = time.monotonic()
    assert len(list(pause(0.02))) > 1
    assert time.monotonic() - before_s >= 0.02


def test_a_pause_counts_on_the_clock_of_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.5)
    moment_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal moment_s
        moment_s += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: moment_s)
    clock = RunningClock(lambda: moment_s)
    assert len(list(pause(4.0, clock))) == 8
    assert clock.now_s() == 4.0
