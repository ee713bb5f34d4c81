"""Read pictures in the size and orientation in which they were annotated."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from edge.camera.images import FORMATS, ORIENTATION, UPRIGHT, rgb
from edge.evaluation.coco import ListedPicture
from edge.types import Image


def read_picture(path: Path, listed: ListedPicture) -> Image:
    """Read a picture as RGB uint8 (h, w, 3) in the annotated size. Raises ValueError, and whatever Pillow raises."""
    Pillow.init()  # otherwise Pillow knows only a few formats
    with Pillow.open(path, formats=[kind for kind in FORMATS if kind in Pillow.OPEN]) as file:
        file.load()
        size, orientation = file.size, file.getexif().get(ORIENTATION, 1)
        image = rgb(file, size, None)
    annotated = (listed.width or size[0], listed.height or size[1])
    # COCO annotates pixels as they are stored. Other tools apply the Exif orientation first, which swaps the size.
    if size != annotated and size[::-1] == annotated and orientation in {5, 6, 7, 8}:
        image = image.transpose(UPRIGHT[orientation])
    if image.size != annotated:
        cause = (
            "it was turned afterwards" if size[::-1] == annotated else "the annotations are of another picture or size"
        )
        raise ValueError(f"{size[0]}x{size[1]} px, but annotated at {annotated[0]:g}x{annotated[1]:g}: {cause}")
    return np.asarray(image)
