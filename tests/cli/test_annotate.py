"""What `edge-pose annotate` draws, on pictures and on every frame of a video."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from edge import types
from edge.cli.annotate import LEFT, NOBODYS, OWN, RIGHT, draw_skeletons, run
from edge.config import Camera, Config
from edge.errors import CameraError, UsageError
from edge.skeleton import INDEX
from edge.types import Pose
from tests.support import ROOT
from tests.support.scenes import picture_of, poses_of, scene
from tests.support.sensor import run_edge

SIZE = 640, 480


def has(image: types.Image, colour: tuple[int, int, int], place: Any, *, within_px: int, tolerance: int = 40) -> bool:
    """Whether that colour is near that place."""
    x, y = np.rint(place).astype(int)
    near = image[max(y - within_px, 0) : y + within_px + 1, max(x - within_px, 0) : x + within_px + 1].astype(int)
    return bool((np.abs(near - colour).max(axis=-1) <= tolerance).any())


def test_keypoints_are_marked_where_they_are_and_nothing_else_is_touched() -> None:
    of = scene("wave")
    image, (pose,) = picture_of(of, 20), poses_of(of, 20)
    drawn = np.asarray(draw_skeletons(Pillow.fromarray(image), [pose]))
    for name, index in INDEX.items():
        colour = LEFT if name.startswith("LEFT") else RIGHT if name.startswith("RIGHT") else OWN[0]
        assert has(drawn, colour, pose.xy[index], within_px=2) is bool(pose.visible[index])
        assert not has(image, colour, pose.xy[index], within_px=2)
    left, top = pose.xy.min(axis=0).astype(int) - 20
    right, bottom = pose.xy.max(axis=0).astype(int) + 20
    same = (drawn == image).all(axis=-1)
    same[top:bottom, left:right] = True
    assert same.all()
    assert np.count_nonzero((drawn != image).any(axis=-1)) < 0.05 * same.size


@pytest.mark.parametrize("size", [5, 20, 60, 120, 300])
def test_people_may_be_tiny(size: int) -> None:
    (pose,) = poses_of(scene("wave"), 20)
    tiny = replace(pose, xy=(pose.xy - pose.xy.min(axis=0)) * np.float32(size / np.ptp(pose.xy, axis=0).max()) + 50)
    drawn = np.asarray(draw_skeletons(Pillow.new("RGB", SIZE), [tiny], [1]))
    assert drawn[40 : 60 + size, 40 : 60 + size].any()


def test_nobody_is_nothing() -> None:
    image = picture_of(scene("empty"), 0)
    np.testing.assert_array_equal(draw_skeletons(Pillow.fromarray(image), []), image)


def hips(pose: Pose) -> Any:
    return pose.xy[[INDEX["LEFT_HIP"], INDEX["RIGHT_HIP"]]].mean(axis=0)


def test_people_have_colours_and_tags() -> None:
    of = scene("three")
    image, poses = Pillow.fromarray(picture_of(of, 30)), poses_of(of, 30)
    plain, named = (np.asarray(draw_skeletons(image, poses, ids)) for ids in (None, [7, 1, None]))
    for number, (pose, who) in enumerate(zip(poses, (7, 1, None), strict=True)):
        assert has(plain, OWN[number], hips(pose), within_px=3)
        own = NOBODYS if who is None else OWN[who % len(OWN)]
        assert has(named, own, hips(pose), within_px=3)
        above = pose.xy[pose.visible].min(axis=0) * (0, 1) + pose.xy[:5].mean(axis=0) * (1, 0) - (0, 48)
        assert has(named, own, above, within_px=16, tolerance=3) is (who is not None)
        assert not has(plain, OWN[number], above, within_px=16, tolerance=3)


def test_a_tag_stays_in_the_picture() -> None:
    pose = poses_of(scene("wave"), 20)[0]
    for move in (-pose.xy.min(axis=0), np.array(SIZE) - 1 - pose.xy.max(axis=0)):
        corner = Pose(pose.xy + move, pose.confidence, pose.visible, 1.0)
        drawn = np.asarray(draw_skeletons(Pillow.new("RGB", SIZE), [corner], [123456]))
        row, column = np.nonzero((drawn == OWN[123456 % len(OWN)]).all(axis=-1))
        assert np.ptp(column[row < row.min() + 12]) > 40


def test_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    run(Config(), "synthetic:wave", out, first=20)
    with Pillow.open(out) as image:
        assert image.size == SIZE
        assert (image.format, image.mode) == ("PNG", "RGB")
        drawn = np.asarray(image)
    truth = poses_of(scene("wave"), 20)[0]
    for name in ("LEFT_KNEE", "LEFT_SHOULDER", "RIGHT_KNEE", "RIGHT_SHOULDER"):
        assert has(drawn, LEFT if name.startswith("LEFT") else RIGHT, truth.xy[INDEX[name]], within_px=12)
    run(Config(), str(out), tmp_path / "again.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.jpg", "out.png"]


def test_a_mirrored_camera_does_not_move_the_skeleton(tmp_path: Path) -> None:
    for name, mirror in (("a.png", False), ("b.png", True)):
        run(Config(camera=Camera(mirror=mirror)), "synthetic:wave", tmp_path / name, first=20)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_command_takes_model_and_size(tmp_path: Path) -> None:
    options = ("--model", "posenet-float16", "--input-size", "257x257", "--frame", "20")
    done = run_edge("annotate", "synthetic:wave", str(tmp_path / "a.png"), *options)
    assert done.returncode == 0, done.stderr
    environ = {"EDGE_POSE_MODEL__NAME": "posenet-float16", "EDGE_POSE_MODEL__INPUT_SIZE": "[257, 257]"}
    run_edge("annotate", "synthetic:wave", str(tmp_path / "b.png"), "--frame", "20", environ=environ)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "HEIGHTxWIDTH" in run_edge("annotate", "synthetic:wave", "a.png", "--input-size", "9").stderr


@pytest.mark.parametrize(
    ("source", "out", "problem"),
    [
        ("synthetic:walk", "out.docx", "name a picture such as out.png, or a video"),
        ("synthetic:walk", "out", "name a picture such as out.png, or a video"),
        ("synthetic:walk", "out.mp4", "--frames: synthetic:walk has no end"),
        ("rtsp://user:secret@camera/1", "out.mkv", r"--frames: rtsp://camera has no end"),
        ("/dev/video0", "out.mp4", "--frames: /dev/video0 has no end"),
        ("nothing.mp4", "out.mp4", "^IN: .*nothing.mp4 cannot be read"),
        ("nothing.png", "out.mp4", "^IN: nothing.png cannot be read"),
        (__file__, "out.png", f"^IN: no picture of 1 in {__file__} can be read"),
        ("picamera2", "out.mp4", "--frames: picamera2 has no end"),
        ("picamera2:1", "out.mp4", "--frames: picamera2:1 has no end"),
        ("", "out.png", "^IN: it names no file"),
        ("images:", "out.png", "^IN: it names no file"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, source: str, out: str, problem: str) -> None:
    (tmp_path / out).write_bytes(b"before")
    with pytest.raises(UsageError, match=problem) as caught:
        run(Config(), source, tmp_path / out)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(out, b"before")]


@pytest.mark.parametrize("form", ["{}", "images:{}", "video:{}"])
def test_what_is_read_is_not_overwritten(tmp_path: Path, form: str) -> None:
    picture, link = tmp_path / "a.png", tmp_path / "b.png"
    Pillow.new("RGB", SIZE).save(picture)
    link.symlink_to(picture)
    before = picture.read_bytes()
    for out in (picture, link):
        with pytest.raises(UsageError, match=r"^OUT: .* is IN"):
            run(Config(), form.format(picture), out)
    assert picture.read_bytes() == before


@pytest.mark.parametrize("form", ["{}", "images:{}", "{}/"])
def test_nor_is_any_picture_of_a_folder(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.PNG"):
        Pillow.new("RGB", SIZE).save(folder / name)
    (folder / "gone.png").symlink_to("nowhere")
    linked = tmp_path / "linked.png"
    linked.symlink_to(folder / "b.PNG")
    before = (folder / "b.PNG").read_bytes()
    for out in (folder / "a.png", folder / "b.PNG", linked):
        with pytest.raises(UsageError, match=rf"^OUT: {out} is in IN, and would be lost; name another file$"):
            run(Config(), form.format(folder), out)
    assert (folder / "b.PNG").read_bytes() == before
    run(Config(), form.format(folder), folder / "new.png")


def test_a_stream_that_is_not_there_is_told_of_in(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
    with pytest.raises(CameraError, match=r"^IN: http://127\.0\.0\.1:1 cannot be read .* in IN are right$"):
        run(Config(), "http://127.0.0.1:1/x", tmp_path / "out.png")


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    picture, video, empty = tmp_path / "a b.png", tmp_path / "ü.mp4", tmp_path / "empty.mp4"
    done = run_edge("annotate", "synthetic:two", str(picture), "--frame", "20")
    assert (done.stdout, done.stderr.splitlines()[-1]) == ("", f"{picture} is written: 2 people")
    assert run(Config(), "synthetic:two", video, frames=4) == "4 frames, at most 2 people at once"
    assert run(Config(), "synthetic:empty", empty, frames=1) == "1 frame, nobody"
    assert run(Config(), "synthetic:wave", picture, first=20) == "1 person"


def test_the_arguments_are_called_as_errors_call_them() -> None:
    assert "Missing argument 'OUT'" in run_edge("annotate", "x.png").stderr


def test_a_camera_that_is_not_there_may_be_back(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
    with pytest.raises(CameraError, match=r"^IN: /dev/video63 cannot be read"):
        run(Config(), "/dev/video63", tmp_path / "out.png")


def test_frames_are_for_videos(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--frames: .*out.png is one picture"):
        run(Config(), "synthetic:walk", tmp_path / "out.png", frames=3)


@pytest.mark.parametrize("name", ["out.png", "out.mp4"])
def test_a_failed_run_leaves_everything_as_it_was(tmp_path: Path, name: str) -> None:
    picture = tmp_path / "in.png"
    Pillow.new("RGB", SIZE).save(picture)
    out = tmp_path / "there" / name
    out.parent.mkdir()
    out.write_bytes(b"before")
    with pytest.raises(UsageError, match=rf"^--frame: {picture} has no frame 1; count from 0$"):
        run(Config(), str(picture), out, first=1)
    assert [(path.name, path.read_bytes()) for path in out.parent.iterdir()] == [(name, b"before")]
    out.unlink()
    out.mkdir()  # what cannot be replaced
    with pytest.raises(UsageError, match=f"^OUT: .*{name} cannot be written"):
        run(Config(), str(picture), out)
    assert [path.name for path in out.parent.iterdir()] == [name]


class Clip:
    """A video that was read back."""

    def __init__(self, file: Path) -> None:
        av = pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
            self.codec = str(stream.codec_context.name)
            self.pixels = str(stream.codec_context.pix_fmt)
            self.rate: Fraction | None = stream.average_rate
        self.images = [frame.to_ndarray(format="rgb24") for frame in frames]
        self.times_s = [float(frame.time) for frame in frames]

    @property
    def steps_s(self) -> list[float]:
        return [b - a for a, b in pairwise(self.times_s)]


def encode(file: Path, images: list[types.Image], *, rate: int = 10, times: list[int] | None = None) -> None:
    """Write a video, whose frames come at those ticks of `rate` a second."""
    av = pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
    with av.open(str(file), "w") as container:
        stream = container.add_stream("png", rate=rate)
        stream.pix_fmt = "rgb24"
        stream.height, stream.width = images[0].shape[:2]
        for image, time_ in zip(images, times or range(len(images)), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time_, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_every_frame_of_a_scene(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run(Config(), "synthetic:two", out, first=5, frames=12)
    clip = Clip(out)
    assert len(clip.images) == 12
    assert clip.images[0].shape == (SIZE[1], SIZE[0], 3)
    assert (clip.codec, clip.pixels) in {("h264", "yuv420p"), ("mpeg4", "yuv420p")}
    assert clip.rate == 15
    assert clip.steps_s == pytest.approx([1 / 15] * 11, abs=1e-3)
    assert list(tmp_path.iterdir()) == [out]
    of = scene("two")
    sides = [("LEFT", LEFT), ("RIGHT", RIGHT)]
    there = [
        has(image, colour, truth.xy[INDEX[f"{side}_{part}"]], within_px=16, tolerance=60)
        for number, image in enumerate(clip.images, 5)
        for truth in poses_of(of, number)
        for side, colour in sides
        for part in ("SHOULDER", "HIP", "KNEE")
        if truth.visible[INDEX[f"{side}_{part}"]]
    ]
    assert len(there) > 60
    assert np.mean(there) > 0.9


def test_people_of_a_video_are_followed(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run(Config(), "synthetic:wave", out, frames=10)
    first, *_, last = Clip(out).images
    place = hips(poses_of(scene("wave"), 0)[0])
    assert has(first, NOBODYS, place, within_px=5)
    assert any(has(last, own, place, within_px=5) for own in OWN[:3])


@pytest.mark.parametrize("name", ["a.mp4", "a.M4V", "a.mov", "a.mkv", "a.webm", "a.avi"])
def test_a_video_becomes_a_video_with_its_clock(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in.mov"
    images = [picture_of(scene("wave"), number)[:301, :401] for number in range(5)]
    encode(source, images, rate=10, times=[0, 1, 2, 5, 6])
    out = tmp_path / name
    run(Config(), str(source), out)
    clip = Clip(out)
    assert [image.shape for image in clip.images] == [(300, 400, 3)] * 5
    assert clip.steps_s == pytest.approx([0.1, 0.1, 0.3, 0.1], abs=0.08)
    assert clip.pixels == "yuv420p"
    for image, original in zip(clip.images, images, strict=True):
        assert np.abs(image[:20].astype(int) - original[:20, :400]).mean() < 8
    run(Config(), str(out), tmp_path / "again.mp4")
    assert len(Clip(tmp_path / "again.mp4").images) == 5


def test_the_command_takes_a_part_of_a_video(tmp_path: Path) -> None:
    source, out = tmp_path / "in.mov", tmp_path / "out.mp4"
    encode(source, [np.full((48, 64, 3), 20 * level, np.uint8) for level in range(10)])
    done = run_edge("annotate", str(source), str(out), "--frame", "3", "--frames", "4")
    assert done.returncode == 0, done.stderr
    clip = Clip(out)
    assert [image.mean() for image in clip.images] == pytest.approx([60, 80, 100, 120], abs=6)
    assert clip.rate == 10


def test_pictures_of_a_folder_become_a_video(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (width, height) in enumerate([(64, 48), (48, 64), (128, 96)]):
        Pillow.new("RGB", (width, height), (200, 200, 200)).save(folder / f"{number}.png")
    run(Config(camera=Camera(fps=2)), str(folder), tmp_path / "out.mp4")
    clip = Clip(tmp_path / "out.mp4")
    assert [image.shape for image in clip.images] == [(48, 64, 3)] * 3
    assert clip.rate == 2
    assert clip.images[1][24, 32].min() > 180  # in the middle, between black margins
    assert clip.images[1][24, [2, 61]].max() < 20


def broken(after: int) -> Iterator[tuple[types.Image, float]]:
    for number in range(after):
        yield np.zeros((48, 64, 3), np.uint8), number / 10
    raise CameraError("gone")


@pytest.mark.parametrize("after", [0, 3])
def test_the_writer_hands_on_what_its_source_raises(tmp_path: Path, after: int) -> None:
    pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
    from edge.drawing.video_writer import write_video  # noqa: PLC0415

    with pytest.raises(CameraError, match="gone"):
        write_video(tmp_path / "a.mp4", broken(after), Fraction(10))
    with pytest.raises(OSError, match="No such file"):
        write_video(tmp_path / "no folder" / "a.mp4", [(np.zeros((48, 64, 3), np.uint8), 0.0)], Fraction(10))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing(tmp_path: Path, number: int) -> None:
    command = [
        sys.executable,
        "-m",
        "edge",
        "annotate",
        "synthetic:walk",
        str(tmp_path / "out.mp4"),
        "--frames",
        "9999",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 30
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
