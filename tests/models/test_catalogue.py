"""Find models by name or by path, and recognise damaged files."""

import hashlib
import shutil
from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.models import catalogue, folders


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped models that a test may damage."""
    copy = tmp_path / "models"
    copy.mkdir()
    for path in folders.shipped().iterdir():
        if path.suffix in (".toml", ".tflite"):
            shutil.copy(path, copy)
    monkeypatch.setattr(folders, "_SHIPPED", (copy,))
    return copy


def test_the_default_model_is_the_file_that_the_catalogue_describes() -> None:
    model = catalogue.read("posenet")
    entry = catalogue.entries()["posenet"]
    assert model.verified
    assert hashlib.sha256(model.content).hexdigest() == model.sha256 == entry.sha256
    assert len(model.content) == entry.size


def test_damaged_and_missing_files_are_refused(shipped: Path) -> None:
    path = shipped / catalogue.entries()["posenet"].file
    content = path.read_bytes()
    for damaged in (content[:-100], content[:1000], b"", content[:5000] + b"\0" + content[5001:]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError) as exc:
            catalogue.read("posenet")
        assert exc.value.key == "model.name"
        assert f"{path} is damaged" in exc.value.problem
        assert exc.value.remedy == folders.REINSTALL
    path.unlink()
    with pytest.raises(ModelError) as exc:
        catalogue.read("posenet")
    assert "No such file" in exc.value.problem


def test_an_unreadable_catalogue_is_named(shipped: Path) -> None:
    index = shipped / "catalogue.toml"
    index.write_text("[posenet]\nfile = 3\n")
    with pytest.raises(ModelError) as exc:
        catalogue.entries()
    assert exc.value.key == str(index)
    index.unlink()
    with pytest.raises(ModelError) as exc:
        catalogue.entries()
    assert exc.value.key == str(index)
    assert exc.value.remedy == folders.REINSTALL


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError) as exc:
        catalogue.read("nothing")
    assert exc.value.key == "model.name"
    assert exc.value.remedy.startswith("use posenet, posenet-float16, ")
    assert "movenet" in exc.value.remedy


@pytest.mark.parametrize(("typed", "meant"), [("posnet", "posenet"), ("movnet", "movenet")])
def test_a_mistyped_name_gets_a_suggestion(typed: str, meant: str) -> None:
    with pytest.raises(ModelError) as exc:
        catalogue.read(typed)
    assert exc.value.remedy == f"did you mean {meant}?"


def test_a_model_can_be_named_by_its_path(tmp_path: Path) -> None:
    original = catalogue.read("posenet")
    mine = tmp_path / "mine.tflite"
    mine.write_bytes(original.content)
    assert catalogue.read(str(mine)).verified, "a catalogue has these bytes, whatever the path"
    mine.write_bytes(original.content + b"\0")
    model = catalogue.read(str(mine))
    assert (model.name, model.verified) == ("mine", False)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError) as exc:
        catalogue.read(str(path))
    assert exc.value.problem == f"{path} is not a TFLite model"
    with pytest.raises(ModelError) as exc:
        catalogue.read(str(tmp_path / "nowhere.tflite"))
    assert "No such file" in exc.value.problem


@pytest.fixture
def with_mine(own: Path) -> Path:
    """An owner's catalogue with a model `mine` and with the name of a shipped model."""
    own.mkdir(parents=True)
    index = (folders.shipped() / "catalogue.toml").read_text()
    (own / "catalogue.toml").write_text(index.replace("[posenet-float16]", "[mine]"))
    return own


def test_an_owned_model_is_found_but_cannot_replace_a_shipped_one(with_mine: Path) -> None:
    assert folders.with_catalogue() == [folders.shipped(), with_mine]
    assert catalogue.read("posenet").path.parent == folders.shipped()
    mine = catalogue.entries(with_mine)["mine"]
    shutil.copy(folders.shipped() / mine.file, with_mine)
    assert catalogue.read("mine").path == with_mine / mine.file
    with pytest.raises(ModelError) as exc:
        catalogue.read("nothing")
    assert exc.value.remedy.startswith(f"use {', '.join([*catalogue.entries(), 'mine', *catalogue.remote()])} or ")


def test_a_broken_catalogue_of_the_owner_does_not_stop_the_shipped_models(with_mine: Path) -> None:
    index = with_mine / "catalogue.toml"
    index.write_text("[mine\n")
    assert catalogue.read("posenet").verified
    with pytest.raises(ModelError) as exc:
        catalogue.read("mine")
    assert (exc.value.key, exc.value.remedy) == (str(index), "fix that file")


def test_a_process_without_a_home_uses_only_the_shipped_and_the_devices_folder(
    with_mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert folders.with_catalogue() == [folders.shipped(), with_mine]
