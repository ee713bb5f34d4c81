from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.models import catalogue
from edge.models.selection import counterpart
from tests.support.delegate import add_model
from tests.support.tiny_posenet import tiny_posenet

SIZE = (353, 481)


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def test_without_one_it_says_how_to_get_one() -> None:
    with pytest.raises(ModelError, match=r"do: .*edge-pose models fetch posenet-edgetpu-353-481$"):
        counterpart("posenet", "edgetpu", SIZE)


def test_the_size_that_comes_nearest_counts(data_home: Path) -> None:
    for name, size in (("small", (353, 481)), ("middle", (481, 641)), ("large", (721, 1281))):
        add_model(data_home, name, name.encode(), size)
    assert counterpart("posenet", "edgetpu", (353, 481)) == "small"
    assert counterpart("posenet", "edgetpu", (257, 257)) == "small"
    assert counterpart("posenet-float16", "edgetpu", (481, 641)) == "middle"
    assert counterpart("posenet", "edgetpu", (2049, 2049)) == "large"
    assert counterpart("middle", "edgetpu", (353, 481)) == "middle", "who names one gets it"
    assert counterpart("middle", "cpu", (353, 481)) == "posenet"
    assert counterpart("posenet-float16", "cpu", (353, 481)) == "posenet-float16"


def test_other_families_are_nobody_s_counterpart(data_home: Path) -> None:
    add_model(data_home, "other", b"other", SIZE)
    index = data_home / "edge-pose/models/catalogue.toml"
    index.write_text(index.read_text().replace('family = "posenet"', 'family = "other"'))
    with pytest.raises(ModelError, match=r"^model\.name: no posenet model compiled"):
        counterpart("posenet", "edgetpu", SIZE)
    with pytest.raises(ModelError, match="no other for the CPU"):
        counterpart("other", "cpu", SIZE)


def test_a_file_of_no_catalogue_is_for_one_device_alone(tmp_path: Path) -> None:
    plain, compiled = tmp_path / "a plain.tflite", tmp_path / "a compiled.tflite"
    plain.write_bytes(catalogue.read("posenet").content + b"\0")
    compiled.write_bytes(tiny_posenet(edge_tpu=True, decoder=""))
    assert counterpart(str(plain), "cpu", SIZE) == str(plain)
    assert counterpart(str(compiled), "edgetpu", SIZE) == str(compiled)
    for path, device in ((plain, "edgetpu"), (compiled, "cpu")):
        with pytest.raises(ModelError, match=rf"do: .*edge-pose models import '{path}'"):
            counterpart(str(path), device, SIZE)  # type: ignore[arg-type]
