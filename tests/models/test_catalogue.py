import hashlib
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli.app import app
from edge.errors import ModelError
from edge.models import catalogue


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped models that may be damaged."""
    copy = tmp_path / "models"
    copy.mkdir()
    for path in catalogue.folder().iterdir():
        if path.suffix in (".toml", ".tflite"):
            shutil.copy(path, copy)
    monkeypatch.setattr(catalogue, "_PLACES", (copy,))
    return copy


def test_the_default_is_there_and_is_what_the_catalogue_says() -> None:
    model = catalogue.read("posenet")
    entry = catalogue.entries()["posenet"]
    assert model.verified
    assert hashlib.sha256(model.content).hexdigest() == model.sha256 == entry.sha256
    assert len(model.content) == entry.size


def test_damage_is_found_before_a_model_is_loaded(shipped: Path) -> None:
    path = shipped / catalogue.entries()["posenet"].file
    content = path.read_bytes()
    for damaged in (content[:-100], content[:1000], b"", content[:5000] + b"\0" + content[5001:]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"model\.name: .* is damaged .*sha256"):
            catalogue.read("posenet")
    path.unlink()
    with pytest.raises(ModelError, match=r"cannot read .*No such file"):
        catalogue.read("posenet")


def test_a_damaged_catalogue_is_named(shipped: Path) -> None:
    (shipped / "catalogue.toml").write_text("[posenet]\nfile = 3\n")
    with pytest.raises(ModelError, match=r"catalogue\.toml"):
        catalogue.entries()
    (shipped / "catalogue.toml").unlink()
    with pytest.raises(ModelError, match="installation is damaged"):
        catalogue.entries()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"no model 'nothing'; known are posenet, posenet-float16, .*movenet"):
        catalogue.read("nothing")


@pytest.mark.parametrize(("typed", "meant"), [("posnet", "posenet"), ("movnet", "movenet")])
def test_a_name_that_is_nearly_right_is_told_from_it(typed: str, meant: str) -> None:
    with pytest.raises(ModelError, match=rf"no model '{typed}'; did you mean {meant}\?"):
        catalogue.read(typed)


def test_a_path_is_a_model_too(tmp_path: Path) -> None:
    original = catalogue.read("posenet")
    mine = tmp_path / "mine.tflite"
    mine.write_bytes(original.content)
    assert catalogue.read(str(mine)).verified, "the same bytes are as good elsewhere"
    mine.write_bytes(original.content + b"\0")
    model = catalogue.read(str(mine))
    assert (model.name, model.verified) == ("mine", False)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"mine\.tflite is not a TFLite model"):
        catalogue.read(str(path))
    with pytest.raises(ModelError, match="cannot read"):
        catalogue.read(str(tmp_path / "nowhere.tflite"))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of the owner's that wants to have the shipped models' name, and another one."""
    folder = tmp_path / "own"
    folder.mkdir()
    index = (catalogue.folder() / "catalogue.toml").read_text()
    (folder / "catalogue.toml").write_text(index.replace("[posenet-float16]", "[mine]"))
    monkeypatch.setattr(catalogue, "_SYSTEM_FOLDER", folder)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def test_the_owners_models_are_known_but_take_no_shipped_name(own: Path) -> None:
    assert catalogue.folders() == [catalogue.folder(), own]
    assert catalogue.read("posenet").path.parent == catalogue.folder()
    mine = catalogue.entries(own)["mine"]
    shutil.copy(catalogue.folder() / mine.file, own)
    assert catalogue.read("mine").path == own / mine.file
    with pytest.raises(ModelError, match="known are posenet, posenet-float16, mine, "):
        catalogue.read("nothing")


def test_a_damaged_catalogue_of_the_owner_does_not_stop_the_shipped_models(own: Path) -> None:
    (own / "catalogue.toml").write_text("[mine\n")
    assert catalogue.read("posenet").verified
    with pytest.raises(ModelError, match=r"own/catalogue\.toml: .*; mend it"):
        catalogue.read("mine")


def test_no_home_is_no_error(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert catalogue.folders() == [catalogue.folder(), own]


@contextmanager
def not_root() -> Iterator[None]:
    """What is in the block is done by another user than root."""
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
    """Catalogues that have a model of the same name: that of the service, which is root's, and a user's own."""
    with tempfile.TemporaryDirectory() as place:  # as only root may enter pytest's
        folders = Path(place, "service"), Path(place, "edge-pose/models")
        for folder in folders:
            folder.mkdir(parents=True)
            index = (catalogue.folder() / "catalogue.toml").read_text()
            (folder / "catalogue.toml").write_text(index.replace("[posenet-float16]", "[mine]"))
            shutil.copy(catalogue.folder() / catalogue.entries(folder)["mine"].file, folder)
        for path in (folders[1], *folders[1].iterdir(), folders[1].parent):
            if os.geteuid() == 0:
                os.chown(path, 65534, 65534)
        Path(place).chmod(0o755)
        folders[0].chmod(0o555)
        monkeypatch.setattr(catalogue, "_SYSTEM_FOLDER", folders[0])
        monkeypatch.setenv("XDG_DATA_HOME", place)
        yield folders
        folders[0].chmod(0o755)


def test_of_two_models_with_one_name_the_users_own_is_removed_first(both: tuple[Path, Path]) -> None:
    service, private = both
    file = catalogue.entries(service)["mine"].file
    run = CliRunner().invoke
    run(app, ["models", "remove", "nobody"])  # imports what another user may perhaps not read
    with not_root():
        told = run(app, ["models", "remove", "mine"]).stdout
        assert f"{private / file} is removed" in told
        assert f"another model 'mine' stays in {service}; to remove it, too: sudo " in told
        with pytest.raises(ModelError, match=f"{service / file}: this user may not remove it; do: sudo .*remove mine$"):
            catalogue.remove("mine")
    assert not (private / file).exists()
    assert (service / file).exists()
    service.chmod(0o755)
    assert catalogue.remove("mine") == (service / file, [])


def test_hints_name_the_command_that_works_here(
    both: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Path(sysconfig.get_path("scripts"), "edge-pose")
    monkeypatch.setenv("PATH", str(tmp_path))
    with not_root():
        assert catalogue.command("fetch x") == f"sudo {program} models fetch x"
        assert catalogue.command("remove x", both[0]) == f"sudo {program} models remove x"
        assert catalogue.command("remove x", both[1]) == f"{program} models remove x", "root's own are elsewhere"
    monkeypatch.setenv("SUDO_UID", "1000")
    assert catalogue.command("fetch x") == f"sudo {program} models fetch x", "as the user typed it"
    monkeypatch.setattr(catalogue, "_SYSTEM_FOLDER", both[0] / "none")
    assert catalogue.command("fetch x") == f"{program} models fetch x"
    (tmp_path / "edge-pose").symlink_to(program)
    assert catalogue.command("fetch x") == "edge-pose models fetch x"
    (tmp_path / "edge-pose").unlink()
    shutil.copy(program, tmp_path)
    assert catalogue.command("fetch x") == f"{program} models fetch x", "the other one is of another installation"
