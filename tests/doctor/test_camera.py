"""Cameras: device nodes, other programs that use them, and picamera2 in another process."""

import os
from pathlib import Path

import pytest

from edge.doctor.access import find_account
from edge.doctor.camera import camera
from edge.doctor.command import Ran, run
from tests.support.devices import node, program


def test_a_usb_camera_must_exist_be_free_and_be_permitted(root: Path) -> None:
    user = find_account(root, "edge-pose", ["video"])

    def examine() -> list[tuple[str, str]]:
        return [(result.level, result.text) for result in camera(root, run, "/dev/video0", user)]

    assert examine() == [("problem", "there is no /dev/video0")]
    video = node(root / "dev/video0")
    title = root / "sys/class/video4linux/video0/name"
    title.parent.mkdir(parents=True)
    title.write_text("HD Webcam\n")
    free = "ok" if os.geteuid() == 0 else "unknown"  # only root sees the processes of other users
    (_, title_text), (level, _) = examine()
    assert (title_text, level) == ("/dev/video0 exists: HD Webcam", free)
    with program("motion", video) as pid:
        level, text = examine()[1]
        assert level == "problem"
        assert f"(process {pid})" in text
    with program("edge-pose", video):
        assert examine()[1][0] == "ok"
    user = find_account(root, "edge-pose")
    assert examine()[1][0] == "problem"


def test_a_stream_needs_no_device(root: Path) -> None:
    (results,) = camera(root, run, "rtsp://10.0.0.9/stream", None)
    assert results.level == "ok"


PICAMERA2 = """
class Picamera2:
    @staticmethod
    def global_camera_info():
        return [{"Model": "imx708", "Num": 0}]
"""


@pytest.mark.parametrize(
    ("package", "source", "level", "word", "fix"),
    [
        (PICAMERA2, "picamera2", "ok", "imx708", ""),
        (PICAMERA2, "picamera2:1", "problem", "no camera 1", "picamera2:0"),
        (
            PICAMERA2.replace('{"Model": "imx708", "Num": 0}', ""),
            "picamera2",
            "problem",
            "no camera is detected",
            "cable",
        ),
        ("import pykms", "picamera2", "problem", "pykms", "python3-kms++"),
        ("import os\nos.abort()", "picamera2", "problem", "SIGABRT", "--reinstall"),
        ("import piexif_", "picamera2", "problem", "No module named 'piexif_'", "--system-site-packages"),
        ("raise ValueError('numpy.dtype size changed')", "picamera2", "problem", "numpy.dtype size", "apt's numpy"),
    ],
)
def test_the_pi_camera_must_be_detected_by_picamera2(
    root: Path, monkeypatch: pytest.MonkeyPatch, package: str, source: str, *, level: str, word: str, fix: str
) -> None:
    picamera2(root, monkeypatch, package)
    results = camera(root, run, source, None)
    assert results[0].level == level
    assert word in results[0].text
    assert fix in results[0].fix


def picamera2(root: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Install a picamera2 with this source text for all new processes."""
    (root / "lib").mkdir()
    (root / "lib/picamera2.py").write_text(package)
    (root / "lib/libcamera.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(root / "lib"))


def test_a_picamera2_that_does_not_answer_is_a_warning(root: Path) -> None:
    (results,) = camera(root, lambda _command: Ran(None, err="no answer within 8 s"), "picamera2", None)
    assert results.level == "warning"


def test_a_program_that_uses_the_pi_camera_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picamera2(root, monkeypatch, PICAMERA2)
    media, _ = node(root / "dev/media0"), node(root / "dev/dma_heap/system", 0o600)
    with program("rpicam-vid", media) as pid:
        assert f"(process {pid})" in camera(root, run, "picamera2", None)[1].text
    user = find_account(root, "edge-pose", ["video"])
    assert "/dev/dma_heap/system" in camera(root, run, "picamera2", user)[1].text
