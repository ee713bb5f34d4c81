"""A fake of picamera2 and libcamera: as much of them as edge.camera.picamera uses.

It behaves like the real library in these ways, which tests on both of them check:
- A job that timed out stays queued and takes a buffer. Without a free buffer there is no frame.
- Configurations are adjusted silently. A second release and unknown controls raise.
- `stop` waits for the event loop for ever. `close` ends the loop first, and raises if the constructor did not finish.
- After a start that failed midway, `started` is false but the camera runs, and a running camera cannot be released.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from PIL import Image as Pillow

from edge.types import Array, Image

FRAME_S = 0.001
PI_CONTROLS = {"FrameDurationLimits": (16_666, 1_000_000, None), "AfMode": (0, 2, 0), "AfTrigger": (0, 1, 0)}


class AfModeEnum(IntEnum):
    Manual = 0
    Auto = 1
    Continuous = 2


class AfTriggerEnum(IntEnum):
    Start = 0


class Encoding(IntEnum):
    Null = 0
    Rec601 = 1
    Rec709 = 2


class Range(IntEnum):
    Full = 0
    Limited = 1


@dataclass(frozen=True)
class ColorSpace:
    ycbcrEncoding: Encoding  # noqa: N815 - libcamera's name
    range: Range
    YcbcrEncoding: ClassVar = Encoding
    Range: ClassVar = Range

    @staticmethod
    def Sycc() -> "ColorSpace":  # noqa: N802
        return ColorSpace(Encoding.Rec601, Range.Full)


@dataclass(frozen=True)
class Transform:
    hflip: bool = False
    vflip: bool = False
    transpose: bool = False  # reported for sensors that are mounted at a quarter turn; the camera does not transpose


LIBCAMERA = SimpleNamespace(
    controls=SimpleNamespace(AfModeEnum=AfModeEnum, AfTriggerEnum=AfTriggerEnum),
    ColorSpace=ColorSpace,
    Transform=Transform,
)


@dataclass
class Hardware:
    """The cameras that are attached, and what the tests do to them.

    A Pi's own camera gives RGB of any size and turns pictures. Any other gives NV12 of its own sizes, and does not turn
    pictures although it claims to.
    """

    picture: Image  # in front of the camera
    models: tuple[str, ...] = ("imx708",)
    pi: bool = True
    sizes: tuple[tuple[int, int], ...] = ((1280, 768), (640, 512))  # of a camera that is not a Pi's
    format: str = "BGR888"  # of a Pi's camera
    turns: Transform | None = None  # what a Pi's camera does instead of what it is asked for
    taken: bool = False  # by a program
    running: bool = False
    silent: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)  # configurations
    controls: dict[str, Any] = field(default_factory=dict)  # of the last start
    held: int = 0  # requests that are not released
    lost: int = 0  # buffers that a silent camera has kept
    seen: dict[Any, Array] = field(default_factory=dict)  # the picture, by configuration

    def modules(self) -> dict[str, Any]:
        """The modules to put into sys.modules."""
        bound = type("Picamera2", (Picamera2,), {"hardware": self})
        return {
            "libcamera": LIBCAMERA,
            "picamera2": SimpleNamespace(Picamera2=bound, CompletedRequest=CompletedRequest),
        }


class Job:
    def __init__(self, work: Callable[[], tuple[bool, Any]]) -> None:
        self.work = work
        self._future: Future[Any] = Future()

    def get_result(self, timeout: float | None = None) -> Any:
        return self._future.result(timeout)

    def set(self, result: Any) -> None:
        self._future.set_result(result)

    def cancel(self) -> None:
        self._future.set_exception(CancelledError())


class CompletedRequest:
    def __init__(self, picam: "Picamera2", buffer: Array) -> None:
        self._picam, self._buffer, self._owners = picam, buffer, 1
        self._session = picam.session
        self._taken_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        picam.hardware.held += 1

    def get_metadata(self) -> dict[str, Any]:
        limits = self._picam.hardware.controls.get("FrameDurationLimits")
        metadata = {"SensorTimestamp": self._taken_ns}
        return metadata | {"FrameDuration": limits[0]} if limits and self._picam.hardware.pi else metadata

    def make_buffer(self, name: str) -> Array:
        assert name == "main"
        assert self._owners
        return self._buffer.copy()

    def release(self) -> None:
        self._owners -= 1
        if self._owners < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self._picam.hardware.held -= 1
        if self._session == self._picam.session:
            self._picam.queue_request()


class Picamera2:
    hardware: Hardware

    def __init__(self, camera_num: int = 0) -> None:
        self.is_open = False
        self.loop: threading.Thread | None = None
        reading, self.notifyme_w = os.pipe()
        self.notifymeread = os.fdopen(reading, "rb")
        if camera_num >= len(self.hardware.models):
            raise RuntimeError(f"No camera number {camera_num} found")
        self.session = self.free = 0  # number of stops, and buffers of this session that wait for a frame
        self.jobs: list[Job] = []
        self.lock = threading.RLock()
        self.camera_properties: dict[str, Any] = {"Model": self.hardware.models[camera_num]}
        if self.hardware.pi:
            self.camera_properties["ColorFilterArrangement"] = 0
        limits = (33_333, 33_333, None)
        self.camera_controls: Mapping[str, Any] = PI_CONTROLS if self.hardware.pi else {"FrameDurationLimits": limits}
        self.sensor_resolution = (4608, 2592)
        self._config: dict[str, Any] = {}
        self._wanted: dict[str, Any] = {}
        self.started = False
        if self.hardware.taken:
            cause = RuntimeError("Failed to acquire camera: Device or resource busy")
            raise RuntimeError("Camera __init__ sequence did not complete.") from cause
        self.hardware.taken = self.is_open = True
        self.allocator = None  # set last by the constructor

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return [{"Model": model, "Num": number} for number, model in enumerate(cls.hardware.models)]

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        assert set(wanted) <= {"main", "raw", "transform", "colour_space", "buffer_count", "queue", "sensor"}
        self.hardware.asked.append(wanted)
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        width, height = size = wanted["main"]["size"]
        if width % 2 or height % 2:
            raise RuntimeError("width and height should be even")
        if self.hardware.pi:
            stride = -(-width * (3 if len(self.hardware.format) == 6 else 4) // 64) * 64
            stream = {"format": self.hardware.format, "size": size, "stride": stride}
            wanted = wanted | {"transform": self.hardware.turns or wanted["transform"]}
        else:
            size = size if size in self.hardware.sizes else max(self.hardware.sizes)
            stream = {"format": "NV12", "size": size, "stride": size[0]}
        self._config = {**wanted, "main": stream}

    def camera_configuration(self) -> dict[str, Any]:
        return self._config

    def set_controls(self, controls: Mapping[str, Any]) -> None:
        for name in controls:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self._wanted |= controls

    def start(self) -> None:
        if not self._config:
            raise RuntimeError("Camera has not been configured")
        self.hardware.controls, self._wanted = self._wanted, {}
        self.loop = threading.Thread(target=self._serve, daemon=True)
        self.loop.start()
        self.hardware.running = True
        for _ in range(self._config["buffer_count"]):
            self.queue_request()
        self.started = True

    def queue_request(self) -> None:
        """Called by libcamera's camera."""
        self.free += 1

    def capture_request(self, wait: Any = None) -> Any:
        return self._dispatch(self._take, wait=True if wait is None else wait)

    def cancel_all_and_flush(self) -> None:
        with self.lock:
            while self.jobs:
                self.jobs.pop().cancel()

    def stop_preview(self) -> None:
        if self.loop is None:
            raise RuntimeError("No preview specified.")
        loop, self.loop = self.loop, None
        loop.join()

    def detach_preview(self) -> None:
        self.loop = None

    def stop(self) -> None:
        if self.started and self.loop is not None:
            self._dispatch(self._stop, wait=True)
        elif self.started:
            self._stop()

    def close(self) -> None:
        if getattr(self, "loop", None):
            self.stop_preview()
        if not self.is_open:
            return
        self.stop()
        if self.hardware.running:
            raise RuntimeError("Failed to release camera: Device or resource busy")
        self.hardware.taken = self.is_open = False
        self.notifymeread.close()
        os.close(self.notifyme_w)
        del self.allocator

    def process_requests(self) -> None:
        """One turn of the event loop. A silent camera keeps the buffers that it was given."""
        with self.lock:
            if self.hardware.silent:
                self.hardware.lost += self.free
                self.free = 0
            while self.jobs:
                done, result = self.jobs[0].work()
                if not done:
                    break
                self.jobs.pop(0).set(result)

    def _serve(self) -> None:
        while self.loop is threading.current_thread():
            time.sleep(FRAME_S)
            self.process_requests()

    def _dispatch(self, work: Callable[[], tuple[bool, Any]], wait: Any) -> Any:
        job = Job(work)
        with self.lock:
            self.jobs.append(job)
        return job.get_result(None if wait is True else wait) if wait else job

    def _take(self) -> tuple[bool, Any]:
        if not self.free:
            return False, None
        self.free -= 1
        return True, CompletedRequest(self, self._buffer())

    def _stop(self) -> tuple[bool, None]:
        self.session += 1
        self.free = 0
        self.started = self.hardware.running = False
        return True, None

    def _buffer(self) -> Array:
        """The picture in the configured format, with padded rows."""
        key = str(self._config)
        if key not in self.hardware.seen:
            self.hardware.seen[key] = self._painted()
        return self.hardware.seen[key]

    def _painted(self) -> Array:
        stream, transform = self._config["main"], self._config["transform"]
        width, height = stream["size"]
        picture = Pillow.fromarray(self.hardware.picture).resize((width, height))
        if stream["format"] == "NV12":
            return nv12(picture, stream["stride"], padding=100)
        image = np.asarray(picture)
        if not transform.transpose:
            image = image[:: -1 if transform.vflip else 1, :: -1 if transform.hflip else 1]
        if stream["format"] in {"RGB888", "XRGB8888"}:
            image = image[..., ::-1]
        if stream["format"] in {"XBGR8888", "XRGB8888"}:
            image = np.dstack((image, np.full((height, width), 255, np.uint8)))
        rows = np.full((height, stream["stride"]), 77, np.uint8)
        rows[:, : image[0].size] = image.reshape(height, -1)
        return rows.ravel()


def nv12(picture: Pillow.Image, stride: int, padding: int = 0) -> Array:
    """Luma, then pairs of chroma of every second pixel and row; full range, as in JPEG."""
    y, u, v = (np.asarray(plane) for plane in picture.convert("YCbCr").split())
    height, width = y.shape
    rows = np.full((height * 3 // 2, stride), 77, np.uint8)
    rows[:height, :width] = y
    rows[height:, 0:width:2] = u[::2, ::2]
    rows[height:, 1:width:2] = v[::2, ::2]
    return np.concatenate((rows.ravel(), np.full(padding, 77, np.uint8)))
