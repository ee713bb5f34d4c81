"""Image files, read with Pillow: `camera.source = "images:<file or folder>"`."""

import logging
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from edge.camera.feed import Feed, Notice, Picture, Reader
from edge.config import Camera
from edge.errors import CameraError, ConfigError

log = logging.getLogger(__name__)

# The formats of cameras and phones. Of Pillow's others, some run other programs (EPS) or are no pictures (MPEG).
FORMATS = {"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
LONGEST_PX = 1920  # longest side of the images that are passed on
MAX_PIXELS = 200_000_000  # as many as the largest phone cameras have; a larger file is an attack or a mistake
ORIENTATION = 0x0112  # EXIF
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GREY = (128, 128, 128, 255)  # behind transparent pixels; for the model, grey is closest to an empty picture


def open_images(camera: Camera) -> Feed:
    """Open a picture, or all pictures of a folder in natural order (2.jpg before 10.jpg), without its subfolders.

    A picture that cannot be read is skipped with one warning. Keypoints are reported in the pixels of each picture;
    `camera.width` and `height` have no effect. Raises ConfigError if there is nothing to read.
    """
    path = Path(camera.source.removeprefix("images:"))
    Image.init()  # without it, Pillow knows only a few formats
    try:
        pictures = pictures_at(path)
    except OSError as exc:
        problem = f"{path} cannot be read ({exc.strerror})"
        raise ConfigError("camera.source", problem, "name a picture or a folder of pictures") from exc
    if not pictures:
        raise ConfigError("camera.source", f"the folder {path} has no pictures", "add some, for example .jpg or .png")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # problems are logged below, with the name of the file
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses more than twice as many
    return Feed(_read_all(pictures, camera), camera, live=False, continuous=False)


def pictures_at(path: Path) -> list[Path]:
    """The files that are read for a picture or a folder, in order. Raises OSError if it does not exist."""
    path.stat()  # raises OSError, which `is_dir` hides
    if not path.is_dir():
        return [path]
    suffixes = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS}
    named = (file for file in path.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith("."))
    return sorted((file for file in named if not file.is_dir()), key=_natural)


def _natural(path: Path) -> tuple[list[str | int], str]:
    # Text and numbers alternate, text first, so that text is compared with text and numbers with numbers.
    words = re.split(r"(\d+)", path.name.lower())
    return [int(word) if word.isdecimal() else word for word in words], path.name


def _read_all(paths: list[Path], camera: Camera) -> Reader:
    broken: set[Path] = set()
    while True:
        readable = False
        for path in paths:
            picture: Picture | Notice
            try:
                picture = _read(path)
            except Exception as exc:  # noqa: BLE001 - decoders raise many types for damaged files
                picture = Notice.UNREADABLE
                if path not in broken:
                    log.warning("%s is skipped: %s", path, " ".join(str(exc).split()) or type(exc).__name__)
                broken.add(path)
            else:
                readable = True
            yield picture
        if not readable:
            place = camera.source.removeprefix("images:")
            problem = (
                f"none of the {len(paths)} pictures in {place} can be read" if paths[1:] else f"{place} cannot be read"
            )
            raise CameraError("camera.source", problem, "name pictures that are not damaged")
        if not camera.loop:
            return


def _read(path: Path) -> Picture:
    with Image.open(path, formats=[kind for kind in FORMATS if kind in Image.OPEN]) as file:
        width, height = file.size
        size = _reduced(width, height)
        drafted = file.draft(None, size)  # a JPEG decoder can skip pixels
        file.load()
        if drafted is None:
            width, height = file.size  # `load` turns a TIFF upright
            size = _reduced(width, height)
        image = rgb(file, size, drafted[1] if drafted else None)
        orientation = 1 if file.format == "TIFF" else file.getexif().get(ORIENTATION, 1)
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    if orientation in {5, 6, 7, 8}:  # the picture is stored on its side
        width, height = height, width
    return Picture(np.asarray(image), width, height)


def _reduced(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, LONGEST_PX / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def rgb(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None) -> Image.Image:
    """`image` as 8-bit RGB of `size` (width, height, px). `box` is the part of it that contains the picture."""
    if image.mode == "F":
        raise ValueError("its pixels are floats of an unknown range")
    if image.mode.startswith("I"):  # 16 bits per pixel, which Pillow clips instead of scaling
        values = np.asarray(image)
        shift = 0 if image.mode == "I" and values.max() < 256 else 8  # files rarely use more than 16 of 32 bits
        image = Image.fromarray((values >> shift).clip(0, 255).astype(np.uint8))
    transparent = image.mode in {"RGBA", "RGBa", "LA", "La", "PA"} or "transparency" in image.info
    # Palettes and single bits cannot be averaged.
    averageable = "RGBA" if transparent else "L" if image.mode == "L" else "RGB"
    if image.mode != averageable:  # without this check, `convert` makes a copy
        image = image.convert(averageable)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=2.0)
    if transparent:
        image = Image.alpha_composite(Image.new("RGBA", size, GREY), image)
    return image.convert("RGB")
