"""The real picamera2 on libcamera's virtual camera: `python -m tests.picamera2.virtual run --config FILE` is edge-pose.

picamera2 is made for the Raspberry Pi, and takes two things for granted that the virtual camera has not: raw pictures
of a sensor, and buffers in one piece. `prepare` gives it the sensor's size, and has libcamera make the buffers.
"""

import signal
import sys
import threading
from functools import cache
from types import ModuleType
from typing import Any

from edge.__main__ import main

SENSOR = {"format": "NV12", "size": (1280, 768)}


@cache
def prepare() -> None:
    """Call it before anything imports picamera2."""
    kms = ModuleType("pykms")  # for previews on a screen, and imported even without one
    names = ("RGB888", "BGR888", "XRGB8888", "XBGR8888", "YUV420", "YVU420", "NV12", "NV21")
    kms.PixelFormat = type("PixelFormat", (), dict.fromkeys(names))  # type: ignore[attr-defined]
    sys.modules.setdefault("pykms", kms)
    from picamera2 import Picamera2  # noqa: PLC0415 - see above
    from picamera2.allocators import LibcameraAllocator  # noqa: PLC0415

    construct = Picamera2.__init__

    def constructed(self: Any, camera_num: int = 0) -> None:
        cameras = Picamera2.global_camera_info()
        allocator = None
        if camera_num < len(cameras):
            allocator = LibcameraAllocator(Picamera2._cm.cms.cameras[cameras[camera_num]["Num"]])
        construct(self, camera_num, allocator=allocator)

    Picamera2.__init__ = constructed
    Picamera2._get_raw_modes = lambda _: [SENSOR]


def obey() -> None:
    """SIGUSR1 loses the camera: its requests come back cancelled, and picamera2 passes over those. SIGUSR2 heals it."""
    from picamera2.picamera2 import CameraManager  # noqa: PLC0415 - see above

    lost = threading.Event()
    handle = CameraManager.handle_request

    def handle_request(self: Any, flushid: int | None = None) -> None:
        if lost.is_set() and flushid is None:
            self.cms.get_ready_requests()
        else:
            handle(self, flushid)

    CameraManager.handle_request = handle_request
    signal.signal(signal.SIGUSR1, lambda *_: lost.set())
    signal.signal(signal.SIGUSR2, lambda *_: lost.clear())


if __name__ == "__main__":
    prepare()
    obey()
    main()
