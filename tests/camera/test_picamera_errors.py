"""Errors of a Pi camera that cannot be used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.camera import open_source, picamera_help
from edge.errors import CameraError, ConfigError
from tests.picamera2.scene import still
from tests.support.fakes_picamera import Hardware
from tests.support.picamera_rig import (
    FAST,
    PICAMERA_WARNINGS,
    FakeRig,
    Rig,
    forget_modules,
    some,
)

pytestmark = PICAMERA_WARNINGS


@pytest.mark.parametrize("method", ["__init__", "configure", "start"])
def test_a_failure_at_the_start_is_an_error_at_once(rig: Rig, method: str) -> None:
    rig.break_next(method)
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert caught.value.key == "camera.source"
    assert f"{method} is broken" in caught.value.problem
    rig.library(0).close()


def test_a_missing_permission_has_its_own_remedy(rig: Rig) -> None:
    rig.break_next("__init__", error=PermissionError(13, "Permission denied", "/dev/dma_heap/linux,cma"))
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "/dev/dma_heap/linux,cma" in caught.value.problem
    assert "usermod -aG video <user>" in caught.value.remedy


@pytest.mark.parametrize("method", ["configure", "start"])
def test_a_busy_camera_is_reported_as_in_use(rig: Rig, method: str) -> None:
    rig.break_next(method, error=RuntimeError("Failed to start camera: Device or resource busy"))
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "in use by" in caught.value.problem


def test_a_machine_without_cameras_is_an_error(pi: FakeRig) -> None:
    pi.hardware.models = ()
    with pi.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "no camera was found" in caught.value.problem
    assert "rpicam-hello --list-cameras" in caught.value.remedy


def test_a_number_without_a_camera_is_an_error(rig: Rig) -> None:
    with rig.open(source="picamera2:7") as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert re.search("is only 1 camera|are only 2 cameras", caught.value.problem)


@pytest.mark.parametrize("source", ["picamera2:x", "picamera2:-1", "picamera2:1:2"])
def test_a_suffix_that_is_no_number_is_refused(pi: FakeRig, source: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pi.open(source=source)
    assert caught.value.key == "camera.source"
    assert source in caught.value.problem


def test_the_program_that_uses_the_camera_is_named(rig: Rig, tmp_path: Path) -> None:
    device = tmp_path / "media0"
    device.touch()
    other = rig.library(0)
    rig.patch.setattr(picamera_help, "DEVICES", re.compile(re.escape(str(device))))
    with device.open("rb") as taken, subprocess.Popen(["sleep", "60"], stdin=taken) as holder:
        with rig.open() as feed, pytest.raises(CameraError) as caught:
            some(feed, 1)
        assert f"in use by sleep (process {holder.pid})" in caught.value.problem
        holder.terminate()
    with rig.open() as feed, pytest.raises(CameraError) as caught:
        some(feed, 1)
    assert "in use by another process" in caught.value.problem
    other.close()


@pytest.mark.parametrize("missing", ["picamera2", "libcamera"])
def test_a_missing_library_is_named_with_its_packages(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name, module in (Hardware(still()).modules() | {missing: None}).items():
        monkeypatch.setitem(sys.modules, name, module)
    forget_modules(monkeypatch)
    with pytest.raises(ConfigError) as caught:
        open_source(FAST)
    assert caught.value.key == "camera.source"
    assert missing in caught.value.problem
    assert "python3-picamera2" in caught.value.remedy
    assert "--system-site-packages" in caught.value.remedy


@pytest.mark.parametrize(
    ("fails", "problem", "remedy"),
    [
        ("import pykms", "pykms", "apt install python3-kms"),
        ("raise ValueError('numpy.dtype size changed')", "numpy.dtype size changed", "pip uninstall numpy"),
        (
            "raise ImportError('numpy.core.multiarray failed' + 50 * '\\n\\nIMPORTANT: READ THIS')",
            "numpy.core.multiarray failed",
            "pip uninstall numpy",
        ),
        ("raise ImportError('no', name='libcamera._libcamera')", "(no)", "/usr/bin/python3"),
        ("raise AttributeError('PixelFormat')", "(PixelFormat)", "apt install"),
        ("import ctypes; ctypes.CDLL('libnone.so')", "libnone.so: ", "apt install"),
    ],
)
def test_a_library_that_cannot_be_imported_has_a_remedy_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: str, problem: str, remedy: str
) -> None:
    (tmp_path / "picamera2.py").write_text(fails)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "libcamera", Hardware(still()).modules()["libcamera"])
    monkeypatch.setitem(sys.modules, "pykms", None)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    forget_modules(monkeypatch)
    with pytest.raises(ConfigError) as caught:
        open_source(FAST)
    assert caught.value.key == "camera.source"
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert len(str(caught.value)) < 400
