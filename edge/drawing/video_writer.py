"""Video files, written with PyAV."""

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

# Suffix -> encoders, the best first, of which PyAV may not have all.
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
    """Encode images of one size, each with the second at which it is shown, into a file with a suffix of `ENCODERS`.

    `rate` is how many there are a second as a rule; a line of pixels that makes a side odd is left out. Raises OSError.
    """
    encoder = next((name for name in ENCODERS[file.suffix.lower()] if name in av.codecs_available), None)
    if encoder is None:
        raise OSError(f"PyAV has no encoder for {file.suffix}")
    shown = -1
    try:
        # Absolute, for ffmpeg takes what stands before a colon in a relative name for a protocol.
        with av.open(str(file.absolute()), "w") as container:
            stream = container.add_stream(encoder, rate=rate, options=OPTIONS.get(encoder, {}))
            assert isinstance(stream, av.VideoStream)
            for image, at_s in images:
                if shown < 0:
                    # Half the lines of colour: with an odd number, there is no H.264.
                    stream.height, stream.width = (max(2, side // 2 * 2) for side in image.shape[:2])
                    stream.pix_fmt = "yuv420p"
                    stream.bit_rate = round(BITS_PER_PIXEL * stream.width * stream.height * rate)
                shown = max(shown + 1, round(at_s * rate))
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[: stream.height, : stream.width]))
                frame.pts, frame.time_base = shown, 1 / rate
                container.mux(stream.encode(frame))
            if shown >= 0:
                container.mux(stream.encode())
    except av.FFmpegError as exc:
        raise OSError(exc.errno, exc.strerror) from exc
