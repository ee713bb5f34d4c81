import os
from pathlib import Path

import pytest

from edge.errors import AbsentError, ReasonCode
from edge.inference import edgetpu


def usb(root: Path, name: str, vendor: str, product: str) -> Path:
    """Add a USB device; returns its device node."""
    place = root / "sys/bus/usb/devices" / name
    place.mkdir(parents=True)
    for file, text in (("idVendor", vendor), ("idProduct", product), ("busnum", "2"), ("devnum", name[-1])):
        (place / file).write_text(f"{text}\n")
    node = root / f"dev/bus/usb/002/00{name[-1]}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


def test_corals_on_usb_are_found_with_firmware_and_speed(tmp_path: Path) -> None:
    assert edgetpu.devices(tmp_path) == []
    usb(tmp_path, "2-1", "1d6b", "0003")  # a hub
    (tmp_path / "sys/bus/usb/devices/2-0:1.0").mkdir()  # an interface has no ids
    assert edgetpu.devices(tmp_path) == []
    fresh = usb(tmp_path, "2-2", "1a6e", "089a")
    used = usb(tmp_path, "2-3", "18d1", "9302")
    assert edgetpu.devices(tmp_path) == [
        edgetpu.Device("usb", fresh, firmware_loaded=False), edgetpu.Device("usb", used)
    ]  # fmt: skip
    (tmp_path / "sys/bus/usb/devices/2-3/speed").write_text("480\n")
    assert [device.slow for device in edgetpu.devices(tmp_path)] == [False, True]


def test_a_coral_on_pcie_without_its_driver_is_found(tmp_path: Path) -> None:
    place = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    place.mkdir(parents=True)
    (place / "vendor").write_text("0x1ac1\n")
    (place / "device").write_text("0x089a\n")
    node = tmp_path / "dev/apex_0"
    (device,) = edgetpu.devices(tmp_path)
    assert (device.node, device.address, device.has_driver) == (node, "0000:01:00.0", False)
    node.parent.mkdir()
    node.touch()
    assert edgetpu.devices(tmp_path) == [device]
    assert device.has_driver


def test_a_coral_on_pcie_is_found_by_its_device_file(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert edgetpu.devices(tmp_path) == [edgetpu.Device("pci", tmp_path / "dev/apex_0")]


def test_a_silent_refusal_is_explained_by_what_is_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def problem(wanted: str) -> str:
        return edgetpu.refused(wanted, edgetpu.LIBRARY, "", tmp_path).problem

    assert problem("") == "no Edge TPU is visible on USB or as /dev/apex_0"
    node = usb(tmp_path, "2-2", "1a6e", "089a")
    assert problem("usb:0") == "libedgetpu.so.1 opened no device"
    assert problem("pci") == "no Edge TPU is visible as /dev/apex_0"
    assert problem("usb:1") == "there is no usb:1: numbers start at 0, and 1 of that kind can be seen"
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    assert problem("") == f"this user may not open {node}"


def test_every_error_has_a_code_and_a_remedy_and_is_one_line() -> None:
    errors = [
        edgetpu.absent(),
        edgetpu.cannot_load(edgetpu.LIBRARY, "no such\nfile"),
        edgetpu.cannot_load("/opt/mine.so", "no such file"),
        edgetpu.refused("", "/opt/mine.so", "busy\n"),
        edgetpu.incompatible("tpu", edgetpu.LIBRARY, "Package requires runtime version (14), but this is (13)"),
        edgetpu.incompatible("tpu", edgetpu.LIBRARY, "unresolved custom op\nNode number 0 (x) failed to prepare."),
        edgetpu.failed("transfer failed\nNode number 3 (EdgeTpuDelegateForCustomOp) failed to invoke."),
        edgetpu.crashed(edgetpu.LIBRARY, "loading", "SIGSEGV"),
        edgetpu.exited(edgetpu.LIBRARY, "loading", 0),
        edgetpu.hung(edgetpu.LIBRARY, "loading", 30),
        edgetpu.unexpected(OSError("out of\nmemory")),
    ]
    assert len({str(error) for error in errors}) == len(errors)
    assert isinstance(errors[0], AbsentError)
    for error in errors:
        assert isinstance(error.code, ReasonCode)
        assert error.remedy
        assert "\n" not in str(error)
        assert "Node number" not in str(error)
