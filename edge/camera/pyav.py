"""Decode and scale video with PyAV, for files and for streams."""

import logging
from collections.abc import Iterator

import numpy as np

from edge.camera.feed import Notice, Picture, within
from edge.config import Camera
from edge.errors import ConfigError, EdgeError, pip_install

try:
    import av
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream
except ImportError as exc:
    remedy = f"run: {pip_install('video')}"
    raise ConfigError("camera.source", "it needs PyAV, which is not installed", remedy) from exc

__all__ = ["Scaler", "VideoStream", "av", "decode", "find_video"]

log = logging.getLogger(__name__)


def find_video(container: InputContainer, source: str, error: type[EdgeError]) -> VideoStream:
    """The first video stream that can be decoded. Raises `error` if there is none."""
    # ffmpeg would render any text file as on a terminal and call that a video.
    streams = () if container.format.name == "tty" else container.streams.video
    for stream in streams:
        if stream.codec_context is not None:  # None: there is no decoder
            return stream
    raise error("camera.source", f"{source} has no video that can be decoded", "name one that has")


def decode(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | Notice]:
    """Frames of a stream, and a notice for each packet that gives none. Raises av.FFmpegError."""
    # One packet at a time, without `thread_type = "AUTO"`: with several in flight, PyAV loses good frames next to a
    # damaged one.
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as exc:
            log.debug("a packet is skipped: %s", exc.strerror)
            yield Notice.UNREADABLE
        else:
            yield from frames or (Notice.UNWANTED,)


class Scaler:
    """Turns decoded frames into pictures that fit into `camera.width` x `camera.height`. Never enlarges."""

    def __init__(self, camera: Camera, largest: tuple[int, int] | None) -> None:
        """Keypoints are reported in the fitted size. If it exceeds `largest`, pictures are reduced further."""
        self._bounds = camera.width, camera.height
        self._largest = largest
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, stream: VideoStream, media_s: float | None = None) -> Picture:
        turns = round(getattr(frame, "rotation", 0) / 90) % 4  # anticlockwise; PyAV before 14.1 does not report it
        sideways = turns % 2 == 1
        bounds = self._bounds[::-1] if sideways else self._bounds
        largest = self._largest[::-1] if self._largest and sideways else self._largest
        aspect = float(stream.sample_aspect_ratio or 1)  # of a pixel; the longer side shrinks
        width, height = frame.width * min(1.0, aspect), frame.height / max(1.0, aspect)
        scale = min(1.0, bounds[0] / width, bounds[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(self._reformatter.reformat(frame, *within(size, largest), "rgb24").to_ndarray(), np.uint8)
        width, height = size[::-1] if sideways else size
        return Picture(np.ascontiguousarray(np.rot90(image, turns)), width, height, media_s)
