"""Write video files with PyAV."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from edge.errors import ConfigError, pip_install
from edge.types import Image

try:
    import av
except ImportError as exc:
    raise ConfigError("OUT", "a video needs PyAV, which is not installed", f"run: {pip_install('video')}") from exc

# Suffix -> encoders, the best first; a build of PyAV may lack some.
ENCODERS = {
    ".mp4": ("libx264", "mpeg4"),
    ".m4v": ("libx264", "mpeg4"),
    ".mov": ("libx264", "mpeg4"),
    ".mkv": ("libx264", "mpeg4"),
    ".webm": ("libvpx-vp9", "libvpx"),
    ".avi": ("mpeg4",),
}
BITS_PER_PIXEL = 0.2
OPTIONS = {
    "libx264": {"crf": "20", "preset": "veryfast"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6"},
    "libvpx": {"deadline": "realtime", "cpu-used": "6"},
}


def write_video(file: Path, images: Iterable[tuple[Image, float]], rate: Fraction) -> None:
    """Write uint8 (H, W, 3) RGB images of one size, each with its time in seconds, to a file with a suffix of ENCODERS.

    `rate` is the usual number of images per second. An odd last row or column is cut off. Raises OSError.
    """
    encoder = next((name for name in ENCODERS[file.suffix.lower()] if name in av.codecs_available), None)
    if encoder is None:
        raise OSError(f"PyAV has no encoder for {file.suffix}")
    last = -1  # timestamp of the last image, in frames
    try:
        # Absolute, because ffmpeg takes the text before a colon in a relative name for a protocol.
        with av.open(str(file.absolute()), "w") as container:
            stream = container.add_stream(encoder, rate=rate, options=OPTIONS.get(encoder, {}))
            assert isinstance(stream, av.VideoStream)
            for image, at_s in images:
                if last < 0:
                    # H.264 halves the resolution of colours, so both sides must be even.
                    stream.height, stream.width = (max(2, side // 2 * 2) for side in image.shape[:2])
                    stream.pix_fmt = "yuv420p"
                    stream.bit_rate = round(BITS_PER_PIXEL * stream.width * stream.height * rate)
                last = max(last + 1, round(at_s * rate))
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[: stream.height, : stream.width]))
                frame.pts, frame.time_base = last, 1 / rate
                container.mux(stream.encode(frame))
            if last >= 0:
                container.mux(stream.encode())
    except av.FFmpegError as exc:
        raise OSError(exc.errno, exc.strerror) from exc
