"""Add models to the owner's catalogues and remove them, with and without permission."""

import errno
import hashlib
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from edge.cli.app import app
from edge.errors import ModelError, UsageError
from edge.models import catalogue, folders
from edge.models.catalogue import Entry
from edge.models.catalogue_editor import add, remove

CONTENT = b"a model"


def entry(name: str, content: bytes = CONTENT) -> Entry:
    return msgspec.structs.replace(
        catalogue.entries()["posenet"],
        file=f"{name}.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def added(name: str, content: bytes = CONTENT) -> Path:
    return add(name, entry(name, content), content)[0]


def written(own: Path) -> list[str]:
    """The files and folders in the owner's folders."""
    return sorted(path.name for top in ("var", "home") for path in (own.parents[1] / top).rglob("*"))


def test_an_added_model_is_found_by_its_name(own: Path) -> None:
    assert add("mine", entry("mine"), CONTENT) == (own / "mine.tflite", True)
    assert catalogue.read("mine").content == CONTENT
    assert catalogue.entries(own) == {"mine": entry("mine")}
    assert written(own) == ["catalogue.toml", "mine.tflite", "models"]


def test_adding_the_same_model_again_repairs_its_file(own: Path) -> None:
    path = added("mine")
    index = (own / "catalogue.toml").read_bytes()
    path.write_bytes(b"")
    with pytest.raises(ModelError) as exc:
        catalogue.read("mine")
    assert exc.value.remedy == "import it again"
    assert add("mine", entry("mine"), CONTENT) == (path, False)
    assert catalogue.read("mine").verified
    assert (own / "catalogue.toml").read_bytes() == index


@pytest.mark.parametrize("taken", ["mine", "posenet"])
def test_a_name_cannot_be_used_for_a_second_model(own: Path, taken: str) -> None:
    added("mine")
    before = {path: path.read_bytes() for path in own.iterdir()}
    with pytest.raises(ModelError) as exc:
        added(taken, b"another model")
    assert f"another model {taken!r}" in exc.value.problem
    assert "--name" in exc.value.remedy
    assert {path: path.read_bytes() for path in own.iterdir()} == before


def test_a_file_that_no_catalogue_describes_is_not_overwritten(own: Path) -> None:
    own.mkdir(parents=True)
    file = own / "mine.tflite"
    file.write_bytes(b"something else")
    with pytest.raises(ModelError) as exc:
        added("mine")
    assert exc.value.key == str(file)
    assert file.read_bytes() == b"something else"
    assert [path.name for path in own.iterdir()] == ["mine.tflite"]


def test_adding_keeps_the_owners_edits_of_the_catalogue(own: Path) -> None:
    added("first")
    index = own / "catalogue.toml"
    text = "# mine\n" + index.read_text().replace('licence = "Apache-2.0"', "licence = 'MIT' # really").rstrip()
    index.write_text(text)
    added("second", b"another model")
    assert index.read_text().startswith(text)
    assert [model.licence for model in catalogue.entries(own).values()] == ["MIT", "Apache-2.0"]


def test_removing_keeps_the_owners_edits_of_the_catalogue(own: Path) -> None:
    for name in ("first", "second", "third"):
        added(name)
    index = own / "catalogue.toml"
    text = "# mine\n" + index.read_text().replace("[second]", '["second"]').replace("size = 7", "size = 7 # bytes")
    index.write_text(text)
    assert remove("second") == (own / "second.tflite", [])
    first, _, rest = text.partition('["second"]')
    assert index.read_text() == first + rest[rest.index("[third]") :]
    assert list(catalogue.entries(own)) == ["first", "third"]
    assert sorted(path.name for path in own.iterdir()) == ["catalogue.toml", "first.tflite", "third.tflite"]


def test_a_model_without_its_file_can_be_removed(own: Path) -> None:
    added("mine").unlink()
    assert remove("mine") == (own / "mine.tflite", [])
    assert catalogue.entries(own) == {}


@pytest.mark.usefixtures("own")
def test_removing_a_model_keeps_a_file_that_another_entry_needs() -> None:
    shared = added("first")
    add("second", msgspec.structs.replace(entry("second"), file=shared.name), CONTENT)
    remove("second")
    assert catalogue.read("first").verified


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["posenet", "none"])
def test_only_downloaded_and_imported_models_can_be_removed(name: str) -> None:
    added("mine")
    with pytest.raises(UsageError) as exc:
        remove(name)
    assert exc.value.key == "NAME"
    assert name in exc.value.problem
    assert catalogue.read("mine").verified


def test_a_full_disk_leaves_no_folders(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError) as exc:
        added("mine")
    assert exc.value.key == str(own / "mine.tflite")
    assert "No space left on device" in exc.value.problem
    assert written(own) == []
    assert not own.parent.exists()


def test_a_catalogue_that_cannot_be_written_leaves_no_file(own: Path) -> None:
    (own / "catalogue.toml").mkdir(parents=True)
    with pytest.raises(ModelError) as exc:
        added("mine")
    assert exc.value.key == str(own / "catalogue.toml")
    assert written(own) == ["catalogue.toml", "models"]


def test_all_users_can_read_the_models_that_root_adds(own: Path) -> None:
    before = os.umask(0o077)
    try:
        added("mine")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in own.iterdir()} == {0o644}
    assert own.stat().st_mode & 0o777 == 0o755


def test_a_user_without_permission_adds_to_their_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(folders, "_SYSTEM", file / "models")  # there can be no folder below a file
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    path = added("mine")
    assert path == tmp_path / "home/edge-pose/models/mine.tflite"
    assert folders.is_private(path)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # the XDG specification says to ignore that
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert added("mine") == tmp_path / "me/.local/share/edge-pose/models/mine.tflite"
    monkeypatch.setenv("HOME", str(file))
    with pytest.raises(ModelError) as exc:
        added("mine")
    assert exc.value.remedy == "check their permissions"


@contextmanager
def not_root() -> Iterator[None]:
    """Run the block as another user than root."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """The device's folder, which only root may change, and a user's. Both have a model `mine`."""
    with tempfile.TemporaryDirectory() as place:  # only root may enter pytest's folders
        # The checkout may be in a folder that only root may enter, too.
        copied = shutil.copytree(folders.shipped(), Path(place, "shipped"), ignore=shutil.ignore_patterns("*.py", "_*"))
        monkeypatch.setattr(folders, "_SHIPPED", (copied,))
        system, private = Path(place, "service"), Path(place, "edge-pose/models")
        for folder in (system, private):
            folder.mkdir(parents=True)
            index = (folders.shipped() / "catalogue.toml").read_text()
            (folder / "catalogue.toml").write_text(index.replace("[posenet-float16]", "[mine]"))
            shutil.copy(folders.shipped() / catalogue.entries(folder)["mine"].file, folder)
        for path in (private, *private.iterdir(), private.parent):
            if os.geteuid() == 0:
                os.chown(path, 65534, 65534)
        Path(place).chmod(0o755)
        system.chmod(0o555)
        monkeypatch.setattr(folders, "_SYSTEM", system)
        monkeypatch.setenv("XDG_DATA_HOME", place)
        yield system, private
        system.chmod(0o755)


def test_the_users_own_model_is_removed_before_that_of_the_device(both: tuple[Path, Path]) -> None:
    system, private = both
    file = catalogue.entries(system)["mine"].file
    run = CliRunner().invoke
    run(app, ["models", "remove", "none"])  # imports modules that another user may be unable to read
    with not_root():
        shown = run(app, ["models", "remove", "mine"]).stdout
        assert str(private / file) in shown
        assert f"remains in {system}" in shown
        assert "sudo " in shown
        with pytest.raises(ModelError) as exc:
            remove("mine")
    assert exc.value.key == str(system / file)
    assert exc.value.remedy.startswith("run: sudo ")
    assert not (private / file).exists()
    assert (system / file).exists()
    system.chmod(0o755)
    assert remove("mine") == (system / file, [])


def test_suggested_commands_work_for_this_user(
    both: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, private = both
    program = Path(sysconfig.get_path("scripts"), "edge-pose")
    monkeypatch.setenv("PATH", str(tmp_path))
    with not_root():
        assert folders.command("fetch x") == f"sudo {program} models fetch x"
        assert folders.command("remove x", system) == f"sudo {program} models remove x"
        assert folders.command("remove x", private) == f"{program} models remove x", "sudo would look in root's folder"
    monkeypatch.setenv("SUDO_UID", "1000")
    assert folders.command("fetch x") == f"sudo {program} models fetch x", "the user typed sudo"
    monkeypatch.setattr(folders, "_SYSTEM", system / "none")
    assert folders.command("fetch x") == f"{program} models fetch x"
    (tmp_path / "edge-pose").symlink_to(program)
    assert folders.command("fetch x") == "edge-pose models fetch x"
    (tmp_path / "edge-pose").unlink()
    shutil.copy(program, tmp_path)
    assert folders.command("fetch x") == f"{program} models fetch x", "PATH finds another installation"
