"""A Pi camera for tests, with the fake library or the real one.

The real picamera2 reads libcamera's virtual camera: `make test-picamera2` runs these tests in a Debian tree.
"""

import gc
import importlib
import os
import sys
from collections.abc import Callable
from itertools import islice
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image as Pillow

from edge.camera.feed import Feed
from edge.camera.reopening import Limits
from edge.config import Camera
from edge.types import Frame, Image
from tests.picamera2.scene import FRAME, still
from tests.picamera2.virtual import prepare
from tests.support.fakes_picamera import Hardware
from tests.support.waiting import until

PICAMERA_WARNINGS = [  # of the real picamera2
    pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Picamera2.__del__:pytest.PytestUnraisableExceptionWarning"),
]
REAL = os.environ.get("EDGE_POSE_PICAMERA2") == "virtual"
LARGEST = (481, 353)  # width, height that the default model takes
BUFFERS = 4
FAST = Camera(source="picamera2", width=FRAME[0], height=FRAME[1], fps=0, stall_s=0.3)


def forget_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the next import of the camera use the library that is then in `sys.modules`."""
    for name in ("picamera", "picamera_device", "picamera_setup"):
        monkeypatch.delitem(sys.modules, f"edge.camera.{name}", raising=False)


class Rig:
    """A camera that can be made to fall silent, and a library that can be made to fail."""

    pi = False  # whether the camera is a Pi's own

    def __init__(self, monkeypatch: pytest.MonkeyPatch, modules: dict[str, Any]) -> None:
        self.patch = monkeypatch
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        forget_modules(monkeypatch)
        self.module: ModuleType = importlib.import_module("edge.camera.picamera")
        self.limits = Limits(first_pause_s=0.01, longest_pause_s=0.5, start_s=0.3)
        self.library: Any = self.module.Picamera2
        self.request: Any = importlib.import_module("picamera2").CompletedRequest
        self.lower: Any = self.library  # the class with `queue_request`

    def open(self, camera: Camera = FAST, largest: tuple[int, int] | None = LARGEST, **changes: Any) -> Feed:
        camera = msgspec.structs.replace(camera, **changes)
        feed: Feed = self.module.open_picamera(camera, largest, self.limits)
        return feed

    def break_next(
        self, method: str, times: int = 1, owner: Any = None, error: Exception | None = None
    ) -> Callable[[], int]:
        """Make the next `times` calls of a method raise. The result says how many of them are left."""
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
        """Make the running camera fall silent. It gives pictures again once it is opened again."""
        before = self.lost()
        self.silence()
        until(lambda: self.lost() >= before + BUFFERS)
        self.heal()

    def silence(self) -> None: ...
    def heal(self) -> None: ...

    def lost(self) -> int:
        """Buffers that silent cameras have kept."""
        raise NotImplementedError

    def held(self) -> int:
        """Requests that were not released."""
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
    """The real picamera2. A lost camera returns its requests cancelled, and picamera2 skips those."""

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


def some(feed: Feed, count: int) -> list[Frame]:
    return list(islice(feed, count))


def off_by(image: Image, expected: Image) -> float:
    """Mean difference of two pictures, 0..255. They may differ in size."""
    size = (64, 48)
    small, wanted = (np.asarray(Pillow.fromarray(one).resize(size), np.float32) for one in (image, expected))
    return float(np.abs(small - wanted).mean())
