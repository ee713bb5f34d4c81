"""Video files: `camera.source = "video:<file>"`."""

import logging
from fractions import Fraction
from pathlib import Path

from edge.camera.feed import Feed, Notice, Reader
from edge.camera.pyav import Scaler, VideoStream, av, decode, find_video
from edge.config import Camera
from edge.errors import CameraError, ConfigError

log = logging.getLogger(__name__)

DEFAULT_FPS = 25  # of files that do not state a rate


def open_file(camera: Camera, largest: tuple[int, int] | None = None) -> Feed:
    """Open a video file. Raises ConfigError if there is no video in it.

    Frames are scaled to fit into `camera.width` x `camera.height`, in which keypoints are reported. Pictures larger
    than `largest` (width, height, px) are reduced further.
    """
    # Absolute, because ffmpeg takes the text before a colon in a relative name for a protocol.
    file = str(Path(camera.source.removeprefix("video:")).absolute())
    try:
        with av.open(file) as container:
            find_video(container, file, ConfigError)
    except av.FFmpegError as exc:
        raise ConfigError("camera.source", f"{file} cannot be read ({exc.strerror})", "name a video file") from exc
    return Feed(_read(file, camera, Scaler(camera, largest)), camera, live=False)


def frame_rate(file: str) -> tuple[Fraction, int | None]:
    """Frames per second of a video file and, if the file states it, their number. Raises ConfigError."""
    try:
        with av.open(str(Path(file).absolute())) as container:
            stream = find_video(container, file, ConfigError)
            return _rate(stream), stream.frames or None
    except av.FFmpegError as exc:
        raise ConfigError("camera.source", f"{file} cannot be read ({exc.strerror})", "name a video file") from exc


def _rate(stream: VideoStream) -> Fraction:
    """Frames per second: the average rate, or that of the codec if the average is far higher.

    The average is thousands in files that leave every frame at time 0.
    """
    stated = stream.average_rate or Fraction(DEFAULT_FPS)
    nominal = stream.codec_context.framerate
    if nominal and stated > 2 * nominal:  # interlaced codecs may state half of the rate
        stated = nominal
    # PyAV 19 has a rational type of its own, which lacks `limit_denominator`.
    return max(Fraction(stated.numerator, stated.denominator).limit_denominator(1001), Fraction(1, 1001))


def _read(file: str, camera: Camera, scaler: Scaler) -> Reader:
    media_s = step_s = 0.0
    while True:
        begin_s = media_s + step_s  # the clock continues from one pass to the next
        first_s: float | None = None
        count = 0
        try:
            with av.open(file) as container:
                stream = find_video(container, file, CameraError)
                step_s = float(1 / _rate(stream))
                media_s = begin_s - step_s
                for frame in decode(container, stream):
                    if isinstance(frame, Notice):
                        yield frame
                        continue
                    previous_s, media_s = media_s, media_s + step_s
                    if frame.pts is not None:
                        first_s = frame.time if first_s is None else first_s
                        stated_s = begin_s + frame.time - first_s
                        media_s = stated_s if stated_s > previous_s else media_s
                    count += 1
                    yield scaler(frame, stream, media_s)
        except av.FFmpegError as exc:
            log.warning("%s breaks off after %d pictures: %s", file, count, exc.strerror)
        if not count:
            raise CameraError("camera.source", f"nothing in {file} can be decoded", "name another video file")
        if not camera.loop:
            return
