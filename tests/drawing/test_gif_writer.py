"""Animated GIFs."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageSequence

from edge.drawing import gif_writer
from edge.drawing.gif_writer import write_gif
from edge.drawing.skeletons import LEFT, PEOPLE, RIGHT, draw_skeletons
from edge.errors import CameraError, UsageError
from edge.skeleton import INDEX
from edge.types import Image
from tests.support.pictures import has_colour
from tests.support.scenes import picture_of, poses_of, scene

GREY = np.full((48, 64, 3), 128, np.uint8)


def read_gif(file: Path) -> tuple[list[Image], list[int]]:
    """The pictures of a GIF, and for how many ms each is shown."""
    pictures, durations_ms = [], []
    with Pillow.open(file) as gif:
        for picture in ImageSequence.Iterator(gif):
            durations_ms.append(int(gif.info["duration"]))
            pictures.append(np.asarray(picture.convert("RGB")))
    return pictures, durations_ms


def levels(count: int, rate: int) -> Iterator[tuple[Image, float]]:
    """Pictures that differ in brightness: equal ones would be merged."""
    return ((np.full((48, 64, 3), 30 * number, np.uint8), number / rate) for number in range(count))


@pytest.mark.parametrize(
    ("rate", "count", "durations_ms"),
    [(2, 3, [500, 500, 500]), (10, 3, [100, 100, 100]), (15, 5, [130, 140, 60]), (30, 7, [100, 100, 30])],
)
def test_a_gif_keeps_the_time_with_at_most_ten_pictures_per_second(
    tmp_path: Path, rate: int, count: int, durations_ms: list[int]
) -> None:
    write_gif(tmp_path / "a.gif", levels(count, rate), Fraction(rate))
    assert read_gif(tmp_path / "a.gif")[1] == durations_ms


def test_a_gif_repeats_forever(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", levels(3, 10), Fraction(10))
    with Pillow.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0


def test_wide_pictures_are_reduced_and_skeletons_keep_their_colours(tmp_path: Path) -> None:
    of = scene("three")
    poses = [poses_of(of, number) for number in range(6)]
    pairs = zip((picture_of(of, number) for number in range(6)), poses, strict=True)
    drawn = [np.asarray(draw_skeletons(Pillow.fromarray(image), found, [0, 1, 2])) for image, found in pairs]
    write_gif(tmp_path / "a.gif", ((image, number / 5) for number, image in enumerate(drawn)), Fraction(5))
    pictures, _ = read_gif(tmp_path / "a.gif")
    assert [picture.shape for picture in pictures] == [(360, 480, 3)] * 6
    for picture, found in zip(pictures, poses, strict=True):
        for pose in found:
            for side, colour in (("LEFT", LEFT), ("RIGHT", RIGHT)):
                shoulder = INDEX[f"{side}_SHOULDER"]
                place = pose.xy[shoulder] * 0.75
                assert not pose.visible[shoulder] or has_colour(picture, colour, place, within_px=2, tolerance=60)
        for tag in PEOPLE[:3]:
            assert has_colour(picture, tag, (240, 180), within_px=240, tolerance=30)


def test_a_gif_that_would_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif_writer, "MAX_PICTURES", 4)
    write_gif(tmp_path / "a.gif", levels(4, 10), Fraction(10))
    with pytest.raises(UsageError) as caught:
        write_gif(tmp_path / "b.gif", levels(5, 10), Fraction(10))
    assert caught.value.key == "OUT"
    assert "--frames" in caught.value.remedy
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


def test_an_error_of_the_source_passes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[Image, float]]:
        yield GREY, 0.0
        raise CameraError("camera.source", "gone", "")

    with pytest.raises(CameraError):
        write_gif(tmp_path / "a.gif", broken(), Fraction(10))
