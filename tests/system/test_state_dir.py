import stat
from pathlib import Path

import pytest

from edge.system import state_dir
from edge.system.state_dir import set_aside, state_file, write_state


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder, which does not exist yet; no variable is set."""
    folder = tmp_path / "var/lib/edge-pose"
    monkeypatch.setattr(state_dir, "_SYSTEM", folder)
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def test_systemd_says_where_the_state_is(tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system.mkdir(parents=True)
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/one:{tmp_path}/two")
    assert state_file("events", "hall") == tmp_path / "one/hall.events.json"


def test_without_systemd_the_state_is_where_this_user_may_write(
    tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_file("events", "hall") == tmp_path / "home/.local/state/edge-pose/hall.events.json"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_file("events", "hall").parent == tmp_path / "xdg/edge-pose"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/paths/do/not/count")
    assert state_file("events", "hall").parent == tmp_path / "home/.local/state/edge-pose"
    system.mkdir(parents=True)
    assert state_file("events", "hall").parent == system


def test_each_device_and_each_name_has_its_own_file() -> None:
    assert len({state_file(name, device) for name in ("events", "settings") for device in ("hall", "door")}) == 4


def test_the_folder_is_created_with_the_first_file_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/hall.events.json"
    write_state(path, b"one")
    write_state(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_root_writes_belongs_to_the_owner_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr("os.fchown", lambda _file, user, group: owners.append((user, group)))
    for user in (0, 1000):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        write_state(tmp_path / "hall.events.json", b"one")
    folder = tmp_path.stat()
    assert owners == [(folder.st_uid, folder.st_gid)]


def test_a_damaged_file_is_set_aside_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "hall.events.json"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        assert set_aside(path) == tmp_path / "hall.events.json.damaged"
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"second"]


def test_a_damaged_file_stays_where_it_cannot_be_renamed(tmp_path: Path) -> None:
    path = tmp_path / "hall.events.json"
    path.write_bytes(b"first")
    (tmp_path / "hall.events.json.damaged").mkdir()
    assert set_aside(path) == path
    assert path.read_bytes() == b"first"
