"""The values that `camera.source` accepts, and the libraries that each of them needs."""

import subprocess
import sys
from typing import Literal

import numpy as np
import pytest

from edge.camera import SOURCES, open_source
from edge.config import Camera
from edge.errors import ConfigError
from edge.scenes.scenes import SCENE_FPS, open_scene
from tests.support.scenes import picture_of


def test_a_synthetic_scene_is_painted_by_its_frame_number() -> None:
    camera = Camera(source="synthetic:walk", width=160, height=120, fps=0)
    with open_source(camera) as feed:
        frames = [frame for frame, _ in zip(feed, range(6), strict=False)]
        assert (feed.live, feed.dropped, feed.description) == (False, 0, "synthetic:walk")
    scene = open_scene("walk", width=160, height=120)
    for number, frame in enumerate(frames):  # earlier frames must not be overwritten
        np.testing.assert_array_equal(frame.image, picture_of(scene, number))
        assert (frame.sequence, frame.width, frame.height) == (number, 160, 120)
    assert np.diff([frame.monotonic_s for frame in frames]) == pytest.approx([1 / SCENE_FPS] * 5)


def test_a_synthetic_scene_with_a_rate_is_a_camera() -> None:
    with open_source(Camera(source="synthetic:walk", width=160, height=120, fps=50)) as feed:
        frames = [frame for frame, _ in zip(feed, range(4), strict=False)]
        assert feed.live
    times_s = [frame.monotonic_s for frame in frames]
    assert times_s[-1] - times_s[0] >= (frames[-1].sequence - frames[0].sequence - 1) / 50


@pytest.mark.parametrize(("rotation", "largest"), [(0, (80, 60)), (90, (60, 80)), (270, (60, 80))])
def test_pictures_are_no_larger_than_useful_after_the_rotation(
    rotation: Literal[0, 90, 270], largest: tuple[int, int]
) -> None:
    camera = Camera(source="synthetic:walk", width=160, height=120, fps=0, rotation=rotation)
    with open_source(camera, largest=largest) as feed:
        frame = next(iter(feed))
    assert frame.image.shape[1::-1] == largest
    assert {frame.width, frame.height} == {160, 120}


def test_an_unknown_scene_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(Camera(source="synthetic:wallk"))
    assert caught.value.key == "camera.source"
    assert "wallk" in caught.value.problem


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("", '""'),
        ("picamera", '"picamera"'),
        ("rtmp://me:secret@camera.lan/live", '"rtmp:..."'),
        ("rtsp:/me:secret@camera.lan", '"rtsp:..."'),
        ("Images:/tmp", '"Images:..."'),
        ("x" * 300, "x" * 300),  # longer than a file name can be
    ],
)
def test_an_unknown_source_is_refused_without_showing_a_password(source: str, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(Camera(source=source))
    error = caught.value
    assert error.key == "camera.source"
    assert shown in error.problem
    assert all(form in error.remedy for form in SOURCES)
    assert "secret" not in str(error)


@pytest.mark.parametrize("form", [form for form in SOURCES if "<" in form])
def test_an_incomplete_source_shows_the_complete_form(form: str) -> None:
    start = form.partition("<")[0]
    with pytest.raises(ConfigError) as caught:
        open_source(Camera(source=start))
    assert caught.value.key == "camera.source"
    assert start in caught.value.problem
    assert form in caught.value.remedy


@pytest.mark.parametrize("source", ["video:a.mp4", "rtsp://camera.lan", "/dev/video0"])
def test_without_pyav_the_remedy_names_the_package(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    for name in ("pyav", "stream", "video"):
        monkeypatch.delitem(sys.modules, f"edge.camera.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    with pytest.raises(ConfigError) as caught:
        open_source(Camera(source=source))
    assert caught.value.key == "camera.source"
    assert "PyAV" in caught.value.problem
    assert "pip install 'edge-pose[video]'" in caught.value.remedy


def test_libraries_are_imported_only_when_they_are_needed() -> None:
    code = "import sys, edge.camera; print({'PIL', 'av'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "set()"
