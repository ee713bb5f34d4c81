"""A folder that looks like the root folder of a machine."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root folder of a machine that has a user and no devices. Its processes are the real ones."""
    for folder in ("dev", "etc", "sys/bus/usb/devices", "sys/bus/pci/devices"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc").symlink_to("/proc")
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nedge-pose:x:990:991::/:/bin/false\n")
    ours = os.getegid()  # the group of files that the tests make
    (tmp_path / "etc/group").write_text(f"video:x:{ours}:pi\nedge-pose:x:991:\nplugdev:x:46:pi,edge-pose\n+:::\n")
    return tmp_path
