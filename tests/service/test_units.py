"""The systemd units, as systemd itself reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

SYSTEMD = ROOT / "systemd"
UNITS = ["edge-pose.service", "edge-pose@.service"]


def settings(name: str) -> dict[str, str]:
    """Key -> value; the values of a repeated key, one per line."""
    found: dict[str, str] = {}
    for line in (SYSTEMD / name).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SYSTEMD IS NOT INSTALLED: the units were not checked")
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    # systemd-analyze wants the program of ExecStart to exist.
    here = text.replace("/opt/edge-pose/bin/edge-pose", "/bin/true")
    (tmp_path / name).write_text(here, encoding="utf-8")
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


def test_both_units_differ_only_in_the_instance() -> None:
    one, many = (settings(name) for name in UNITS)
    different = {key for key in one.keys() | many.keys() if one.get(key) != many.get(key)}
    assert different == {"Description", "ExecStart", "ExecReload"}
    for key in ("ExecStart", "ExecReload"):
        assert many[key] == one[key].replace("/etc/edge-pose/edge-pose.toml", "/etc/edge-pose/%i.toml")


@pytest.mark.parametrize("name", UNITS)
def test_the_exposure_of_the_sandbox_is_at_most_1_5(name: str) -> None:
    """On systemd's scale from 0 to 10; cameras, the Edge TPU and the network need that much."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SYSTEMD IS NOT INSTALLED: the exposure of the units was not measured")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(SYSTEMD / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_the_sandbox_allows_what_the_service_needs(name: str) -> None:
    unit = settings(name)
    assert "ProcSubset" not in unit, "without /proc/cpuinfo XNNPACK would be off"
    assert "PrivateDevices" not in unit
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"], "libcamera and libusb detect devices over it"
    devices = [line.split()[0] for line in unit["DeviceAllow"].splitlines()]
    assert devices == ["char-video4linux", "char-media", "char-dma_heap", "char-usb_device", "char-apex"]


@pytest.mark.parametrize("name", UNITS)
def test_every_setting_is_explained_in_the_readme(name: str) -> None:
    explanation = (SYSTEMD / "README.md").read_text(encoding="utf-8")
    plain = {"Description", "Documentation", "ExecStart", "User", "Group", "WantedBy", "After", "Wants"}
    unexplained = [
        key
        for key in settings(name)
        if key not in plain | {"NotifyAccess", "RestartSec", "TimeoutStartSec", "WatchdogSignal"}
        and key not in explanation
    ]
    assert unexplained == []
