"""Video files, network streams and USB cameras, read with PyAV: `video:`, `rtsp://`, `http(s)://`, `/dev/videoN`."""

import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from edge.camera.feed import Feed, Picture, Reader, Skipped, redact_url, within
from edge.config import Camera
from edge.errors import CameraError, ConfigError, EdgeError, pip_install

try:
    import av
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream
except ImportError as exc:
    raise ConfigError("camera.source", "it needs PyAV, which is not installed", f"run: {pip_install('video')}") from exc

log = logging.getLogger(__name__)

USUAL_FPS = 25  # of files that do not say
ANALYSIS_S = 0.5  # ffmpeg looks at a stream before it decodes; its own 5 s are all of our patience


def open_file(camera: Camera, largest: tuple[int, int] | None = None) -> Feed:
    """Open a video file; raises ConfigError if there is no video in it.

    Frames are scaled into `camera.width` x `camera.height`, and keypoints are reported in the pixels of that. If they
    would be larger than `largest` (width, height), what is passed on is smaller still.
    """
    # Absolute, for ffmpeg takes what stands before a colon in a relative name for a protocol.
    file = str(Path(camera.source.removeprefix("video:")).absolute())
    try:
        with av.open(file) as container:
            _video(container, file, ConfigError)
    except av.FFmpegError as exc:
        raise ConfigError("camera.source", f"{file} cannot be read ({exc.strerror})", "name a video file") from exc
    return Feed(_read_file(file, camera, _Scaler(camera, largest)), camera, live=False)


def open_stream(camera: Camera, largest: tuple[int, int] | None = None) -> Feed:
    """A network stream or a USB camera, which is opened when its first frame is asked for. Scaled as files are.

    The feed raises CameraError when it cannot be opened, ends, or gives nothing for `camera.stall_s`.
    """
    return Feed(_read_stream(camera, _Scaler(camera, largest)), camera, live=True, paced=False)


def frame_rate(file: str) -> tuple[Fraction, int | None]:
    """Frames per second of a video file and, if the file says so, their number. Raises ConfigError."""
    try:
        with av.open(str(Path(file).absolute())) as container:
            stream = _video(container, file, ConfigError)
            told = stream.average_rate or Fraction(USUAL_FPS)
            # Since PyAV 19 it is a rational of its own, which can do less.
            rate = Fraction(told.numerator, told.denominator).limit_denominator(1001)
            return max(rate, Fraction(1, 1001)), stream.frames or None
    except av.FFmpegError as exc:
        raise ConfigError("camera.source", f"{file} cannot be read ({exc.strerror})", "name a video file") from exc


def _read_file(file: str, camera: Camera, scaled: "_Scaler") -> Reader:
    media_s = step_s = 0.0
    while True:
        begin_s = media_s + step_s  # the clock runs on from pass to pass
        first_s: float | None = None
        count = 0
        try:
            with av.open(file) as container:
                stream = _video(container, file, CameraError)
                step_s = 1 / float(stream.average_rate or USUAL_FPS)
                media_s = begin_s - step_s
                for frame in _frames(container, stream):
                    if isinstance(frame, Skipped):
                        yield frame
                        continue
                    last_s, media_s = media_s, media_s + step_s
                    if frame.pts is not None:
                        first_s = frame.time if first_s is None else first_s
                        told_s = begin_s + frame.time - first_s
                        media_s = told_s if told_s > last_s else media_s
                    count += 1
                    yield scaled(frame, stream, media_s)
        except av.FFmpegError as exc:
            log.warning("%s breaks off after %d pictures: %s", file, count, exc.strerror)
        if not count:
            raise CameraError("camera.source", f"nothing in {file} can be decoded", "name another video file")
        if not camera.loop:
            return


def _read_stream(camera: Camera, scaled: "_Scaler") -> Reader:
    shown = redact_url(camera.source)
    if camera.source.startswith("/dev/"):
        format_, options = "v4l2", {"video_size": f"{camera.width}x{camera.height}"}
        if camera.fps:
            options["framerate"] = f"{camera.fps:g}"
        remedy = "check that it is plugged in, and that this user is in the group video"
    else:
        analysis_s = min(ANALYSIS_S, camera.stall_s / 5)
        # By UDP a lost datagram smears the picture until the next key frame.
        format_, options = None, {"rtsp_transport": "tcp", "analyzeduration": f"{analysis_s * 1e6:.0f}"}
        remedy = "check that it is switched on, and that address, user and password are right"
    period_s = 1 / camera.fps if camera.fps else 0.0
    due_s = 0.0
    try:
        # The feed complains after `stall_s`; this timeout only ends the thread, a little later. And no plain `options`:
        # older PyAV crashes when it hands those to streams that show up late.
        with av.open(camera.source, format=format_, container_options=options, timeout=camera.stall_s + 1) as container:
            stream = _video(container, shown, CameraError)
            for frame in _frames(container, stream):
                now_s = time.monotonic()
                if isinstance(frame, Skipped):
                    yield frame if due_s else Skipped.UNWANTED  # we came in the middle, before the first key frame
                elif now_s < due_s - period_s / 4:  # some unrest is normal
                    yield Skipped.UNWANTED
                else:
                    due_s = max(due_s + period_s, now_s)
                    yield scaled(frame, stream)
        reason = "the stream has ended"
    except av.FFmpegError as exc:
        reason = str(exc.strerror)
    # Outside of the handler: ffmpeg's error holds the whole address, with the password, and must not hang on to ours.
    raise CameraError("camera.source", f"{shown} cannot be read ({reason})", remedy)


def _video(container: InputContainer, source: str, error: type[EdgeError]) -> VideoStream:
    # ffmpeg would draw any text file on a terminal and call that a video.
    streams = () if container.format.name == "tty" else container.streams.video
    for stream in streams:
        if stream.codec_context is not None:  # or there is no decoder
            return stream
    raise error("camera.source", f"{source} has no video that can be decoded", "name one that has")


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | Skipped]:
    """Decode, and say which packets cannot be.

    One frame at a time (no `thread_type = "AUTO"`): with several under way, PyAV loses good ones next to a bad one.
    """
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as exc:
            log.debug("a packet is skipped: %s", exc.strerror)
            yield Skipped.UNREADABLE
        else:
            yield from frames


class _Scaler:
    """Frames of a video as pictures, into `camera.width` x `camera.height`."""

    def __init__(self, camera: Camera, largest: tuple[int, int] | None) -> None:
        self._bounds = camera.width, camera.height
        self._largest = largest
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, stream: VideoStream, media_s: float | None = None) -> Picture:
        turns = round(getattr(frame, "rotation", 0) / 90) % 4  # anticlockwise; PyAV before 14.1 does not tell
        lies = turns % 2 == 1
        bounds = self._bounds[::-1] if lies else self._bounds
        largest = self._largest[::-1] if self._largest and lies else self._largest
        aspect = float(stream.sample_aspect_ratio or 1)  # of a pixel; the longer side shrinks
        width, height = frame.width * min(1.0, aspect), frame.height / max(1.0, aspect)
        scale = min(1.0, bounds[0] / width, bounds[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(self._reformatter.reformat(frame, *within(size, largest), "rgb24").to_ndarray(), np.uint8)
        width, height = size[::-1] if lies else size
        return Picture(np.ascontiguousarray(np.rot90(image, turns)), width, height, media_s)
