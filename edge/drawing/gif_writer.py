"""Write animated GIFs with Pillow: small ones, for a README or a chat."""

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from edge.errors import UsageError
from edge.types import Image

WIDTH_PX = 480
MAX_FPS = 10
MAX_PICTURES = 300  # all of them are held in memory: 155 MB at 480x360
COLOURS = 96  # fewer compress better, because the noise of the camera disappears
SAMPLES = 8  # pictures from which the palette is made


def write_gif(file: Path, images: Iterable[tuple[Image, float]], rate: Fraction) -> None:
    """Write uint8 (H, W, 3) RGB images of one size, each with its time in seconds, as an endless animation.

    `rate` is the usual number of images per second. Images are reduced to a width of at most WIDTH_PX, and only every
    n-th is written so that there are at most MAX_FPS per second. Raises UsageError if there are too many for the
    memory, and OSError.
    """
    step = max(1, math.ceil(rate / MAX_FPS))
    pictures: list[Pillow.Image] = []
    times_s: list[float] = []
    for number, (image, at_s) in enumerate(images):
        end_s = at_s + float(1 / rate)
        if number % step:
            continue
        if len(pictures) == MAX_PICTURES:
            problem = f"a GIF can have at most {MAX_PICTURES} pictures, which is {MAX_PICTURES / MAX_FPS:g} s or more"
            raise UsageError("OUT", problem, "limit it with --frames, or name a video such as out.mp4")
        pictures.append(_reduced(image))
        times_s.append(at_s)
    if not pictures:
        return
    palette = _palette(pictures)
    first, *others = (picture.quantize(palette=palette, dither=Pillow.Dither.NONE) for picture in pictures)
    # GIF counts in hundredths of a second. Round the times, not the durations, so that errors do not add up.
    ticks = np.rint(np.array([*times_s, end_s]) * 100).astype(int)
    durations_ms = (np.maximum(np.diff(ticks), 2) * 10).tolist()
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations_ms, loop=0)


def _reduced(image: Image) -> Pillow.Image:
    picture = Pillow.fromarray(image)
    if picture.width <= WIDTH_PX:
        return picture
    height = max(1, round(picture.height * WIDTH_PX / picture.width))
    return picture.resize((WIDTH_PX, height), Pillow.Resampling.BILINEAR)


def _palette(pictures: list[Pillow.Image]) -> Pillow.Image:
    """One palette for all pictures, made from a sample of them: colours would flicker with one for each."""
    samples = pictures[:: math.ceil(len(pictures) / SAMPLES)]
    width, height = samples[0].size
    sheet = Pillow.new("RGB", (width, height * len(samples)))
    for row, sample in enumerate(samples):
        sheet.paste(sample, (0, row * height))
    # An octree keeps colours of small areas, such as bones, which a median cut merges with others.
    return sheet.quantize(COLOURS, Pillow.Quantize.FASTOCTREE)
