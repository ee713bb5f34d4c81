"""Write JPEG files, with Pillow."""

import io

from PIL import Image as Pillow

from edge.types import Image

QUALITY = 80  # a picture of a room with 640 x 480 pixels has about 40 kB


def jpeg(image: Image) -> bytes:
    """A JPEG file of an RGB image."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
