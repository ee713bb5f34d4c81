"""Network streams and USB cameras, read with PyAV: `rtsp://`, `http(s)://` and `/dev/videoN`."""

import time

from edge.camera.feed import Feed, Notice, Reader, redact_url, stall_timeout_s
from edge.camera.pyav import Scaler, av, decode, find_video
from edge.camera.reopening import Limits, SilentError, reopening
from edge.config import Camera
from edge.errors import CameraError
from edge.system.clock import LONGEST_GAP_S, RunningClock

ANALYSIS_S = 0.5  # ffmpeg examines a stream before it decodes; its default of 5 s is as long as the stall timeout
LATE_S = 1.0  # PyAV notices within 0.1 s that a timeout has passed; if later, this process was suspended


def open_stream(camera: Camera, largest: tuple[int, int] | None = None, limits: Limits | None = None) -> Feed:
    """A network stream or a USB camera. It is opened when its first frame is taken, and scaled like a video file.

    The feed raises CameraError if the stream cannot be opened at first, or gave no picture for `limits.give_up_s`. In
    between, a stream that breaks off or gives nothing for `camera.stall_s` is opened again, with growing pauses.
    """
    scaler, limits = Scaler(camera, largest), limits or Limits.of(camera)
    reader = reopening(redact_url(camera.source), lambda: _session(camera, scaler, limits.start_s), limits)
    # Only a device has a driver that can hang. To resolve the name of a host may take longer than that.
    hang_s = limits.hang_s if camera.source.startswith("/dev/") else limits.give_up_s
    return Feed(reader, camera, live=True, paced=False, silence_s=limits.give_up_s, hang_s=hang_s)


def _session(camera: Camera, scaler: Scaler, start_s: float) -> Reader:
    """Open the stream, and give its pictures until it breaks off. Raises CameraError."""
    shown = redact_url(camera.source)
    format_, options, remedy = _how_to_open(camera)
    stall_s = stall_timeout_s(camera)
    start_s = max(stall_s, start_s)
    allowed_s = 2 * start_s  # PyAV uses the timeout twice: to connect, and to examine the stream
    since_s = time.monotonic()  # when PyAV began to wait
    period_s = 1 / camera.fps if camera.fps else 0.0
    due_s = 0.0
    started = timed_out = False
    try:
        # Not `options`: older PyAV crashes when it passes those to streams that appear late.
        with av.open(camera.source, format=format_, container_options=options, timeout=(start_s, stall_s)) as container:
            stream = find_video(container, shown, CameraError)
            clock, picture_s, allowed_s = RunningClock(longest_gap_s=min(stall_s, LONGEST_GAP_S) / 2), 0.0, stall_s
            since_s = time.monotonic()
            for frame in decode(container, stream):
                since_s = time.monotonic()
                if isinstance(frame, Notice):
                    # Packets before the first key frame cannot be decoded, but are not damaged.
                    yield frame if started else Notice.UNWANTED
                    if clock.now_s() - picture_s > (stall_s if started else start_s):
                        raise _silent(shown, stall_s)
                    continue
                started, picture_s = True, clock.now_s()
                if since_s < due_s - period_s / 4:  # streams are not perfectly regular
                    yield Notice.UNWANTED
                    continue
                due_s = max(due_s + period_s, since_s)
                yield scaler(frame, stream)
        reason = "the stream has ended"
    except av.FFmpegError as exc:
        reason = str(exc.strerror)
        # A timeout is an ExitError, but an InvalidDataError while ffmpeg connects by RTSP.
        timed_out = isinstance(exc, av.ExitError | av.InvalidDataError) and time.monotonic() - since_s >= stall_s
    # Raised outside the handler: the context of the error would hold the whole address with the password.
    if not timed_out:
        raise CameraError("camera.source", f"{shown} cannot be read ({reason})", remedy)
    if time.monotonic() - since_s > allowed_s + LATE_S:
        raise SilentError("camera.source", f"{shown} broke off, because this process was suspended", remedy)
    raise _silent(shown, stall_s)


def _silent(shown: str, stall_s: float) -> CameraError:
    remedy = "check that it is switched on and connected, or raise camera.stall_s"
    return CameraError("camera.source", f"{shown} gave no picture for {stall_s:g} s", remedy)


def _how_to_open(camera: Camera) -> tuple[str | None, dict[str, str], str]:
    """ffmpeg's name of the format, or None for any; its options; and the remedy if it cannot be opened."""
    if camera.source.startswith("/dev/"):
        options = {"video_size": f"{camera.width}x{camera.height}"}
        if camera.fps:
            options["framerate"] = f"{camera.fps:g}"
        return "v4l2", options, "check that it is plugged in, and that this user is in the group video"
    analysis_s = min(ANALYSIS_S, camera.stall_s / 5)
    # TCP, because over UDP a lost datagram smears the picture until the next key frame.
    options = {"rtsp_transport": "tcp", "analyzeduration": f"{analysis_s * 1e6:.0f}"}
    return None, options, "check that it is switched on, and that address, user and password are right"
