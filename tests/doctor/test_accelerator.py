"""The Coral, in folders that look like /dev and /sys, and its library, as real shared libraries."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge.doctor import accelerator, software
from edge.doctor.access import find_account
from edge.doctor.command import Ran, run
from tests.support.devices import node

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="NO C COMPILER: run: apt-get install gcc libc6-dev")


def usb(root: Path, ids: str, speed: str = "5000") -> Path:
    """Add a USB device with these IDs; returns its node."""
    vendor, product = ids.split(":")
    folder = root / "sys/bus/usb/devices/2-1"
    folder.mkdir()
    for name, text in (
        ("idVendor", vendor), ("idProduct", product), ("busnum", "2"), ("devnum", "7"), ("speed", speed),
    ):  # fmt: skip
        (folder / name).write_text(f"{text}\n")
    return node(root / "dev/bus/usb/002/007", 0o666)


def test_a_missing_coral_is_a_problem_only_if_it_is_configured(root: Path) -> None:
    (found,) = accelerator.coral(root, "auto", None)
    assert found.level == "ok"
    (found,) = accelerator.coral(root, "edgetpu:usb", None)
    assert found.level == "problem"
    assert "edgetpu:usb" in found.text


@pytest.mark.parametrize(("ids", "word"), [("1a6e:089a", "not loaded yet"), ("18d1:9302", "firmware loaded")])
def test_a_coral_on_usb_is_found_with_the_state_of_its_firmware(root: Path, ids: str, word: str) -> None:
    user = find_account(root, "edge-pose")
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


def test_a_coral_at_a_usb_2_port_is_a_warning(root: Path) -> None:
    usb(root, "18d1:9302", speed="480")
    (found,) = accelerator.coral(root, "auto", None)
    assert found.level == "warning"
    assert "USB 3" in found.fix


def test_another_usb_device_is_not_a_coral(root: Path) -> None:
    usb(root, "18d1:4ee7")
    assert [result.text for result in accelerator.coral(root, "auto", None)] == [
        "none attached; the CPU runs the model"
    ]


def test_a_coral_on_pcie_needs_its_driver(root: Path) -> None:
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
    """Runs programs, but pretends that apt installed this libedgetpu, and pip this runtime."""

    def answer(command: Sequence[str]) -> Ran:
        if command[0] == "dpkg-query":
            return Ran(0, f"{version}\n") if version else Ran(1)
        if runtime and software._RUNTIME in command:
            return Ran(0, f"{runtime}\n")
        return run(command)

    return answer


def build(folder: Path, body: str) -> str:
    """Compile a libedgetpu; returns its path."""
    source, library = folder / "tpu.c", folder / "libedgetpu.so.1"
    source.write_text(body)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return str(library)


def test_a_missing_library_is_a_problem_only_with_a_coral() -> None:
    assert accelerator.library(dpkg(""), needed=False, name="libno-such.so.1").level == "ok"
    assert accelerator.library(dpkg(""), needed=True, name="libno-such.so.1").level == "problem"


@needs_cc
def test_a_library_that_crashes_is_reported(tmp_path: Path) -> None:
    body = "#include <signal.h>\n__attribute__((constructor)) static void start(void) { raise(SIGSEGV); }"
    found = accelerator.library(dpkg(""), needed=True, name=build(tmp_path, body))
    assert found.level == "problem"
    assert "SIGSEGV" in found.text
    (tmp_path / "libedgetpu.so.1").write_text("not a library")
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
def test_googles_old_library_does_not_fit_a_new_runtime(tmp_path: Path, version: str, runtime: str, level: str) -> None:
    library = build(tmp_path, 'const char* edgetpu_version(void) { return "RuntimeVersion(14)"; }')
    found = accelerator.library(dpkg(version, runtime), needed=True, name=library)
    assert found.level == level
    assert (runtime in found.text) == bool(version and (level == "problem" or "TF" in version))
