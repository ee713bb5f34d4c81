"""`edge-pose annotate`: draw what the pipeline sees on a frame, and write that as a picture."""

import mimetypes
from dataclasses import replace
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw

from edge.app import open_model, open_pipeline
from edge.camera import open_source
from edge.config import Camera, Config
from edge.errors import CameraError, ConfigError
from edge.skeleton import BONES
from edge.types import Pose

LEFT, RIGHT, MIDDLE = (64, 196, 255), (255, 145, 64), (190, 255, 120)
SUPERSAMPLING = 3


def run(source: str, out: Path, number: int) -> None:
    """Write frame `number` of `source` with its skeletons to `out`. Raises EdgeError."""
    if "://" not in source and not source.startswith(("/dev/", "synthetic:", "images:", "video:")):
        kind = "video" if (mimetypes.guess_type(source)[0] or "").startswith("video/") else "images"
        source = f"{kind}:{source}"
    config = Config(camera=Camera(source=source, fps=0))
    _, cpu = open_model(config)
    with open_source(config.camera) as frames:
        # The picture is ours only until the next frame is taken.
        frame = next(islice(frames, number, None), None)
        if frame is None:
            raise CameraError(f"camera.source: {source} has no frame {number}; count from 0")
        image = Image.fromarray(frame.image)  # of a huge picture, the smaller one that was made of it
        shrunk = image.width / frame.width
        poses = open_pipeline(config, frames, cpu).poses(frame)
    try:
        draw_skeletons(image, [replace(pose, xy=pose.xy * shrunk) for pose in poses]).save(out)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{out}: cannot be written ({exc}); give a picture's name such as out.png") from exc


def draw_skeletons(image: Image.Image, poses: list[Pose]) -> Image.Image:
    """A copy of an RGB image with the visible keypoints and the bones between them; left blue, right orange."""
    k = SUPERSAMPLING if image.width < 1000 else 1
    large = image.resize((image.width * k, image.height * k))
    draw = ImageDraw.Draw(large)
    for pose in poses:
        xy = ((pose.xy + 0.5) * k).tolist()
        size = max(pose.xy[pose.visible].max(axis=0) - pose.xy[pose.visible].min(axis=0))
        width = max(round(size / 90 * k), k)
        for a, b in BONES:
            if pose.visible[a] and pose.visible[b]:
                colour = _colour(a) if _colour(a) == _colour(b) else MIDDLE
                draw.line([tuple(xy[a]), tuple(xy[b])], fill=(20, 20, 20), width=width + 2 * k)
                draw.line([tuple(xy[a]), tuple(xy[b])], fill=colour, width=width)
        for index in pose.visible.nonzero()[0].tolist():
            x, y = xy[index]
            outer = width * (0.9 if index < 5 else 1.5)  # five of them share a face
            for radius, fill in ((outer, (20, 20, 20)), (outer - k, _colour(index))):
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
    return large.resize(image.size, Image.Resampling.LANCZOS)


def _colour(index: int) -> tuple[int, int, int]:
    """COCO's odd keypoints are the person's left ones; the nose is neither."""
    return MIDDLE if index == 0 else LEFT if index % 2 else RIGHT
