import csv
import errno
import json
import os
import struct
import tempfile
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
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue, importing
from edge.models.strip_decoder import cut_decoder
from tests.support.tiny_posenet import INPUT_SIZE, OUTPUTS, tiny_posenet


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.tflite", tiny_posenet())


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def written(folder: Path) -> list[str]:
    """Every file and folder that an import may have made."""
    return sorted(path.name for top in ("var", "home") for path in (folder / top).rglob("*"))


def test_an_imported_model_is_known_by_its_name(own: Path, tiny: Path) -> None:
    imported = importing.run(tiny)
    assert (imported.name, imported.path, imported.new) == ("tiny", own / "tiny.tflite", True)
    assert imported.ran_on
    model = catalogue.read("tiny")
    assert model.verified
    assert (model.path, model.content) == (imported.path, cut_decoder(tiny.read_bytes()))
    cpu = CpuRuntime(model.content, label="tiny", input_size=INPUT_SIZE, threads=1)
    assert find_outputs(cpu.output_shapes, INPUT_SIZE).heatmaps == "heatmaps"
    assert catalogue.read(str(imported.path)).verified, "by its path as well"
    entry = catalogue.entries(own)["tiny"]
    assert (entry.device, entry.input_sizes, entry.output_stride) == ("cpu", (INPUT_SIZE,), 16)
    assert (entry.sha256, entry.size) == (model.sha256, len(model.content))
    assert written(own.parents[1]) == ["catalogue.toml", "models", "tiny.tflite"]
    assert "sudo" not in importing.summary(imported)


def test_a_model_with_raw_outputs_is_imported_as_it_is(own: Path, tmp_path: Path) -> None:
    content = tiny_posenet(decoder="")
    importing.run(write(tmp_path / "raw.tflite", content), "mine")
    assert (own / "mine.tflite").read_bytes() == content


def test_a_model_for_the_edge_tpu_is_not_run(own: Path, tmp_path: Path) -> None:
    imported = importing.run(write(tmp_path / "tpu.tflite", tiny_posenet(edge_tpu=True)))
    assert imported.ran_on is None
    told = importing.summary(imported)
    assert "needs an Edge TPU" in told
    assert "No setting is needed" in told
    assert catalogue.entries(own)["tpu"].device == "edgetpu"
    with pytest.raises(ModelError, match=r"^model\.name: tpu is compiled for a Coral Edge TPU and does not run on"):
        CpuRuntime(catalogue.read("tpu").content, label="tpu", input_size=(65, 65), threads=1)


def test_the_same_model_again_is_no_error_and_mends_the_file(own: Path, tiny: Path) -> None:
    first = importing.run(tiny)
    index = (own / "catalogue.toml").read_bytes()
    assert importing.run(tiny) == replace(first, new=False)
    first.path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"is damaged .*; import it again"):
        catalogue.read("tiny")
    assert not importing.run(tiny).new
    assert catalogue.read("tiny").verified
    assert (own / "catalogue.toml").read_bytes() == index


def test_names_belong_to_one_model(own: Path, tiny: Path, tmp_path: Path) -> None:
    importing.run(tiny)
    other = write(tmp_path / "other.tflite", tiny_posenet(fixed=True))
    before = {path: path.read_bytes() for path in own.iterdir()}
    for taken in ("tiny", "posenet"):
        with pytest.raises(ModelError, match=f"another model '{taken}' already; choose another name with --name"):
            importing.run(other, taken)
    for name in ("", "a b", "a.tflite", "../a", "ä", "a\n", "a" * 65):
        with pytest.raises(UsageError, match=r"^--name: .* cannot be the name of a model"):
            importing.run(other, name)
    with pytest.raises(UsageError, match=r"^--name: .* cannot be the name of a model"):
        importing.run(write(tmp_path / "ü.tflite", tiny_posenet(fixed=True)))
    assert {path: path.read_bytes() for path in own.iterdir()} == before
    importing.run(other, "tiny-2")
    assert list(catalogue.entries(own)) == ["tiny", "tiny-2"]


def test_a_model_that_has_a_name_is_told_it(own: Path, tiny: Path, tmp_path: Path) -> None:
    shipped = catalogue.folder() / catalogue.entries()["posenet"].file
    imported = importing.run(shipped)
    assert (imported.name, imported.path, imported.new) == ("posenet", shipped, False)
    assert imported.entry == catalogue.entries()["posenet"], "what is said of it is what the catalogue says"
    told = importing.summary(imported)
    assert told.startswith("this very model is in the catalogue already, as posenet\n")
    assert 'name = "posenet"' in told
    assert not own.exists()
    importing.run(tiny, "mine")
    copy = write(tmp_path / "copy.tflite", tiny.read_bytes())
    assert importing.run(copy).name == "mine"
    assert importing.run(copy, "copy").new, "who says a name gets it"
    assert importing.run(copy).name == "copy", "of several names, that of the file"


def test_a_file_s_name_becomes_one_without_blanks(own: Path, tmp_path: Path) -> None:
    assert importing.run(write(tmp_path / "Mein Netz ü.tflite", tiny_posenet())).path == own / "Mein_Netz.tflite"


def test_a_file_that_is_in_no_catalogue_is_not_overwritten(own: Path) -> None:
    own.mkdir(parents=True)
    mine = write(own / "mine.tflite", tiny_posenet())
    with pytest.raises(ModelError, match=r"mine\.tflite is there already, and in no catalogue; .*--name"):
        importing.run(mine)
    assert [path.name for path in own.iterdir()] == ["mine.tflite"]
    assert mine.read_bytes() == tiny_posenet()
    assert importing.run(mine, "cut").path == own / "cut.tflite"


def test_what_the_owner_wrote_into_the_catalogue_stays(own: Path, tiny: Path) -> None:
    importing.run(tiny, "first")
    index = own / "catalogue.toml"
    index.write_text("# mine\n" + index.read_text().replace("as at its origin", "MIT").rstrip())
    importing.run(tiny, "second")
    assert index.read_text().startswith("# mine\n")
    assert [entry.licence for entry in catalogue.entries(own).values()] == ["MIT", "as at its origin"]


def test_what_was_imported_can_be_removed(own: Path, tiny: Path) -> None:
    for name in ("first", "first-2", "second"):
        importing.run(tiny, name)
    index = own / "catalogue.toml"
    index.write_text("# mine\n" + index.read_text() + "# at the end\n")
    assert catalogue.remove("first") == (own / "first.tflite", [])
    assert index.read_text().startswith("# mine\n")
    assert list(catalogue.entries(own)) == ["first-2", "second"]
    assert sorted(path.name for path in own.iterdir()) == ["catalogue.toml", "first-2.tflite", "second.tflite"]
    for unknown in ("first", "posenet", "nobody"):
        problem = (
            "posenet is a part of edge-pose, and stays" if unknown == "posenet" else f"no model '{unknown}' that was"
        )
        with pytest.raises(UsageError, match=f"^NAME: .*{problem}"):
            catalogue.remove(unknown)
    (own / "second.tflite").unlink()
    catalogue.remove("second")
    index.write_text(index.read_text().replace("[first-2]", "['first-2']"))
    with pytest.raises(ModelError, match="take it out by hand"):
        catalogue.remove("first-2")
    assert catalogue.read("first-2").verified


def test_any_name_of_a_file_will_do(own: Path, tmp_path: Path) -> None:
    odd = write(tmp_path / 'Ein "Modell"\n\\ v1.0 \x7f😀\udcff.tflite', tiny_posenet())
    imported = importing.run(odd)
    assert imported.name == "Ein_Modell_v1_0"
    assert 'Ein "Modell"?\\ v1.0 ?😀?.tflite' in catalogue.entries(own)[imported.name].source


def test_what_is_no_posenet_is_refused_in_one_line(own: Path, tmp_path: Path) -> None:
    whole, raw = tiny_posenet(), tiny_posenet(decoder="")
    weights = struct.pack("<4i", 17, 1, 1, 3)
    assert weights in whole
    refused = {
        "photo.tflite": (b"\xff\xd8\xff\xe0" + bytes(5000), "not a TFLite model; give a PoseNet"),
        "empty.tflite": (b"", "not a TFLite model"),
        "short.tflite": (whole[: len(whole) // 2], "damaged"),
        "detector.tflite": (tiny_posenet(decoder="Other"), r"poses:0 \[10\].*; use a model with"),
        "warm.tflite": (
            raw.replace(b"heat", b"warm"),
            r"net/warmmaps \[3, 4, 17\].*; use a model with",
        ),
        "weights.tflite": (whole.replace(weights, struct.pack("<4i", 17, 1, 1, 2)), "it (cannot be loaded|is damaged)"),
    }
    for name, (content, reason) in refused.items():
        with pytest.raises(ModelError, match=rf"^{tmp_path}/{name}: .*{reason}.*; nothing was imported$"):
            importing.run(write(tmp_path / name, content))
    for path in (tmp_path, Path("/dev/zero"), Path()):
        with pytest.raises(ModelError, match=f"^{path}: it is not a TFLite model"):
            importing.run(path)
    with pytest.raises(UsageError, match=rf"^FILE: {tmp_path}/no cannot be read \(No such file or directory\)"):
        importing.run(tmp_path / "no")
    assert not own.parent.exists()


def test_a_full_disk_leaves_no_folders(own: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match=r"^cannot write .*No space left on device"):
        importing.run(tiny)
    assert written(own.parents[1]) == []
    assert not own.parent.exists()


def test_a_catalogue_that_cannot_be_written_leaves_no_file(own: Path, tiny: Path) -> None:
    (own / "catalogue.toml").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"^cannot write .*catalogue\.toml"):
        importing.run(tiny)
    assert written(own.parents[1]) == ["catalogue.toml", "models"]


def test_where_the_device_s_folder_is_not_ours_the_home_is(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(catalogue, "_SYSTEM_FOLDER", tiny / "models")  # below a file, there can be no folder
    imported = importing.run(tiny)
    assert imported.path == tmp_path / "home/edge-pose/models/tiny.tflite"
    assert "for the service, do the same again with sudo" in importing.summary(imported)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # to be ignored, says the XDG specification
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert importing.run(tiny).path == tmp_path / "me/.local/share/edge-pose/models/tiny.tflite"
    assert catalogue.read("tiny").verified
    monkeypatch.setenv("HOME", str(tiny))
    with pytest.raises(ModelError, match="cannot be written; check their permissions"):
        importing.run(tiny)


def test_everybody_may_read_what_root_imports(own: Path, tiny: Path) -> None:
    before = os.umask(0o077)
    try:
        importing.run(tiny)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in own.iterdir()} == {0o644}
    assert own.stat().st_mode & 0o777 == 0o755


def test_without_room_for_temporary_files_it_is_one_line(
    own: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "is/not/there"))
    with pytest.raises(ModelError, match=r"cannot be tried \(.*make room"):
        importing.run(tiny)
    assert not own.exists()


def test_the_command(own: Path, tiny: Path) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["models", *arguments])

    told = run("import", str(tiny), "--name", "mine")
    assert told.exit_code == 0
    for part in (str(own / "mine.tflite"), "33x49", "mid_offsets [3, 4, 64]", 'name = "mine"'):
        assert part in told.stdout
    again = json.loads(run("import", str(tiny), "--name", "mine", "--json").stdout)
    assert (again["new"], again["device"], again["path"]) == (False, "cpu", str(own / "mine.tflite"))
    assert {name: tuple(shape) for name, shape in again["outputs"].items()} == OUTPUTS
    listed = {model["name"]: model for model in json.loads(run("list", "--json").stdout)}
    assert [name for name, model in listed.items() if model["ok"]] == ["posenet", "posenet-float16", "mine"]
    assert (listed["mine"]["ok"], listed["mine"]["folder"], listed["mine"]["shipped"]) == (True, str(own), False)
    assert f"{own}/mine.tflite: whole" in run("list").stdout
    (own / "mine.tflite").unlink()
    assert "cannot read" in run("list").stdout
    assert run("list").exit_code == 1
    assert run("remove", "mine").stdout == f"{own}/mine.tflite is removed\n"
    assert run("list").exit_code == 0
    refused = run("import", str(tiny.parent))
    assert isinstance(refused.exception, ModelError)
    assert refused.exception.exit_code == 78


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("size", ["353_481", "481_641"])
def test_corals_models_find_two_people(coral: Path, size: str) -> None:
    """At the noses, where Coral's own decoder finds them."""
    name = f"posenet_mobilenet_v1_075_{size}_quant_decoder"
    imported = importing.run(coral / f"{name}.tflite", "coral")
    ((height, width),) = imported.entry.input_sizes
    assert f"{height}_{width}" == size
    cpu = CpuRuntime(catalogue.read("coral").content, label="coral", input_size=(height, width), threads=1)
    with Image.open(coral / "test_couple.jpg") as image:
        cpu.input()[:] = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.NEAREST))
    cpu.invoke()
    outputs = cpu.outputs()
    heatmaps, offsets = (outputs[head].real(outputs[head].data) for head in ("heatmaps", "short_offsets"))
    sure = np.argwhere(sigmoid(heatmaps[..., 0]) > 0.9)
    found = np.array([(row, column) * np.array(16) + offsets[row, column, [0, 17]] for row, column in sure])
    with (coral / f"{name}_reference.csv").open(newline="") as file:
        noses = [row for row in csv.DictReader(file) if row["keypoint_label"] == "NOSE"]
    expected = np.array([(float(nose["keypoint_y"]), float(nose["keypoint_x"])) for nose in noses])
    distances = np.linalg.norm(found[:, None] - expected, axis=2)
    assert len(expected) == 2
    assert (distances.min(axis=0) < 4).all(), "somebody was not found"
    assert (distances.min(axis=1) < 8).all(), "nobody is there"


def test_corals_models_for_the_edge_tpu_are_imported_unseen(own: Path, coral: Path) -> None:
    imported = importing.run(coral / "posenet_mobilenet_v1_075_353_481_quant_decoder_edgetpu.tflite", "tpu")
    assert (imported.entry.device, imported.ran_on) == ("edgetpu", None)
    assert imported.path == own / "tpu.tflite"
