"""`edge-pose annotate`: draw what the pipeline sees on a frame, or on each of a video, and write that."""

import mimetypes
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from rich.console import Console
from rich.progress import track

from edge import types
from edge.camera import is_live, named_by_option, open_source
from edge.camera.feed import redact_url
from edge.camera.images import pictures_at
from edge.config import Camera, Config
from edge.errors import UsageError
from edge.inference.loading import open_model
from edge.pipeline.pipeline import Pipeline
from edge.scenes.scenes import SCENE_FPS
from edge.service.run import open_pipeline
from edge.skeleton import BONES
from edge.types import Frame, Pose

Colour: TypeAlias = tuple[int, int, int]

LEFT, RIGHT, DARK = (64, 196, 255), (255, 145, 64), (20, 20, 20)
# What is neither left nor right has the person's own colour, which tells people apart.
OWN = ((190, 255, 120), (255, 232, 70), (255, 120, 205), (185, 145, 255), (255, 95, 95), (245, 245, 245))
NOBODYS = (190, 190, 190)
SUPERSAMPLING = 3
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
LONGEST_PX = 1920  # of the sides of a video that is read; smaller ones stay as they are
USUAL_FPS = 15.0


def run(config: Config, source: str, out: Path, *, first: int = 0, frames: int | None = None) -> str:
    """Write frame `first` of `source` with its skeletons to `out`, or if that is a video, all from there on.

    Of those at most `frames`. Whatever is at `out` stays there until all is done. Returns what was seen, in words.
    Raises EdgeError; UsageError where it is `source`, `out` or one of the numbers that cannot be used.
    """
    given, source = redact_url(source), _named(source)
    video = out.suffix.lower() in VIDEOS
    _check(source, out, video=video, frames=frames)
    camera = _camera(config.camera, source)
    with named_by_option("IN", source), open_source(camera) as feed, _replacing(out) as part:
        _, cpu = open_model(config)
        pipeline = open_pipeline(msgspec.structs.replace(config, camera=camera), feed, cpu)
        wanted = islice(feed, first, None if frames is None else first + frames)
        # A picture is ours only until the next one is taken.
        frame = next(wanted, None)
        if frame is None:
            raise UsageError(f"--frame: {given} has no frame {first}; count from 0")
        if not video:
            poses = pipeline.poses(frame)
            _drawn(frame, poses).save(part)
            return _people(len(poses))
        from edge.drawing.video_writer import write_video  # noqa: PLC0415 - PyAV is optional

        rate, count = _clock(source, config.camera.fps)
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
        write_video(part, images, rate)
    seen = f"at most {_people(max(people))} at once" if any(people) else _people(0)
    return f"{len(people)} frame{'s' * (len(people) > 1)}, {seen}"


def draw_skeletons(image: Image.Image, poses: list[Pose], ids: Sequence[int | None] | None = None) -> Image.Image:
    """A copy of an RGB image with the visible keypoints and the bones between them; left blue, right orange.

    `ids`, one a pose where they are known, are written beside the heads.
    """
    if not poses:
        return image.copy()
    k = SUPERSAMPLING if image.width < 1000 else 1
    # Nearest up and average down: what is not drawn on stays as it is.
    large = image.resize((image.width * k, image.height * k), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    known: Sequence[int | None] = range(len(poses)) if ids is None else ids
    for pose, who in zip(poses, known, strict=True):
        own = NOBODYS if who is None else OWN[who % len(OWN)]
        xy = ((pose.xy + 0.5) * k).tolist()
        size = max(np.ptp(pose.xy[pose.visible], axis=0))
        width = max(round(size / 90 * k), k)
        for a, b in BONES:
            if pose.visible[a] and pose.visible[b]:
                colour = _colour(a, own) if _colour(a, own) == _colour(b, own) else own
                draw.line([tuple(xy[a]), tuple(xy[b])], fill=DARK, width=width + 2 * k)
                draw.line([tuple(xy[a]), tuple(xy[b])], fill=colour, width=width)
        for index in pose.visible.nonzero()[0].tolist():
            x, y = xy[index]
            outer = width * (0.9 if index < 5 else 1.5)  # five of them share a face
            for radius, fill in ((outer, DARK), (max(outer - k, k / 2), _colour(index, own))):  # people may be tiny
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
        if ids is not None and who is not None:
            x, y = min((xy[index] for index in pose.visible.nonzero()[0]), key=lambda point: point[1])
            _tag(draw, f"#{who}", own, (x, y - k * size / 8), max(13 * k, large.height / 40))
    return large.reduce(k)


def _colour(index: int, own: Colour) -> Colour:
    """COCO's odd keypoints are the person's left ones; the nose is neither."""
    return own if index == 0 else LEFT if index % 2 else RIGHT


def _tag(draw: ImageDraw.ImageDraw, text: str, colour: Colour, head: tuple[float, float], size: float) -> None:
    """Write in letters of `size` px, on that colour, with the middle of the lower edge at `head`, if there is room."""
    try:
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont = ImageFont.load_default(size)
    except TypeError:
        font = ImageFont.load_default()  # Pillow before 10.1 has it in one size
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    margin = size / 3
    width, height = right - left + 2 * margin, bottom - top + 2 * margin
    x = min(max(head[0] - width / 2, 0), draw.im.size[0] - width)
    y = min(max(head[1] - height, 0), draw.im.size[1] - height)
    draw.rounded_rectangle([x, y, x + width, y + height], margin, colour, DARK, max(1, round(size / 12)))
    draw.text((x + margin - left, y + margin - top), text, DARK, font)


def _named(source: str) -> str:
    """What `camera.source` calls a file of which only the name was given."""
    if is_live(source) or source.startswith(("synthetic:", "images:", "video:")):
        return source
    # mimetypes knows more of them, but on small systems not .mkv.
    video = Path(source).suffix.lower() in VIDEOS or (mimetypes.guess_type(source)[0] or "").startswith("video/")
    return f"{'video' if video else 'images'}:{source}"


def _people(count: int) -> str:
    return {0: "nobody", 1: "1 person"}.get(count, f"{count} people")


def _check(source: str, out: Path, *, video: bool, frames: int | None) -> None:
    """What can be said before any work is done."""
    path = Path(source.removeprefix("images:").removeprefix("video:"))
    if source in {"images:", "video:"}:
        raise UsageError("IN: it names no file; name a picture or a video")
    Image.init()
    if not video and Image.EXTENSION.get(out.suffix.lower()) not in Image.SAVE:
        raise UsageError(f"OUT: neither pictures nor videos that we write end like {out}; "
                         f"name a picture such as out.png, or a video: {', '.join(VIDEOS)}")  # fmt: skip
    if not video and frames is not None:
        raise UsageError(f"--frames: {out} is one picture; leave --frames out, or name a video such as out.mp4")
    if video and frames is None and (is_live(source) or source.startswith("synthetic:")):
        raise UsageError(f"--frames: {redact_url(source)} has no end; say how many frames, e.g. --frames 150")
    read = [path]
    if source.startswith("images:"):
        with suppress(OSError):  # told when it is opened
            read = pictures_at(path)
    for one in read:
        with suppress(OSError):  # one of the two is not there
            if out.samefile(one):
                raise UsageError(f"OUT: {out} is {'in ' * path.is_dir()}IN, and would be lost; name another file")


def _camera(camera: Camera, source: str) -> Camera:
    """The configured camera, but with that source: once, as fast as it goes, and with x as it is in the picture."""
    live = is_live(source)
    camera = msgspec.structs.replace(
        camera, source=source, fps=(camera.fps or USUAL_FPS) if live else 0, mirror=False, loop=False
    )
    return msgspec.structs.replace(camera, width=LONGEST_PX, height=LONGEST_PX) if source[:6] == "video:" else camera


def _clock(source: str, fps: float) -> tuple[Fraction, int | None]:
    """How many frames a second a source has, and how many in all, where that is known; pictures come at `fps`."""
    if source.startswith("video:"):
        from edge.camera.video import clock  # noqa: PLC0415 - PyAV is optional

        return clock(source.removeprefix("video:"))
    if source.startswith("synthetic:"):
        return Fraction(SCENE_FPS), None
    return Fraction(fps or USUAL_FPS).limit_denominator(1001), None


def _images(
    frames: Iterable[Frame], pipeline: Pipeline, rate: Fraction | None, people: list[int]
) -> Iterator[tuple[types.Image, float]]:
    """The frames, drawn and of the size of the first, each with its second.

    With a `rate`, they come at that, and have nothing to do with each other; without, people are followed. How many
    are seen in each goes into `people`.
    """
    size: tuple[int, int] | None = None
    start_s = None
    for number, frame in enumerate(frames):
        start_s = frame.monotonic_s if start_s is None else start_s
        if rate:
            poses, at_s = pipeline.poses(frame), float(number / rate)
            drawn = _drawn(frame, poses)
        else:
            found, at_s = pipeline.result(frame).people, frame.monotonic_s - start_s
            poses = [one.pose for one in found]
            drawn = _drawn(frame, poses, [one.id for one in found])
        people.append(len(poses))
        size = size or drawn.size
        yield np.asarray(drawn if drawn.size == size else ImageOps.pad(drawn, size)), at_s


def _drawn(frame: Frame, poses: list[Pose], ids: Sequence[int | None] | None = None) -> Image.Image:
    image = Image.fromarray(frame.image)  # of a huge picture, the smaller one that was made of it
    shrunk = image.width / frame.width
    return draw_skeletons(image, [replace(pose, xy=pose.xy * shrunk) for pose in poses], ids)


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `out` if all goes well. Converts the OSError of who writes."""
    part = out.with_name(f".{out.stem}.{os.getpid()}{out.suffix}")
    try:
        yield part
        part.replace(out)
    except OSError as exc:
        raise UsageError(f"OUT: {out} cannot be written ({exc.strerror or exc}); name another file") from exc
    finally:
        with suppress(OSError):
            part.unlink()
