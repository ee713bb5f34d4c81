"""`edge-pose annotate`: draw the detected skeletons on a picture, or on every frame of a video."""

import mimetypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps
from rich.console import Console
from rich.progress import track

from edge.camera import is_live, named_by_option, open_source
from edge.camera.feed import redact_url
from edge.camera.images import pictures_at
from edge.config import Camera, Config
from edge.drawing.gif_writer import write_gif
from edge.drawing.skeletons import draw_frame
from edge.errors import UsageError
from edge.inference.fallback import OneNetwork
from edge.inference.loading import open_network
from edge.pipeline.pipeline import Pipeline
from edge.scenes.scenes import SCENE_FPS
from edge.service.assembly import open_pipeline
from edge.types import Frame, Image

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
GIF = ".gif"
LONGEST_PX = 1920  # a larger video is reduced to this width or height
DEFAULT_FPS = 15.0


def run(config: Config, source: str, out: Path, *, first: int = 0, frames: int | None = None) -> str:
    """Draw skeletons on frame `first` of `source` and write it to `out`.

    If `out` is a video or a GIF, all frames from `first` on are written, but at most `frames`. A file that exists at
    `out` is replaced only after everything has succeeded. Returns a summary of the people seen.
    Raises EdgeError; UsageError if `source`, `out`, `first` or `frames` cannot be used.
    """
    given, source = redact_url(source), _with_kind(source)
    moving = out.suffix.lower() in {*VIDEOS, GIF}
    _check(source, out, moving=moving, frames=frames)
    camera = _camera(config.camera, source)
    with named_by_option("IN", source), open_source(camera) as feed, _replacing(out) as part:
        selector = OneNetwork(open_network(config), config.inference.device)
        pipeline = open_pipeline(msgspec.structs.replace(config, camera=camera), selector, continuous=feed.continuous)
        wanted = islice(feed, first, None if frames is None else first + frames)
        # The image of a frame is valid only until the next frame is taken.
        frame = next(wanted, None)
        if frame is None:
            raise UsageError("--frame", f"{given} has no frame {first}", "count from 0")
        if not moving:
            poses = pipeline.detector.detect(frame).poses
            draw_frame(frame, poses).save(part)
            return _people(len(poses))
        rate, count = _frame_rate(source, config.camera.fps)
        notes = Console(stderr=True)
        people: list[int] = []
        images = track(
            _images(chain([frame], wanted), pipeline, None if feed.continuous else rate, people),
            "annotate",
            total=frames or (count and count - first),
            console=notes,
            transient=True,
            disable=not notes.is_terminal,
        )
        _write(part, images, rate)
    seen = f"at most {_people(max(people))} at once" if any(people) else _people(0)
    return f"{len(people)} frame{'s' * (len(people) > 1)}, {seen}"


def _write(file: Path, images: Iterable[tuple[Image, float]], rate: Fraction) -> None:
    if file.suffix.lower() == GIF:
        write_gif(file, images, rate)
        return
    from edge.drawing.video_writer import write_video  # noqa: PLC0415 - PyAV is optional

    write_video(file, images, rate)


def _with_kind(source: str) -> str:
    """`source` as `camera.source` takes it: a bare file name gets the prefix "video:" or "images:"."""
    if is_live(source) or source.startswith(("synthetic:", "images:", "video:")):
        return source
    # mimetypes knows more types, but on a small system it may lack .mkv.
    video = Path(source).suffix.lower() in VIDEOS or (mimetypes.guess_type(source)[0] or "").startswith("video/")
    return f"{'video' if video else 'images'}:{source}"


def _people(count: int) -> str:
    return {0: "no people", 1: "1 person"}.get(count, f"{count} people")


def _check(source: str, out: Path, *, moving: bool, frames: int | None) -> None:
    """Raise UsageError for what can be found before any work is done."""
    if source in {"images:", "video:"}:
        raise UsageError("IN", "it names no file", "name a picture or a video")
    Pillow.init()
    if not moving and Pillow.EXTENSION.get(out.suffix.lower()) not in Pillow.SAVE:
        problem = f'"{out.suffix}" is not a file type that can be written' if out.suffix else f"{out} has no file type"
        raise UsageError("OUT", problem, f"name a picture such as out.png, or one of {', '.join((*VIDEOS, GIF))}")
    if not moving and frames is not None:
        raise UsageError("--frames", f"{out} is one picture", "leave --frames out, or name a video such as out.mp4")
    if moving and frames is None and (is_live(source) or source.startswith("synthetic:")):
        raise UsageError("--frames", f"{redact_url(source)} has no end", "limit the frames, for example --frames 150")
    _check_not_overwritten(source, out)


def _check_not_overwritten(source: str, out: Path) -> None:
    path = Path(source.removeprefix("images:").removeprefix("video:"))
    read = [path]
    if source.startswith("images:"):
        with suppress(OSError):  # reported when the source is opened
            read = pictures_at(path)
    for file in read:
        with suppress(OSError):  # one of the two does not exist
            if out.samefile(file):
                problem = f"{out} is {'in ' * path.is_dir()}IN, and would be overwritten"
                raise UsageError("OUT", problem, "name another file")


def _camera(camera: Camera, source: str) -> Camera:
    """The configured camera with another source: played once, at full speed, and not mirrored."""
    fps = (camera.fps or DEFAULT_FPS) if is_live(source) else 0
    camera = msgspec.structs.replace(camera, source=source, fps=fps, mirror=False, loop=False)
    if source.startswith("video:"):
        camera = msgspec.structs.replace(camera, width=LONGEST_PX, height=LONGEST_PX)
    return camera


def _frame_rate(source: str, fps: float) -> tuple[Fraction, int | None]:
    """Frames per second of a source and, where known, their number. Pictures have no rate and are shown at `fps`."""
    if source.startswith("video:"):
        from edge.camera.video import frame_rate  # noqa: PLC0415 - PyAV is optional

        return frame_rate(source.removeprefix("video:"))
    if source.startswith("synthetic:"):
        return Fraction(SCENE_FPS), None
    return Fraction(fps or DEFAULT_FPS).limit_denominator(1001), None


def _images(
    frames: Iterable[Frame], pipeline: Pipeline, rate: Fraction | None, people: list[int]
) -> Iterator[tuple[Image, float]]:
    """Draw each frame, and give it the size of the first and the time at which it is shown, in seconds.

    With a `rate`, the frames are unrelated pictures shown at that rate; without, people are tracked from frame to
    frame. Appends the number of people in each frame to `people`.
    """
    size: tuple[int, int] | None = None
    start_s: float | None = None
    for number, frame in enumerate(frames):
        start_s = frame.monotonic_s if start_s is None else start_s
        if rate:
            poses, at_s = pipeline.detector.detect(frame).poses, float(number / rate)
            drawn = draw_frame(frame, poses)
        else:
            tracks, at_s = pipeline.update(frame).people, frame.monotonic_s - start_s
            poses = [track.pose for track in tracks]
            drawn = draw_frame(frame, poses, [track.id for track in tracks])
        people.append(len(poses))
        size = size or drawn.size
        yield np.asarray(drawn if drawn.size == size else ImageOps.pad(drawn, size)), at_s


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary file beside `out`, which replaces `out` if the block succeeds. Converts OSError to UsageError."""
    part = out.with_name(f".{out.stem}.{os.getpid()}{out.suffix}")
    try:
        yield part
        part.replace(out)
    except OSError as exc:
        raise UsageError("OUT", f"{out} cannot be written ({exc.strerror or exc})", "name another file") from exc
    finally:
        with suppress(OSError):
            part.unlink()
