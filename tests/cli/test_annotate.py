"""`edge-pose annotate`: skeletons on a picture, a video or a GIF."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageSequence

from edge.cli.annotate import run
from edge.config import Camera, Config, People, Zone
from edge.drawing.places import KINDS
from edge.drawing.skeletons import LEFT, PEOPLE, RIGHT, UNCONFIRMED
from edge.errors import EXIT_USAGE, CameraError, UsageError
from edge.skeleton import INDEX
from edge.types import Image
from tests.support import ROOT
from tests.support.models import fast_config
from tests.support.pictures import SIZE, Clip, has_colour, hips
from tests.support.scenes import picture_of, poses_of, scene
from tests.support.sensor import run_edge
from tests.support.waiting import LONG_S, until


def test_a_picture_shows_the_skeleton(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    run(Config(), "synthetic:wave", out, first=20)
    with Pillow.open(out) as image:
        assert image.size == SIZE
        assert (image.format, image.mode) == ("PNG", "RGB")
        drawn = np.asarray(image)
    truth = poses_of(scene("wave"), 20)[0]
    for name in ("LEFT_KNEE", "LEFT_SHOULDER", "RIGHT_KNEE", "RIGHT_SHOULDER"):
        assert has_colour(drawn, LEFT if name.startswith("LEFT") else RIGHT, truth.xy[INDEX[name]], within_px=12)
    run(Config(), str(out), tmp_path / "again.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.jpg", "out.png"]


def test_a_pose_that_could_only_continue_a_person_is_not_drawn_in_a_picture(tmp_path: Path) -> None:
    """MultiPose scores the second person below 0.35, because the first one hides most of them."""
    config = fast_config(model={"name": "movenet-multipose"})
    assert run(config, "synthetic:two", tmp_path / "out.png", first=120) == "1 person"


def test_a_mirrored_camera_does_not_move_the_skeleton(tmp_path: Path) -> None:
    for name, mirror in (("a.png", False), ("b.png", True)):
        run(Config(camera=Camera(mirror=mirror)), "synthetic:wave", tmp_path / name, first=20)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_zones_of_the_configuration_are_drawn_in_pictures_and_animations(tmp_path: Path) -> None:
    zone = Zone(name="bed", kind="bed", points=((0.1, 0.5), (0.4, 0.5), (0.4, 0.9), (0.1, 0.9)))
    run(Config(zones=(zone,)), "synthetic:empty", tmp_path / "a.png")
    run(Config(zones=(zone,)), "synthetic:empty", tmp_path / "a.gif", frames=1)
    for name in ("a.png", "a.gif"):
        with Pillow.open(tmp_path / name) as image:
            side = np.array((0.1 * image.width, 0.7 * image.height))
            assert has_colour(np.asarray(image.convert("RGB")), KINDS["bed"], side, within_px=3, tolerance=40)


def test_the_command_accepts_a_model_and_an_input_size(tmp_path: Path) -> None:
    options = ("--model", "posenet-float16", "--input-size", "257x257", "--frame", "20")
    done = run_edge("annotate", "synthetic:wave", str(tmp_path / "a.png"), *options)
    assert done.returncode == 0, done.stderr
    environ = {"EDGE_POSE_MODEL__NAME": "posenet-float16", "EDGE_POSE_MODEL__INPUT_SIZE": "[257, 257]"}
    run_edge("annotate", "synthetic:wave", str(tmp_path / "b.png"), "--frame", "20", environ=environ)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "HEIGHTxWIDTH" in run_edge("annotate", "synthetic:wave", "a.png", "--input-size", "9").stderr


@pytest.mark.parametrize(
    ("source", "out", "key", "problem"),
    [
        ("synthetic:walk", "out.docx", "OUT", "not a file type that can be written"),
        ("synthetic:walk", "out", "OUT", "has no file type"),
        ("synthetic:walk", "out.mp4", "--frames", "synthetic:walk has no end"),
        ("synthetic:walk", "out.gif", "--frames", "synthetic:walk has no end"),
        ("rtsp://user:secret@camera/1", "out.mkv", "--frames", "rtsp://camera has no end"),
        ("/dev/video0", "out.mp4", "--frames", "/dev/video0 has no end"),
        ("picamera2", "out.mp4", "--frames", "picamera2 has no end"),
        ("picamera2:1", "out.mp4", "--frames", "picamera2:1 has no end"),
        ("nothing.mp4", "out.mp4", "IN", "nothing.mp4 cannot be read"),
        ("nothing.png", "out.mp4", "IN", "nothing.png cannot be read"),
        (__file__, "out.png", "IN", f"{__file__} cannot be read"),
        ("synthetic:wlak", "out.png", "IN", 'no scene "wlak"'),
        ("", "out.png", "IN", "names no file"),
        ("images:", "out.png", "IN", "names no file"),
    ],
)
def test_the_error_names_the_unusable_argument_and_nothing_is_written(
    tmp_path: Path, source: str, out: str, key: str, problem: str
) -> None:
    (tmp_path / out).write_bytes(b"before")
    with pytest.raises(UsageError) as caught:
        run(Config(), source, tmp_path / out)
    assert caught.value.key == key
    assert problem in caught.value.problem
    assert caught.value.remedy
    assert "secret" not in str(caught.value)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(out, b"before")]


@pytest.mark.parametrize("form", ["{}", "images:{}", "video:{}"])
def test_the_input_is_not_overwritten(tmp_path: Path, form: str) -> None:
    picture, link = tmp_path / "a.png", tmp_path / "b.png"
    Pillow.new("RGB", SIZE).save(picture)
    link.symlink_to(picture)
    before = picture.read_bytes()
    for out in (picture, link):
        with pytest.raises(UsageError) as caught:
            run(Config(), form.format(picture), out)
        assert (caught.value.key, caught.value.problem) == ("OUT", f"{out} is IN, and would be overwritten")
    assert picture.read_bytes() == before


@pytest.mark.parametrize("form", ["{}", "images:{}", "{}/"])
def test_no_picture_of_an_input_folder_is_overwritten(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.PNG"):
        Pillow.new("RGB", SIZE).save(folder / name)
    (folder / "gone.png").symlink_to("nowhere")
    linked = tmp_path / "linked.png"
    linked.symlink_to(folder / "b.PNG")
    before = (folder / "b.PNG").read_bytes()
    for out in (folder / "a.png", folder / "b.PNG", linked):
        with pytest.raises(UsageError) as caught:
            run(Config(), form.format(folder), out)
        assert (caught.value.key, caught.value.problem) == ("OUT", f"{out} is in IN, and would be overwritten")
    assert (folder / "b.PNG").read_bytes() == before
    run(Config(), form.format(folder), folder / "new.png")


@pytest.mark.parametrize("source", ["http://127.0.0.1:1/x", "/dev/video63"])
def test_an_unreachable_camera_stays_a_camera_error(tmp_path: Path, source: str) -> None:
    pytest.importorskip("av", reason="PYAV IS NOT INSTALLED: do pip install 'edge-pose[video]'")
    with pytest.raises(CameraError) as caught:
        run(Config(), source, tmp_path / "out.png")
    assert caught.value.key == "IN"


def test_the_command_reports_the_number_of_people(tmp_path: Path) -> None:
    picture, video, empty = tmp_path / "a b.png", tmp_path / "ü.mp4", tmp_path / "empty.mp4"
    done = run_edge("annotate", "synthetic:two", str(picture), "--frame", "20")
    assert (done.stdout, done.stderr.splitlines()) == ("", [f"wrote {picture}: 2 people"])
    assert run(Config(), "synthetic:two", video, frames=4) == "4 frames, at most 2 people at once"
    assert run(Config(), "synthetic:empty", empty, frames=1) == "1 frame, no people"
    assert run(Config(), "synthetic:wave", picture, first=20) == "1 person"


def test_usage_errors_name_the_arguments_like_other_errors() -> None:
    assert "Missing argument 'OUT'" in run_edge("annotate", "x.png").stderr


@pytest.mark.parametrize(
    ("source", "out", "error"),
    [("synthetic:wave", "out.docx", "OUT: "), ("/nowhere.png", "out.png", "IN: /nowhere.png cannot be read")],
)
def test_the_command_reports_an_unusable_argument_in_one_line(
    tmp_path: Path, source: str, out: str, error: str
) -> None:
    done = run_edge("annotate", source, str(tmp_path / out))
    assert (done.returncode, done.stderr.count("\n")) == (EXIT_USAGE, 1)
    assert done.stderr.startswith(f"edge-pose: {error}")


def test_frames_is_refused_for_a_picture(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(Config(), "synthetic:walk", tmp_path / "out.png", frames=3)
    assert caught.value.key == "--frames"


@pytest.mark.parametrize("name", ["out.png", "out.gif", "out.mp4"])
def test_a_failed_run_leaves_an_existing_file_unchanged(tmp_path: Path, name: str) -> None:
    picture = tmp_path / "in.png"
    Pillow.new("RGB", SIZE).save(picture)
    out = tmp_path / "there" / name
    out.parent.mkdir()
    out.write_bytes(b"before")
    with pytest.raises(UsageError) as caught:
        run(Config(), str(picture), out, first=1)
    assert (caught.value.key, caught.value.problem) == ("--frame", f"{picture} has no frame 1")
    assert [(path.name, path.read_bytes()) for path in out.parent.iterdir()] == [(name, b"before")]
    out.unlink()
    out.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(UsageError) as caught:
        run(Config(), str(picture), out)
    assert caught.value.key == "OUT"
    assert [path.name for path in out.parent.iterdir()] == [name]


def encode(file: Path, images: list[Image], *, rate: int = 10, times: list[int] | None = None) -> None:
    """Write a video. `times` are the frames' times in units of 1 / `rate` s."""
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


def test_a_video_shows_the_skeleton_in_every_frame(tmp_path: Path) -> None:
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
    found = [
        has_colour(image, colour, truth.xy[INDEX[f"{side}_{part}"]], within_px=16, tolerance=60)
        for number, image in enumerate(clip.images, 5)
        for truth in poses_of(of, number)
        for side, colour in sides
        for part in ("SHOULDER", "HIP", "KNEE")
        if truth.visible[INDEX[f"{side}_{part}"]]
    ]
    assert len(found) > 60
    assert np.mean(found) > 0.9


def test_people_in_a_video_are_tracked(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run(Config(people=People(second_opinion="off")), "synthetic:wave", out, frames=10)
    first, *_, last = Clip(out).images
    place = hips(poses_of(scene("wave"), 0)[0])
    assert has_colour(first, UNCONFIRMED, place, within_px=5)
    assert any(has_colour(last, own, place, within_px=5) for own in PEOPLE[:3])


@pytest.mark.parametrize("name", ["a.mp4", "a.M4V", "a.mov", "a.mkv", "a.webm", "a.avi"])
def test_a_video_keeps_the_times_of_its_frames(tmp_path: Path, name: str) -> None:
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


def test_the_command_accepts_a_range_of_frames(tmp_path: Path) -> None:
    source, out = tmp_path / "in.mov", tmp_path / "out.mp4"
    encode(source, [np.full((48, 64, 3), 20 * level, np.uint8) for level in range(10)])
    done = run_edge("annotate", str(source), str(out), "--frame", "3", "--frames", "4")
    assert done.returncode == 0, done.stderr
    clip = Clip(out)
    assert [image.mean() for image in clip.images] == pytest.approx([60, 80, 100, 120], abs=6)
    assert clip.rate == 10


def test_the_pictures_of_a_folder_become_a_video(tmp_path: Path) -> None:
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


def test_a_gif_of_a_scene_is_animated_and_small(tmp_path: Path) -> None:
    out = tmp_path / "out.gif"
    assert run(Config(), "synthetic:three", out, frames=60) == "60 frames, at most 3 people at once"
    with Pillow.open(out) as gif:
        assert gif.size == (480, 360)
        assert sum(1 for _ in ImageSequence.Iterator(gif)) == 30
    assert out.stat().st_size < 1_500_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_file(tmp_path: Path, number: int) -> None:
    arguments = ["annotate", "synthetic:walk", str(tmp_path / "out.mp4"), "--frames", "9999"]
    command = [sys.executable, "-m", "edge", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})
    until(lambda: process.poll() is not None or any(tmp_path.iterdir()))
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    process.send_signal(number)
    process.communicate(timeout=LONG_S)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
