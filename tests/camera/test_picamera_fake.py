"""Behaviour that the fake library must share with the real picamera2."""

import importlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.picamera_rig import (
    BUFFERS,
    FAST,
    PICAMERA_WARNINGS,
    Rig,
)
from tests.support.waiting import LONG_S

pytestmark = PICAMERA_WARNINGS


@pytest.fixture
def picam(rig: Rig) -> Iterator[Any]:
    picam = rig.library(0)
    importlib.import_module("edge.camera.picamera_setup").start(picam, FAST, (480, 288))
    yield picam
    picam.close()


def test_a_request_can_be_released_once(picam: Any) -> None:
    request = picam.capture_request(wait=LONG_S)
    request.release()
    with pytest.raises(RuntimeError, match="negative"):
        request.release()


def test_jobs_that_timed_out_stay_and_keep_all_buffers(picam: Any) -> None:
    held: list[Any] = []
    with suppress(TimeoutError):
        while True:
            held.append(picam.capture_request(wait=0.3))
    assert 0 < len(held) <= BUFFERS
    for _ in range(BUFFERS):
        with pytest.raises(TimeoutError):
            picam.capture_request(wait=0.05)
    for request in held:
        request.release()
    with pytest.raises(TimeoutError):
        picam.capture_request(wait=0.5)


def test_a_control_that_the_camera_does_not_have_is_refused(picam: Any) -> None:
    with pytest.raises(RuntimeError, match="Zoom is not advertised"):
        picam.set_controls({"Zoom": 1})
