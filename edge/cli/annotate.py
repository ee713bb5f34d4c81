"""`edge-pose annotate`: draw the detected skeletons on a picture or on every frame of a video."""

import mimetypes
import os
from collections.abc import Iterable, Iterator, Sequence
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
from edge.drawing.places import draw_places
from edge.drawing.skeletons import draw_frame
from edge.errors import UsageError
from edge.inference.fallback import OneNetwork
from edge.inference.loading import open_network
from edge.pipeline.pipeline import Pipeline
from edge.scenes.scenes import SCENE_FPS
from edge.service.assembly import open_pipeline
from edge.system.library_notes import without_notes
from edge.types import Frame, Image, Pose

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
GIF = ".gif"
LONGEST_PX = 1920  # larger videos are scaled down to this width or height
DEFAULT_FPS = 15.0


def run(config: Config, source: str, out: Path, *, first: int = 0, frames: int | None = None) -> str:
    """Draw skeletons on frame `first` of `source` and write it to `out`.

    For a video or GIF, write all frames from `first`, or the number given by `frames`. An existing file at `out` is
    replaced only after everything has succeeded. Returns a summary of the people detected.
    Raises EdgeError; UsageError if `source`, `out`, `first` or `frames` cannot be used.
    """
    name, source = redact_url(source), _with_prefix(source)
    animated = out.suffix.lower() in {*VIDEOS, GIF}
    _check_arguments(source, out, animated=animated, frames=frames)
    camera = _camera(config.camera, source)
    with named_by_option("IN", source), open_source(camera) as feed, _replacing(out) as part:
        with without_notes():
            selector = OneNetwork(open_network(config), config.inference.device)
            adapted = msgspec.structs.replace(config, camera=camera)
            pipeline = open_pipeline(adapted, selector, continuous=feed.continuous)
        wanted = islice(feed, first, None if frames is None else first + frames)
        # A frame's image is valid only until the next frame is read.
        frame = next(wanted, None)
        if frame is None:
            raise UsageError("--frame", f"{name} has no frame {first}", "count from 0")
        if not animated:
            poses = _poses_of(pipeline, frame)
            _drawn(config, frame, poses).save(part)
            return _count_of_people(len(poses))
        rate, count = _frame_rate(source, config.camera.fps)
        stderr = Console(stderr=True)
        people: list[int] = []
        images = track(
            _images(chain([frame], wanted), pipeline, None if feed.continuous else rate, people, config),
            "annotate",
            total=frames or (count and count - first),
            console=stderr,
            transient=True,
            disable=not stderr.is_terminal,
        )
        _write(part, images, rate)
    seen = f"at most {_count_of_people(max(people))} at once" if any(people) else _count_of_people(0)
    return f"{len(people)} frame{'s' * (len(people) > 1)}, {seen}"


def _write(file: Path, images: Iterable[tuple[Image, float]], rate: Fraction) -> None:
    if file.suffix.lower() == GIF:
        write_gif(file, images, rate)
        return
    from edge.drawing.video_writer import write_video  # noqa: PLC0415 - PyAV is optional

    write_video(file, images, rate)


def _with_prefix(source: str) -> str:
    """`source` as a value for `camera.source`: file names without a prefix get "video:" or "images:"."""
    if is_live(source) or source.startswith(("synthetic:", "images:", "video:")):
        return source
    # mimetypes knows more types than VIDEOS, but lacks .mkv on systems without /etc/mime.types.
    video = Path(source).suffix.lower() in VIDEOS or (mimetypes.guess_type(source)[0] or "").startswith("video/")
    return f"{'video' if video else 'images'}:{source}"


def _count_of_people(count: int) -> str:
    return {0: "no people", 1: "1 person"}.get(count, f"{count} people")


def _check_arguments(source: str, out: Path, *, animated: bool, frames: int | None) -> None:
    """Check everything that needs no work yet. Raises UsageError."""
    if source in {"images:", "video:"}:
        raise UsageError("IN", "names no file", "name a picture or a video")
    Pillow.init()
    if not animated and Pillow.EXTENSION.get(out.suffix.lower()) not in Pillow.SAVE:
        problem = f'"{out.suffix}" is not a file type that can be written' if out.suffix else f"{out} has no file type"
        raise UsageError("OUT", problem, f"name a picture such as out.png, or one of {', '.join((*VIDEOS, GIF))}")
    if not animated and frames is not None:
        raise UsageError("--frames", f"{out} is a single picture", "omit --frames, or name a video such as out.mp4")
    if animated and frames is None and (is_live(source) or source.startswith("synthetic:")):
        raise UsageError("--frames", f"{redact_url(source)} has no end", "limit the frames, for example --frames 150")
    _check_not_overwritten(source, out)


def _check_not_overwritten(source: str, out: Path) -> None:
    path = Path(source.removeprefix("images:").removeprefix("video:"))
    inputs = [path]
    if source.startswith("images:"):
        with suppress(OSError):  # opening the source reports it
            inputs = pictures_at(path)
    for file in inputs:
        with suppress(OSError):  # one of the files does not exist
            if out.samefile(file):
                problem = f"{out} is {'in ' * path.is_dir()}IN, and would be overwritten"
                raise UsageError("OUT", problem, "name another file")


def _camera(camera: Camera, source: str) -> Camera:
    """The configured camera with another source. Files are played once, at full speed, and not mirrored."""
    fps = (camera.fps or DEFAULT_FPS) if is_live(source) else 0
    camera = msgspec.structs.replace(camera, source=source, fps=fps, mirror=False, loop=False)
    if source.startswith("video:"):
        camera = msgspec.structs.replace(camera, width=LONGEST_PX, height=LONGEST_PX)
    return camera


def _frame_rate(source: str, fps: float) -> tuple[Fraction, int | None]:
    """Frames per second of a source and, if known, the number of frames. Pictures are shown at `fps`."""
    if source.startswith("video:"):
        from edge.camera.video import frame_rate  # noqa: PLC0415 - PyAV is optional

        return frame_rate(source.removeprefix("video:"))
    if source.startswith("synthetic:"):
        return Fraction(SCENE_FPS), None
    return Fraction(fps or DEFAULT_FPS).limit_denominator(1001), None


def _images(
    frames: Iterable[Frame], pipeline: Pipeline, rate: Fraction | None, people: list[int], config: Config
) -> Iterator[tuple[Image, float]]:
    """Draw each frame at the size of the first; yields images, uint8 (height, width, 3), and display times in seconds.

    With a `rate`, the frames are unrelated pictures shown at that rate. Without one, people are tracked from frame to
    frame. Appends the number of people in each frame to `people`.
    """
    size: tuple[int, int] | None = None
    start_s: float | None = None
    for number, frame in enumerate(frames):
        start_s = frame.monotonic_s if start_s is None else start_s
        if rate:
            poses, at_s = _poses_of(pipeline, frame), float(number / rate)
            drawn = _drawn(config, frame, poses)
        else:
            update, at_s = pipeline.update(frame), frame.monotonic_s - start_s
            poses = [track.pose for track in update.people]
            rejected = [one.pose for one in update.rejected]
            ids = [track.id for track in update.people]
            drawn = _drawn(config, frame, poses + rejected, [*ids, *[None] * len(rejected)])
        people.append(len(poses))
        size = size or drawn.size
        yield np.asarray(drawn if drawn.size == size else ImageOps.pad(drawn, size)), at_s


def _drawn(config: Config, frame: Frame, poses: list[Pose], ids: Sequence[int | None] | None = None) -> Pillow.Image:
    """The picture with skeletons, and with the zones and lines of the configuration. It is never mirrored."""
    picture = draw_frame(frame, poses, ids)
    if not (config.zones or config.lines):
        return picture
    return draw_places(picture, config.zones, config.lines, mirrored=config.camera.mirror)


def _poses_of(pipeline: Pipeline, frame: Frame) -> list[Pose]:
    """The poses in a single frame. Weak ones are left out: they could only continue a person of earlier frames."""
    return [pose for pose in pipeline.detector.detect(frame).poses if not pose.weak]


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary file beside `out` that replaces `out` if the block succeeds. Converts OSError to UsageError."""
    part = out.with_name(f".{out.stem}.{os.getpid()}{out.suffix}")
    try:
        yield part
        part.replace(out)
    except OSError as exc:
        raise UsageError("OUT", f"{out} cannot be written ({exc.strerror or exc})", "name another file") from exc
    finally:
        with suppress(OSError):
            part.unlink()
