"""Camera and Coral in `edge-pose doctor`: trees that look like /dev, /sys and /etc, real processes, real libraries."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.doctor import accelerator, camera, software
from edge.doctor.access import Account, account, holders, permission
from edge.doctor.machine import Ran, run

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="NO C COMPILER: do apt-get install gcc libc6-dev")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with a user and nothing else; its processes are the real ones."""
    for folder in ("dev", "etc", "sys/bus/usb/devices", "sys/bus/pci/devices"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc").symlink_to("/proc")
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nedge-pose:x:990:991::/:/bin/false\n")
    ours = os.getegid()  # the owner of files that are made here
    (tmp_path / "etc/group").write_text(f"video:x:{ours}:pi\nedge-pose:x:991:\nplugdev:x:46:pi,edge-pose\n+:::\n")
    return tmp_path


def node(path: Path, mode: int = 0o660) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)
    return path


def usb(root: Path, ids: str, speed: str = "5000") -> Path:
    """A device on the bus and its node."""
    vendor, product = ids.split(":")
    folder = root / "sys/bus/usb/devices/2-1"
    folder.mkdir()
    for name, text in (
        ("idVendor", vendor), ("idProduct", product), ("busnum", "2"), ("devnum", "7"), ("speed", speed),
    ):  # fmt: skip
        (folder / name).write_text(f"{text}\n")
    return node(root / "dev/bus/usb/002/007", 0o666)


@contextmanager
def program(name: str, file: Path) -> Iterator[int]:
    """A program of that name has this file open; gives its process id."""
    script = file.with_name("bin") / name
    script.parent.mkdir()
    script.write_text("import sys\nfile = open(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()\n")
    process = subprocess.Popen([sys.executable, str(script), str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    try:
        yield process.pid
    finally:
        process.communicate()


def test_an_account_has_the_groups_that_systemd_gives_it(root: Path) -> None:
    ours = os.getegid()
    assert account(root, "edge-pose") == Account("edge-pose", 990, frozenset({991, 46}))
    assert account(root, "edge-pose", ["video"]) == Account("edge-pose", 990, frozenset({991, 46, ours}))
    assert account(root, "nobody-here") is None


def test_permission_names_the_node_and_its_group(root: Path) -> None:
    apart, inside = account(root, "edge-pose"), account(root, "edge-pose", ["video"])
    video = node(root / "dev/video0")
    assert permission("camera", root, [video], inside) is None
    refused = permission("camera", root, [video], apart)
    assert refused is not None
    assert refused.level == "problem"
    assert "/dev/video0" in refused.text
    assert refused.fix == "sudo usermod -aG video edge-pose, and restart the service"
    private = permission("camera", root, [node(root / "dev/video1", 0o600)], inside)
    assert private is not None
    assert "udev" in private.fix  # no group would help
    assert permission("camera", root, [node(root / "dev/video2", 0o666)], apart) is None
    assert permission("camera", root, [video], Account("root", 0, frozenset())) is None
    assert permission("camera", root, [video], None) is None


def test_who_has_a_device_open_is_found(root: Path) -> None:
    video = node(root / "dev/video0")
    assert holders(root, [video])[0] == []
    with program("motion", video) as pid:
        (found,) = holders(root, [video])[0]
        assert (found.pid, found.ours) == (pid, False)
    with program("edge-pose", node(root / "dev/other/video1")) as pid:
        (found,) = holders(root, [root / "dev/other/video1"])[0]
        assert (found.pid, found.ours) == (pid, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: only root can become somebody else")
def test_who_may_not_look_at_others_says_so() -> None:
    os.seteuid(65534)
    try:
        complete = holders(Path("/"), [Path("/dev/none")])[1]
    finally:
        os.seteuid(0)
    assert complete is False


def test_a_camera_on_usb(root: Path) -> None:
    user = account(root, "edge-pose", ["video"])

    def look() -> list[tuple[str, str]]:
        return [(one.level, one.text) for one in camera.camera(root, run, "/dev/video0", user)]

    assert look() == [("problem", "there is no /dev/video0")]
    video = node(root / "dev/video0")
    title = root / "sys/class/video4linux/video0/name"
    title.parent.mkdir(parents=True)
    title.write_text("HD Webcam\n")
    free = "ok" if os.geteuid() == 0 else "unknown"  # only root sees whether others have it open
    (_, title_text), (level, _) = look()
    assert (title_text, level) == ("/dev/video0 is there: HD Webcam", free)
    with program("motion", video) as pid:
        level, text = look()[1]
        assert level == "problem"
        assert f"(process {pid})" in text
    (root / "dev/bin/motion").unlink()
    (root / "dev/bin").rmdir()
    with program("edge-pose", video):
        assert look()[1][0] == "ok"
    user = account(root, "edge-pose")
    assert look()[1][0] == "problem"


def test_a_source_that_is_no_device_needs_none(root: Path) -> None:
    (found,) = camera.camera(root, run, "rtsp://10.0.0.9/stream", None)
    assert found.level == "ok"


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
def test_the_pi_camera(
    root: Path, monkeypatch: pytest.MonkeyPatch, package: str, source: str, *, level: str, word: str, fix: str
) -> None:
    picamera2(root, monkeypatch, package)
    found = camera.camera(root, run, source, None)
    assert found[0].level == level
    assert word in found[0].text
    assert fix in found[0].fix


def picamera2(root: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """A library of that text, for processes that are started from now on."""
    (root / "lib").mkdir()
    (root / "lib/picamera2.py").write_text(package)
    (root / "lib/libcamera.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(root / "lib"))


def test_a_pi_camera_that_does_not_answer_may_only_be_slow(root: Path) -> None:
    (found,) = camera.camera(root, lambda _command: Ran(None, err="no answer within 8 s"), "picamera2", None)
    assert found.level == "warning"


def test_the_pi_camera_in_use(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picamera2(root, monkeypatch, PICAMERA2)
    media, _ = node(root / "dev/media0"), node(root / "dev/dma_heap/system", 0o600)
    with program("rpicam-vid", media) as pid:
        assert f"(process {pid})" in camera.camera(root, run, "picamera2", None)[1].text
    user = account(root, "edge-pose", ["video"])
    assert "/dev/dma_heap/system" in camera.camera(root, run, "picamera2", user)[1].text


def test_no_coral(root: Path) -> None:
    (found,) = accelerator.coral(root, "auto", None)
    assert found.level == "ok"
    (found,) = accelerator.coral(root, "edgetpu:usb", None)
    assert found.level == "problem"
    assert "edgetpu:usb" in found.text


@pytest.mark.parametrize(("ids", "word"), [("1a6e:089a", "not loaded yet"), ("18d1:9302", "firmware loaded")])
def test_a_coral_on_usb_before_and_after_its_firmware(root: Path, ids: str, word: str) -> None:
    user = account(root, "edge-pose")
    device = usb(root, ids)
    (found,) = accelerator.coral(root, "auto", user)
    assert found.level == "ok"
    assert word in found.text
    device.chmod(0o660)
    (found,) = accelerator.coral(root, "auto", user)
    assert found.level == "problem"
    assert "/dev/bus/usb/002/007" in found.text
    device.unlink()
    (found,) = accelerator.coral(root, "auto", user)
    assert found.level == "problem"


def test_a_coral_at_a_slow_port(root: Path) -> None:
    usb(root, "18d1:9302", speed="480")
    (found,) = accelerator.coral(root, "auto", None)
    assert found.level == "warning"
    assert "USB 3" in found.fix


def test_another_device_is_no_coral(root: Path) -> None:
    usb(root, "18d1:4ee7")
    assert accelerator.corals(root) == []


def test_a_coral_on_pcie(root: Path) -> None:
    folder = root / "sys/bus/pci/devices/0000:01:00.0"
    folder.mkdir()
    (folder / "vendor").write_text("0x1ac1\n")
    (folder / "device").write_text("0x089a\n")
    (found,) = accelerator.coral(root, "auto", None)
    assert found.level == "problem"
    assert "gasket" in found.fix
    node(root / "dev/apex_0")
    (found,) = accelerator.coral(root, "auto", None)
    assert found.level == "ok"


def dpkg(version: str, runtime: str = "") -> Callable[[Sequence[str]], Ran]:
    """Runs what it is told, but for what apt has installed, and which runtime is."""

    def answer(command: Sequence[str]) -> Ran:
        if command[0] == "dpkg-query":
            return Ran(0, f"{version}\n") if version else Ran(1)
        if runtime and software._RUNTIME in command:
            return Ran(0, f"{runtime}\n")
        return run(command)

    return answer


def build(folder: Path, body: str) -> str:
    source, library = folder / "tpu.c", folder / "libedgetpu.so.1"
    source.write_text(body)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return str(library)


def test_a_library_that_is_missing_is_missed_only_by_who_has_a_coral() -> None:
    assert accelerator.library(dpkg(""), needed=False, name="libno-such.so.1").level == "ok"
    assert accelerator.library(dpkg(""), needed=True, name="libno-such.so.1").level == "problem"


@needs_cc
def test_a_library_that_crashes_is_only_a_line(tmp_path: Path) -> None:
    body = "#include <signal.h>\n__attribute__((constructor)) static void start(void) { raise(SIGSEGV); }"
    found = accelerator.library(dpkg(""), needed=True, name=build(tmp_path, body))
    assert found.level == "problem"
    assert "SIGSEGV" in found.text
    (tmp_path / "libedgetpu.so.1").write_text("no library")
    assert "cannot be loaded" in accelerator.library(dpkg(""), needed=True, name=str(tmp_path / "libedgetpu.so.1")).text


@needs_cc
@pytest.mark.parametrize(
    ("version", "runtime", "level"),
    [
        ("16.0", "ai-edge-litert 2.3.0", "problem"),
        ("16.0", "tflite-runtime 2.14.0", "problem"),
        ("16.0", "tflite-runtime 2.5.0.post1", "ok"),
        ("16.0TF2.17.1-1.bookworm", "ai-edge-litert 2.3.0", "ok"),
        ("", "ai-edge-litert 2.3.0", "ok"),
    ],
)
def test_googles_old_library_does_not_go_with_a_new_runtime(
    tmp_path: Path, version: str, runtime: str, level: str
) -> None:
    library = build(tmp_path, 'const char* edgetpu_version(void) { return "RuntimeVersion(14)"; }')
    found = accelerator.library(dpkg(version, runtime), needed=True, name=library)
    assert found.level == level
    assert (runtime in found.text) == bool(version and (level == "problem" or "TF" in version))
