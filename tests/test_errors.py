"""The command that installs an extra."""

import sys
from pathlib import Path

import pytest

from edge.errors import pip_install


def test_pip_install_uses_the_constraints_of_the_installer_if_they_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert pip_install("video") == f"{sys.executable} -m pip install 'edge-pose[video]'"
    (tmp_path / "constraints.txt").write_text("numpy==1.24.2\n")
    assert pip_install("video") == f"{sys.executable} -m pip install -c {tmp_path}/constraints.txt 'edge-pose[video]'"
