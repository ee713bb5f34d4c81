"""The script that measures the layers of MultiPose's backbone."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.scenes import save_pictures

MODELS = ROOT / "models"


def measure(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MODELS / "multipose_statistics.py"), "--frames", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_statistics_can_be_measured_again(tmp_path: Path) -> None:
    save_pictures(tmp_path / "frames", 4, "three")
    done = measure(tmp_path / "frames")
    assert done.returncode == 0, done.stderr
    measured, stored = json.loads(done.stdout), json.loads((MODELS / "multipose_statistics.json").read_text())
    assert list(measured) == list(stored)
    for layer, values in stored.items():
        assert len(measured[layer]["means"]) == len(values["means"])
        # The values of a few painted people span as much as those of many frames, or somewhat less.
        few, many = (record["high"] - record["low"] for record in (measured[layer], values))
        assert 0.4 * many < few < 1.1 * many, layer


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    done = measure(tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(tmp_path) in line
