"""Select the model of the same family for another device."""

from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.models import catalogue
from edge.models.selection import preferred_size, select_model
from edge.types import Backend
from tests.support.delegate import add_model
from tests.support.tiny_posenet import tiny_posenet

SIZE = (353, 481)


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def test_the_error_for_a_missing_model_names_the_command_that_downloads_it() -> None:
    with pytest.raises(ModelError) as exc:
        select_model("posenet", "edgetpu", SIZE)
    assert exc.value.key == "model.name"
    assert exc.value.remedy.endswith("edge-pose models fetch posenet-edgetpu-353-481")


def test_the_model_of_the_nearest_size_is_selected(data_home: Path) -> None:
    for name, size in (("small", (353, 481)), ("middle", (481, 641)), ("large", (721, 1281))):
        add_model(data_home, name, name.encode(), size)
    assert select_model("posenet", "edgetpu", (353, 481)) == "small"
    assert select_model("posenet", "edgetpu", (257, 257)) == "small"
    assert select_model("posenet-float16", "edgetpu", (481, 641)) == "middle"
    assert select_model("posenet", "edgetpu", (2049, 2049)) == "large"
    assert select_model("middle", "edgetpu", (353, 481)) == "middle", "a model for the device is kept"
    assert select_model("middle", "cpu", (353, 481)) == "posenet"
    assert select_model("posenet-float16", "cpu", (353, 481)) == "posenet-float16"


def test_the_preferred_size_is_the_first_of_the_catalogue(data_home: Path) -> None:
    add_model(data_home, "large", b"large", (721, 1281))
    assert preferred_size("large") == (721, 1281)
    assert preferred_size("mine.tflite") is None


def test_a_model_of_another_family_is_never_selected(data_home: Path) -> None:
    add_model(data_home, "other", b"other", SIZE)
    index = data_home / "edge-pose/models/catalogue.toml"
    index.write_text(index.read_text().replace('family = "posenet"', 'family = "other"'))
    with pytest.raises(ModelError) as exc:
        select_model("posenet", "edgetpu", SIZE)
    assert "no posenet model" in exc.value.problem
    with pytest.raises(ModelError) as exc:
        select_model("other", "cpu", SIZE)
    assert "no other for the CPU" in exc.value.problem


def test_a_file_outside_the_catalogues_is_for_one_device_only(tmp_path: Path) -> None:
    plain, compiled = tmp_path / "a plain.tflite", tmp_path / "a compiled.tflite"
    plain.write_bytes(catalogue.read("posenet").content + b"\0")
    compiled.write_bytes(tiny_posenet(edge_tpu=True, decoder=""))
    assert select_model(str(plain), "cpu", SIZE) == str(plain)
    assert select_model(str(compiled), "edgetpu", SIZE) == str(compiled)
    mismatches: list[tuple[Path, Backend]] = [(plain, "edgetpu"), (compiled, "cpu")]
    for path, device in mismatches:
        with pytest.raises(ModelError) as exc:
            select_model(str(path), device, SIZE)
        assert exc.value.remedy.endswith(f"edge-pose models import '{path}'")
