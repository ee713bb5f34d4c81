from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

pytest.importorskip("pycocotools", reason="PYCOCOTOOLS IS NOT INSTALLED: run: pip install 'edge-pose[evaluate]'")

from edge.evaluation.coco import ListedPicture
from edge.evaluation.pictures import read_picture


def listed(width: int, height: int) -> ListedPicture:
    return ListedPicture(1, "a.png", width, height)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "YCbCr"])
def test_pictures_of_every_mode_become_rgb(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("a.jpg" if mode in {"CMYK", "YCbCr"} else "a.png")
    Pillow.new("RGB", (40, 30), (255, 255, 255)).convert(mode).save(file)
    image = read_picture(file, listed(40, 30))
    assert image.shape == (30, 40, 3)
    assert image.min() >= 250


def test_pictures_are_read_in_the_pixels_that_were_annotated(tmp_path: Path) -> None:
    turned, exif = tmp_path / "turned.png", Pillow.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by 90 degrees
    stored = np.zeros((30, 40, 3), np.uint8)
    stored[0, 0] = 255
    Pillow.fromarray(stored).save(turned, exif=exif)
    np.testing.assert_array_equal(read_picture(turned, listed(40, 30)), stored)
    np.testing.assert_array_equal(read_picture(turned, ListedPicture(1, "turned.png")), stored)
    np.testing.assert_array_equal(read_picture(turned, listed(30, 40)), np.rot90(stored, -1))
    plain = tmp_path / "plain.png"
    Pillow.fromarray(stored).save(plain)
    with pytest.raises(ValueError, match="40x30 px, but annotated at 30x40: it was turned"):
        read_picture(plain, listed(30, 40))
    with pytest.raises(ValueError, match="40x30 px, but annotated at 80x60"):
        read_picture(plain, ListedPicture(1, "a.png", 80.0, 60.0))
