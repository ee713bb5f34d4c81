"""The real picamera2 on libcamera's virtual camera: `python -m tests.picamera2.virtual run --config FILE` is edge-pose.

picamera2 is made for the Raspberry Pi and relies on two things that the virtual camera lacks: raw pictures of a sensor,
and contiguous buffers. `prepare` supplies the size of the sensor, and lets libcamera allocate the buffers.
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
    """Prepare picamera2. Must be called before anything else imports it."""
    kms = ModuleType("pykms")  # for previews on a screen; picamera2 imports it in any case
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


def install_signals() -> None:
    """SIGUSR1 silences the camera: its requests return cancelled, and picamera2 skips those. SIGUSR2 restores it."""
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
    install_signals()
    main()
