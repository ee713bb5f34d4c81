"""The systemd units, read by systemd itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNITS = ["edge-pose.service", "edge-pose@.service"]


def settings(name: str) -> dict[str, str]:
    lines = (SYSTEMD / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SYSTEMD IS NOT INSTALLED: nobody checked the units")
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    # The program and the user are made by the installation.
    here = text.replace("/opt/edge-pose/bin/edge-pose", "/bin/true")
    (tmp_path / name).write_text(here, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if name in line or "edge-pose" in line]
    assert complaints == []


@pytest.mark.parametrize("name", UNITS)
def test_what_operation_relies_on(name: str) -> None:
    unit = settings(name)
    assert unit["Type"] == "notify"
    assert unit["RestartPreventExitStatus"] == "78"
    assert unit["Restart"] == "always"
    assert int(unit["WatchdogSec"].removesuffix("s")) > 0
    assert unit["LoadCredential"].startswith("mqtt_password:")


def test_both_units_are_alike_but_for_the_instance() -> None:
    one, many = (settings(name) for name in UNITS)
    different = {key for key in one.keys() | many.keys() if one.get(key) != many.get(key)}
    assert different == {"Description", "ExecStart"}
    assert many["ExecStart"].endswith("/etc/edge-pose/%i.toml")


@pytest.mark.parametrize("name", UNITS)
def test_every_line_has_its_why(name: str) -> None:
    why = (SYSTEMD / "README.md").read_text(encoding="utf-8")
    plain = {"Description", "Documentation", "ExecStart", "User", "Group", "WantedBy", "After", "Wants"}
    unexplained = [
        key
        for key in settings(name)
        if key not in plain | {"NotifyAccess", "RestartSec", "TimeoutStartSec", "WatchdogSignal"} and key not in why
    ]
    assert unexplained == []
