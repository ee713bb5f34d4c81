"""The systemd units, checked with systemd's own tools."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

SYSTEMD = ROOT / "systemd"
UNITS = ["edge-pose.service", "edge-pose@.service"]


def settings(name: str) -> dict[str, str]:
    """Key -> value; a repeated key has one line per value."""
    found: dict[str, str] = {}
    for line in (SYSTEMD / name).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_every_line(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SYSTEMD IS NOT INSTALLED: the units were not checked")
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    # systemd-analyze requires that the program of ExecStart exists.
    testable = text.replace("/opt/edge-pose/bin/edge-pose", "/bin/true")
    (tmp_path / name).write_text(testable, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if name in line or "edge-pose" in line]
    assert complaints == []


@pytest.mark.parametrize("name", UNITS)
def test_the_service_is_supervised_and_restarted_except_for_configuration_errors(name: str) -> None:
    unit = settings(name)
    assert unit["Type"] == "notify"
    assert unit["RestartPreventExitStatus"] == "78"
    assert unit["Restart"] == "always"
    assert int(unit["WatchdogSec"].removesuffix("s")) > 0
    assert unit["LoadCredential"].startswith("mqtt_password:")


def test_the_units_differ_only_in_the_instance() -> None:
    single, template = (settings(name) for name in UNITS)
    different = {key for key in single.keys() | template.keys() if single.get(key) != template.get(key)}
    assert different == {"Description", "ExecStart", "ExecReload", "LoadCredential", "SetCredential"}
    for key in ("LoadCredential", "SetCredential"):
        broker, page = single[key].splitlines()
        assert template[key].replace("_%i", "").splitlines() == [broker, broker, page], "the second is of the instance"
    for key in ("ExecStart", "ExecReload"):
        assert template[key] == single[key].replace("/etc/edge-pose/edge-pose.toml", "/etc/edge-pose/%i.toml")


@pytest.mark.parametrize("name", UNITS)
def test_the_exposure_of_the_sandbox_is_at_most_1_5(name: str) -> None:
    """systemd's scale is 0 to 10. Access to cameras, the Edge TPU and the network accounts for the rest."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SYSTEMD IS NOT INSTALLED: the exposure of the units was not measured")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(SYSTEMD / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_the_sandbox_allows_what_the_service_needs(name: str) -> None:
    unit = settings(name)
    assert "ProcSubset" not in unit, "without /proc/cpuinfo, XNNPACK would be off"
    assert "PrivateDevices" not in unit, "it hides cameras and the Edge TPU"
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"], "libcamera and libusb detect devices over it"
    devices = [line.split()[0] for line in unit["DeviceAllow"].splitlines()]
    assert devices == ["char-video4linux", "char-media", "char-dma_heap", "char-usb_device", "char-apex"]


@pytest.mark.parametrize("name", UNITS)
def test_every_setting_is_explained_in_the_readme(name: str) -> None:
    explanation = (SYSTEMD / "README.md").read_text(encoding="utf-8")
    plain = {"Description", "ExecStart", "User", "Group", "WantedBy", "After", "Wants"}
    assert [key for key in settings(name) if key not in plain and key not in explanation] == []
