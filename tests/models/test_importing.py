"""Import models of the owner."""

import csv
import json
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from edge.cli.app import app
from edge.decode.heatmaps import sigmoid
from edge.decode.posenet_outputs import find_outputs
from edge.errors import ModelError, UsageError
from edge.inference.model_trial import check_model
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue, folders, importing
from edge.models.importing import Imported
from edge.models.strip_decoder import strip_decoder
from tests.support.tiny_posenet import INPUT_SIZE, OUTPUTS, tiny_posenet


def import_file(file: Path, name: str | None = None) -> Imported:
    return importing.import_model(file, name, check_model)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.tflite", tiny_posenet())


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_an_imported_model_is_found_by_its_name(own: Path, tiny: Path) -> None:
    imported = import_file(tiny)
    assert (imported.name, imported.path, imported.new) == ("tiny", own / "tiny.tflite", True)
    assert imported.ran_on
    model = catalogue.read("tiny")
    assert model.verified
    assert (model.path, model.content) == (imported.path, strip_decoder(tiny.read_bytes()))
    cpu = CpuRuntime(model.content, label="tiny", input_size=INPUT_SIZE, threads=1)
    assert find_outputs(cpu.output_shapes, INPUT_SIZE).heatmaps == "heatmaps"
    entry = catalogue.entries(own)["tiny"]
    assert (entry.device, entry.input_sizes, entry.output_stride) == ("cpu", (INPUT_SIZE,), 16)
    assert (entry.sha256, entry.size) == (model.sha256, len(model.content))
    assert "sudo" not in importing.summary(imported)


def test_a_model_with_raw_outputs_is_not_changed(own: Path, tmp_path: Path) -> None:
    content = tiny_posenet(decoder="")
    import_file(write(tmp_path / "raw.tflite", content), "mine")
    assert (own / "mine.tflite").read_bytes() == content


def test_a_model_for_the_edge_tpu_is_not_run(own: Path, tmp_path: Path) -> None:
    imported = import_file(write(tmp_path / "tpu.tflite", tiny_posenet(edge_tpu=True)))
    assert imported.ran_on is None
    shown = importing.summary(imported)
    assert "needs an Edge TPU" in shown
    assert "no setting is needed" in shown
    assert catalogue.entries(own)["tpu"].device == "edgetpu"


def test_importing_a_model_again_changes_nothing(own: Path, tiny: Path) -> None:
    first = import_file(tiny)
    before = {path: path.read_bytes() for path in own.iterdir()}
    assert import_file(tiny) == replace(first, new=False)
    assert {path: path.read_bytes() for path in own.iterdir()} == before


def test_a_model_keeps_the_name_that_it_has(own: Path, tiny: Path, tmp_path: Path) -> None:
    shipped = folders.shipped() / catalogue.entries()["posenet"].file
    imported = import_file(shipped)
    assert (imported.name, imported.path, imported.new) == ("posenet", shipped, False)
    assert imported.entry == catalogue.entries()["posenet"]
    assert 'name = "posenet"' in importing.summary(imported)
    assert not own.exists()
    import_file(tiny, "mine")
    copy = write(tmp_path / "copy.tflite", tiny.read_bytes())
    assert import_file(copy).name == "mine"
    assert import_file(copy, "copy").new, "a name on the command line is used"
    assert import_file(copy).name == "copy", "of several names, that of the file"


def test_the_file_name_becomes_the_name_of_the_model(own: Path, tmp_path: Path) -> None:
    assert import_file(write(tmp_path / "Mein Netz ü.tflite", tiny_posenet())).path == own / "Mein_Netz.tflite"
    odd = write(tmp_path / 'Ein "Modell"\n\\ v1.0 \x7f😀\udcff.tflite', tiny_posenet())
    imported = import_file(odd, "odd")
    assert 'Ein "Modell"?\\ v1.0 ?😀?.tflite' in catalogue.entries(own)[imported.name].source


@pytest.mark.parametrize("name", ["", "a b", "a.tflite", "../a", "ä", "a\n", "a" * 65])
def test_a_name_that_toml_would_quote_is_refused(own: Path, tiny: Path, name: str) -> None:
    with pytest.raises(UsageError) as exc:
        import_file(tiny, name)
    assert exc.value.key == "--name"
    assert not own.exists()


def test_a_file_name_without_any_letter_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as exc:
        import_file(write(tmp_path / "ü.tflite", tiny_posenet()))
    assert exc.value.key == "--name"


WHOLE, RAW = tiny_posenet(), tiny_posenet(decoder="")
WEIGHTS = struct.pack("<4i", 17, 1, 1, 3)  # the shape of a layer's weights


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(5000), ["not a TFLite model"]),
        (b"", ["not a TFLite model"]),
        (WHOLE[: len(WHOLE) // 2], ["damaged"]),
        (tiny_posenet(decoder="Other"), ["poses:0 [10]", "use a model with"]),
        (RAW.replace(b"heat", b"warm"), ["net/warmmaps [3, 4, 17]", "use a model with"]),
        (WHOLE.replace(WEIGHTS, struct.pack("<4i", 17, 1, 1, 2)), ["it "]),
    ],
    ids=["photo", "empty", "short", "other decoder", "other outputs", "does not run"],
)
def test_a_file_that_is_not_a_posenet_is_refused(
    own: Path, tmp_path: Path, content: bytes, words: Sequence[str]
) -> None:
    assert WEIGHTS in WHOLE
    file = write(tmp_path / "file.tflite", content)
    with pytest.raises(ModelError) as exc:
        import_file(file)
    assert exc.value.key == str(file)
    assert all(word in exc.value.text for word in words)
    assert not own.parent.exists()


@pytest.mark.parametrize("path", [".", "/dev/zero", ""])
def test_only_regular_files_are_read(path: str) -> None:
    with pytest.raises(ModelError) as exc:
        import_file(Path(path))
    assert exc.value.key == str(Path(path))
    assert exc.value.problem == "it is not a TFLite model"


def test_a_missing_file_is_an_error_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as exc:
        import_file(tmp_path / "no")
    assert exc.value.key == "FILE"
    assert "No such file or directory" in exc.value.problem


def test_without_room_for_temporary_files_nothing_is_imported(
    own: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ModelError) as exc:
        import_file(tiny)
    assert "make room" in exc.value.remedy
    assert not own.exists()


def test_the_summary_reports_that_the_daemon_does_not_find_a_private_model(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_SYSTEM", tiny / "models")  # there can be no folder below a file
    assert "run the same command with sudo" in importing.summary(import_file(tiny))


def test_the_commands_import_list_and_remove(own: Path, tiny: Path) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["models", *arguments])

    done = run("import", str(tiny), "--name", "mine")
    assert done.exit_code == 0
    for part in (str(own / "mine.tflite"), "33x49", "mid_offsets [3, 4, 64]", 'name = "mine"'):
        assert part in done.stdout
    again = json.loads(run("import", str(tiny), "--name", "mine", "--json").stdout)
    assert (again["new"], again["device"], again["path"]) == (False, "cpu", str(own / "mine.tflite"))
    assert {name: tuple(shape) for name, shape in again["outputs"].items()} == OUTPUTS
    listed = {model["name"]: model for model in json.loads(run("list", "--json").stdout)}
    assert [name for name, model in listed.items() if model["ok"]] == [*catalogue.entries(), "mine"]
    assert (listed["mine"]["ok"], listed["mine"]["folder"], listed["mine"]["shipped"]) == (True, str(own), False)
    assert str(own / "mine.tflite") in run("list").stdout
    (own / "mine.tflite").unlink()
    assert "cannot read" in run("list").stdout
    assert run("list").exit_code == 1
    assert str(own / "mine.tflite") in run("remove", "mine").stdout
    assert run("list").exit_code == 0
    refused = run("import", str(tiny.parent))
    assert isinstance(refused.exception, ModelError)
    assert refused.exception.exit_code == 78


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("size", ["353_481", "481_641"])
def test_corals_models_find_two_people(coral: Path, size: str) -> None:
    """The highest heatmap values for noses are where Coral's own decoder finds the noses."""
    name = f"posenet_mobilenet_v1_075_{size}_quant_decoder"
    imported = import_file(coral / f"{name}.tflite", "coral")
    ((height, width),) = imported.entry.input_sizes
    assert f"{height}_{width}" == size
    cpu = CpuRuntime(catalogue.read("coral").content, label="coral", input_size=(height, width), threads=1)
    with Image.open(coral / "test_couple.jpg") as image:
        cpu.input()[:] = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.NEAREST))
    cpu.invoke()
    outputs = cpu.outputs()
    heatmaps, offsets = (outputs[output].real(outputs[output].data) for output in ("heatmaps", "short_offsets"))
    confident = np.argwhere(sigmoid(heatmaps[..., 0]) > 0.9)
    found = np.array([(row, column) * np.array(16) + offsets[row, column, [0, 17]] for row, column in confident])
    with (coral / f"{name}_reference.csv").open(newline="") as file:
        noses = [row for row in csv.DictReader(file) if row["keypoint_label"] == "NOSE"]
    expected = np.array([(float(nose["keypoint_y"]), float(nose["keypoint_x"])) for nose in noses])
    distances = np.linalg.norm(found[:, None] - expected, axis=2)
    assert len(expected) == 2
    assert (distances.min(axis=0) < 4).all(), "a nose was not found"
    assert (distances.min(axis=1) < 8).all(), "there is no nose"


def test_corals_models_for_the_edge_tpu_can_be_imported(own: Path, coral: Path) -> None:
    imported = import_file(coral / "posenet_mobilenet_v1_075_353_481_quant_decoder_edgetpu.tflite", "tpu")
    assert (imported.entry.device, imported.ran_on) == ("edgetpu", None)
    assert imported.path == own / "tpu.tflite"
