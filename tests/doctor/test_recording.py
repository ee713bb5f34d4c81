"""The folder of recordings."""

import os
import shutil
from pathlib import Path

import pytest

from edge.doctor.access import Account, find_account
from edge.doctor.recording import recording
from edge.doctor.result import SUDO, Result
from tests.support.models import fast_config

SANDBOX = {"ProtectSystem": "strict", "ReadWritePaths": ""}


def examined(root: Path, user: Account | None = None, unit: dict[str, str] = SANDBOX, **settings: object) -> Result:
    config = fast_config(device={"id": "hall"}, recording={"enabled": True, **settings})
    return recording(root, config, user, unit)


def test_a_recording_that_is_off_needs_nothing(root: Path) -> None:
    result = examined(root, find_account(root, "edge-pose"), enabled=False, folder="/nowhere")
    assert (result.level, result.text) == ("ok", "off")


def test_a_folder_that_can_be_made_is_fine(root: Path) -> None:
    (root / "var/lib/edge-pose").mkdir(parents=True)
    (root / "var/lib/edge-pose").chmod(0o777)
    result = examined(root, find_account(root, "edge-pose"))
    assert result.level == "ok"
    assert "500 MB in /var/lib/edge-pose/recordings" in result.text


@pytest.mark.parametrize(
    ("above", "mode", "level"),
    [(0o755, 0o770, "ok"), (0o755, 0o750, "problem"), (0o755, 0o700, "problem"), (0o700, 0o770, "problem")],
)
def test_the_user_of_the_service_must_be_able_to_write(root: Path, above: int, mode: int, level: str) -> None:
    """Its group owns the folder. It must also pass the folders above."""
    folder = root / "var/lib/edge-pose/recordings"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    folder.parent.chmod(above)
    result = examined(root, Account("edge-pose", os.getuid() + 990, frozenset({os.getgid()})))
    folder.parent.chmod(0o755)
    assert result.level == level
    assert result.fix.startswith("sudo install -d -o edge-pose ") or level == "ok"


def test_a_file_in_the_place_of_the_folder_is_a_problem(root: Path) -> None:
    (root / "var/lib/edge-pose").mkdir(parents=True)
    (root / "var/lib/edge-pose/recordings").write_text("")
    result = examined(root)
    assert (result.level, result.fix) == ("problem", "change recording.folder")


@pytest.mark.parametrize(
    ("unit", "level"),
    [
        (SANDBOX, "problem"),
        (SANDBOX | {"ReadWritePaths": "-/srv/other +/mnt/disk"}, "ok"),
        (SANDBOX | {"ProtectSystem": "full"}, "ok"),
        ({}, "ok"),
    ],
    ids=["sandbox", "with a drop-in", "without a sandbox", "without systemd"],
)
def test_another_folder_needs_a_drop_in(root: Path, unit: dict[str, str], level: str) -> None:
    result = examined(root, unit=unit, folder="/mnt/disk/recordings")
    assert result.level == level
    assert ("ReadWritePaths=/mnt/disk/recordings" in result.fix) == (level == "problem")


def test_too_little_space_for_the_limit_is_a_warning(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the recordings take already counts as free: the oldest are deleted."""
    folder = root / "var/lib/edge-pose/recordings"
    folder.mkdir(parents=True)
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_500_000))
    assert examined(root, max_mb=1).level == "ok"
    assert examined(root, max_mb=2).level == "warning"
    (folder / "hall-000001.jsonl").write_bytes(bytes(600_000))
    assert examined(root, max_mb=2).level == "ok"
    (folder / "hall-000001.jsonl").rename(folder / "door-000001.jsonl")
    assert examined(root, max_mb=2).level == "warning", "another device's"


def test_a_folder_that_must_not_be_read_is_unknown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "var/lib/edge-pose/recordings").mkdir(parents=True)

    def denied(_path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", denied)
    result = examined(root)
    assert (result.level, result.fix) == ("unknown", SUDO)
