"""Users, groups, and the permissions of device nodes."""

import os
from pathlib import Path

from edge.doctor.access import Account, find_account, permission
from tests.support.devices import node


def test_an_account_has_its_own_and_the_supplementary_groups(root: Path) -> None:
    ours = os.getegid()
    assert find_account(root, "edge-pose") == Account("edge-pose", 990, frozenset({991, 46}))
    assert find_account(root, "edge-pose", ["video"]) == Account("edge-pose", 990, frozenset({991, 46, ours}))
    assert find_account(root, "no-such-user") is None


def test_permission_names_the_node_and_its_group(root: Path) -> None:
    outside, inside = find_account(root, "edge-pose"), find_account(root, "edge-pose", ["video"])
    video = node(root / "dev/video0")
    assert permission("camera", root, [video], inside) is None
    refused = permission("camera", root, [video], outside)
    assert refused is not None
    assert refused.level == "problem"
    assert "/dev/video0" in refused.text
    assert refused.fix == "sudo usermod -aG video edge-pose, and restart the service"
    private = permission("camera", root, [node(root / "dev/video1", 0o600)], inside)
    assert private is not None
    assert "udev" in private.fix  # no group may open it
    assert permission("camera", root, [node(root / "dev/video2", 0o666)], outside) is None
    assert permission("camera", root, [video], Account("root", 0, frozenset())) is None
    assert permission("camera", root, [video], None) is None
