import os
from pathlib import Path

import pytest

from edge.inference import edgetpu


def usb(root: Path, name: str, vendor: str, product: str) -> Path:
    """Plug something in; returns its device node."""
    place = root / "sys/bus/usb/devices" / name
    place.mkdir(parents=True)
    for file, text in (("idVendor", vendor), ("idProduct", product), ("busnum", "2"), ("devnum", name[-1])):
        (place / file).write_text(f"{text}\n")
    node = root / f"dev/bus/usb/002/00{name[-1]}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


def test_what_is_plugged_in(tmp_path: Path) -> None:
    assert edgetpu.devices(tmp_path) == []
    usb(tmp_path, "2-1", "1d6b", "0003")  # a hub
    (tmp_path / "sys/bus/usb/devices/2-0:1.0").mkdir()  # an interface has no ids
    assert edgetpu.devices(tmp_path) == []
    fresh = usb(tmp_path, "2-2", "1a6e", "089a")
    used = usb(tmp_path, "2-3", "18d1", "9302")
    assert edgetpu.devices(tmp_path) == [edgetpu.Device("usb", fresh), edgetpu.Device("usb", used)]
    (tmp_path / "dev/apex_0").touch()
    assert edgetpu.Device("pci", tmp_path / "dev/apex_0") in edgetpu.devices(tmp_path)


def test_a_refusal_without_words_is_told_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = [edgetpu.refused("", edgetpu.LIBRARY, "", tmp_path)]
    node = usb(tmp_path, "2-2", "1a6e", "089a")
    refused.append(edgetpu.refused("usb:0", edgetpu.LIBRARY, "", tmp_path))
    refused.append(edgetpu.refused("pci", edgetpu.LIBRARY, "", tmp_path))
    refused.append(edgetpu.refused("usb:1", edgetpu.LIBRARY, "", tmp_path))
    assert "no Coral Edge TPU is to be seen on USB or as /dev/apex_0" in refused[0]
    assert "see that no other program uses it" in refused[1]
    assert "no Coral Edge TPU is to be seen as /dev/apex_0" in refused[2]
    assert "there is no usb:1, counted from 0: 1 of that kind can be seen" in refused[3]
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    assert f"{node} may not be opened by this user" in edgetpu.refused("", edgetpu.LIBRARY, "", tmp_path)


def test_every_trouble_is_one_line_with_a_remedy() -> None:
    said = [
        edgetpu.absent(),
        edgetpu.missing(edgetpu.LIBRARY, "no such\nfile"),
        edgetpu.missing("/opt/mine.so", "no such file"),
        edgetpu.refused("", "/opt/mine.so", "busy\n"),
        edgetpu.unfit("tpu", edgetpu.LIBRARY, "Package requires runtime version (14), but this is (13)"),
        edgetpu.unfit("tpu", edgetpu.LIBRARY, "unresolved custom op\nNode number 0 (x) failed to prepare."),
        edgetpu.failed("transfer failed\nNode number 3 (EdgeTpuDelegateForCustomOp) failed to invoke."),
        edgetpu.crashed(edgetpu.LIBRARY, "SIGSEGV"),
        edgetpu.hung(edgetpu.LIBRARY, 30),
    ]
    assert len({*said}) == len(said)
    for line in said:
        assert "\n" not in line
        assert "Node number" not in line
        assert ";" in line, line
