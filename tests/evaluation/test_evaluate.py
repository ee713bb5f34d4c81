"""`edge-pose evaluate`, from files to reports."""

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.config import Config, Model
from edge.errors import ModelError, UsageError
from edge.types import Frame
from tests.support import ROOT
from tests.support.annotations import annotation_file, person
from tests.support.models import fast_config
from tests.support.pipelines import configured
from tests.support.sensor import run_edge

pytest.importorskip("pycocotools", reason="PYCOCOTOOLS IS NOT INSTALLED: run: pip install 'edge-pose[evaluate]'")

from edge.evaluation import evaluate


def test_the_report_on_painted_people(painted: Path, tmp_path: Path) -> None:
    out = tmp_path / "poses.json"
    given = ("--annotations", str(painted / "annotations.json"), "--images", str(painted))
    done = run_edge("evaluate", *given, "--json", "--out", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert done.stderr.splitlines()[-1] == f"wrote {out}: {report['persons']['detected']} poses"
    assert report["oks"]["AP"] > 0.6
    assert report["keypoints"]["all"]["median_error_px"] < 10
    assert report["pictures"] == {"listed": 13, "evaluated": 13, "skipped": []}
    assert report["persons"]["annotated"] == 24
    assert report["model"]["name"] == "posenet"
    assert len(report["model"]["sha256"]) == 64
    assert report["model"]["input_size"] == [353, 481]
    assert report["decode"] == {"mode": "multi", "max_people": 20, "nms_radius_px": 10, "min_pose_score": 0.2}
    assert set(report["versions"]) == {"edge-pose", "numpy", "pycocotools", "python"}
    for stage in ("inference", "decode"):
        times = report["latency_ms"][stage]
        assert 0 < times["median"] <= times["p95"] <= times["p99"]
    assert report["oks"]["AP"] == pytest.approx(ap_of_pycocotools(painted / "annotations.json", out))


def ap_of_pycocotools(truth: Path, results: Path) -> float:
    """AP as pycocotools computes it from the written file."""
    from pycocotools.coco import COCO  # noqa: PLC0415
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415

    content = json.loads(truth.read_text(encoding="utf-8"))
    for number, one in enumerate(content["annotations"], 1):
        one["id"] = number  # pycocotools takes 0 as no match
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = content
        annotated.createIndex()
        evaluation = COCOeval(annotated, annotated.loadRes(str(results)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_confidences_of_multipose_are_those_that_the_sensor_publishes(painted: Path) -> None:
    config = fast_config(model={"name": "movenet-multipose"})
    _, poses = evaluate.run(config, painted / "annotations.json", painted, limit=1)
    _, pipeline = configured(config, continuous=False)
    image = np.asarray(Pillow.open(painted / "1.png"))
    published = pipeline.update(Frame(image, image.shape[1], image.shape[0], 0, 0.0, 0.0)).people[0].pose
    assert poses[0].keypoints[2::3] == pytest.approx(published.confidence.tolist(), abs=1e-3)


def test_settings_come_from_environment_file_and_options(painted: Path, tmp_path: Path) -> None:
    given = ("--annotations", str(painted / "annotations.json"), "--images", str(painted), "--json", "--limit", "2")
    environ = {"EDGE_POSE_MODEL__INPUT_SIZE": "[257, 257]", "EDGE_POSE_DECODE__MAX_PEOPLE": "3"}
    report = json.loads(run_edge("evaluate", *given, environ=environ).stdout)
    assert (report["model"]["input_size"], report["decode"]["max_people"]) == ([257, 257], 3)
    assert report["pictures"]["evaluated"] == 2

    config = tmp_path / "config.toml"
    config.write_text('[model]\ninput_size = [257, 353]\n[decode]\nmode = "single"\n', encoding="utf-8")
    more = ("--config", str(config), "--input-size", "225x225", "--model", "posenet-float16")
    report = json.loads(run_edge("evaluate", *given, *more).stdout)
    assert (report["model"]["name"], report["model"]["input_size"]) == ("posenet-float16", [225, 225])
    assert (report["decode"]["mode"], report["decode"]["max_people"]) == ("single", 10)


def test_tables_are_printed_and_skipped_pictures_listed(painted: Path, tmp_path: Path) -> None:
    content = json.loads((painted / "annotations.json").read_text(encoding="utf-8"))
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes((painted / name).read_bytes())
    (tmp_path / "3.png").write_bytes((painted / "3.png").read_bytes()[:2000])
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    done = run_edge("evaluate", "--annotations", str(file), "--images", str(tmp_path), environ={"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    for word in ("2 of 13, 11 skipped", "AP", "RIGHT_ANKLE", "inference", "p99", "sha256"):
        assert word in done.stdout
    assert f"{tmp_path}/3.png is skipped: " in done.stderr
    assert f"{tmp_path}/4.png is skipped: No such file or directory" in done.stderr
    assert "... and 1 more" in done.stderr
    assert "skipped: 11;" in done.stderr


@pytest.mark.parametrize(
    ("annotations", "images", "key", "words"),
    [
        ("annotations.json", "/nowhere", "--images", "no folder /nowhere"),
        ("/nowhere", ".", "--annotations", "/nowhere cannot be read"),
        ("annotations.json", "empty", "--images", "none of the 13 pictures"),
    ],
)
def test_wrong_paths_name_the_option(painted: Path, annotations: str, images: str, key: str, words: str) -> None:
    (painted / "empty").mkdir(exist_ok=True)
    with pytest.raises(UsageError) as exc:
        evaluate.run(Config(), painted / annotations, painted / images)
    assert exc.value.key == key
    assert words in exc.value.problem


@pytest.mark.parametrize(
    ("model", "key"), [(Model(input_size=(481, 640)), "model.input_size"), (Model(name="nothing"), "model.name")]
)
def test_a_wrong_model_names_the_configuration_key(painted: Path, model: Model, key: str) -> None:
    with pytest.raises(ModelError) as exc:
        evaluate.run(Config(model=model), painted / "annotations.json", painted)
    assert exc.value.key == key


def test_without_a_report_the_message_about_skipped_pictures_does_not_mention_it(painted: Path, tmp_path: Path) -> None:
    done = run_edge("evaluate", "--annotations", str(painted / "annotations.json"), "--images", str(tmp_path))
    assert "... and 3 more\n" in done.stderr


def test_poses_that_cannot_be_written_name_the_option() -> None:
    with pytest.raises(UsageError) as exc:
        evaluate.write([], Path("/nowhere/x.json"))
    assert exc.value.key == "--out"
    assert "/nowhere/x.json" in exc.value.problem


def test_input_files_are_never_overwritten(painted: Path, tmp_path: Path) -> None:
    truth, picture, link = tmp_path / "truth.json", tmp_path / "3.png", tmp_path / "link.json"
    truth.write_bytes((painted / "annotations.json").read_bytes())
    picture.write_bytes((painted / "3.png").read_bytes())
    link.symlink_to(truth)
    before = truth.read_bytes(), picture.read_bytes()
    for out in (truth, picture, link):
        done = run_edge("evaluate", "--annotations", str(truth), "--images", str(tmp_path), "--out", str(out))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"edge-pose: --out: {out} is an input file and would be overwritten; name another file\n"
    assert (truth.read_bytes(), picture.read_bytes()) == before


def test_the_report_is_printed_even_if_the_poses_cannot_be_written(painted: Path) -> None:
    given = ("--annotations", str(painted / "annotations.json"), "--images", str(painted), "--limit", "1", "--json")
    done = run_edge("evaluate", *given, "--out", "/proc/poses.json")
    assert (done.returncode, json.loads(done.stdout)["pictures"]["evaluated"]) == (2, 1)
    assert done.stderr.splitlines()[-1].startswith("edge-pose: --out: /proc/poses.json cannot be written")


def test_annotations_without_keypoints_are_reported(painted: Path, tmp_path: Path) -> None:
    content = json.loads((painted / "annotations.json").read_text(encoding="utf-8"))
    for one in content["annotations"]:  # as in COCO's instances_*.json
        del one["keypoints"], one["num_keypoints"]
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    done = run_edge("evaluate", "--annotations", str(file), "--images", str(painted), "--limit", "1")
    assert done.returncode == 0
    assert f"{file}: these pictures have no annotated keypoints" in done.stderr


def test_wrong_options_exit_with_2_and_wrong_configuration_with_78(painted: Path) -> None:
    given = ("--annotations", str(painted / "annotations.json"), "--images", str(painted))
    for wrong in (
        (*given, "--input-size", "5x5"),
        (*given, "--out", "/nowhere/x.json"),
        (*given, "--out", str(painted)),
        (*given, "--limit", "0"),
        (),
    ):
        done = run_edge("evaluate", *wrong)
        assert (done.returncode, done.stdout) == (2, "")
    folder, truth = str(painted), str(painted / "annotations.json")
    for words, arguments in {
        "--model: there is no model 'nothing'": (*given, "--model", "nothing"),
        "--input-size: width 640 does not fit": (*given, "--input-size", "481x640"),
        "--annotations: /nowhere cannot be read": ("--annotations", "/nowhere", "--images", folder),
        "--images: there is no folder /nowhere": ("--annotations", truth, "--images", "/nowhere"),
    }.items():
        done = run_edge("evaluate", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1].startswith(f"edge-pose: {words}")
    named = {"EDGE_POSE_MODEL__NAME": "nothing"}
    done = run_edge("evaluate", "--annotations", truth, "--images", folder, environ=named)
    assert (done.returncode, done.stderr.partition(": ")[2][:11]) == (78, "model.name:")


def test_a_missing_pycocotools_is_named_with_the_command_that_installs_it(painted: Path, tmp_path: Path) -> None:
    (tmp_path / "pycocotools.py").write_text("raise ImportError", encoding="utf-8")
    done = run_edge(
        "evaluate", "--annotations", str(painted / "annotations.json"), "--images", str(painted),
        environ={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 78
    assert "pip install 'edge-pose[evaluate]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_people_of_corals_picture_are_found_where_coral_finds_them(coral: Path, tmp_path: Path) -> None:
    """The poses of Coral's model and decoder are the annotations here."""
    name = "posenet_mobilenet_v1_075_481_641_quant_decoder_reference.csv"
    with Pillow.open(coral / "test_couple.jpg") as image:
        size = image.size
    rows = list(csv.DictReader((coral / name).read_text(encoding="utf-8").splitlines()))
    people = []
    for number in sorted({row["pose_id"] for row in rows}):
        xy = np.array(
            [[float(row["keypoint_x"]), float(row["keypoint_y"])] for row in rows if row["pose_id"] == number]
        )
        frame = (xy + 0.5) * np.array(size) / (641, 481) - 0.5
        people.append(person(1, frame.astype(np.float32)))
    content = annotation_file(people)
    content["images"] = [{"id": 1, "file_name": "test_couple.jpg", "width": size[0], "height": size[1]}]
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    done = run_edge("evaluate", "--annotations", str(file), "--images", str(coral), "--json", "--input-size", "481x641")
    report = json.loads(done.stdout)
    assert report["persons"] == {"annotated": 2, "detected": 2, "matched": 2}
    assert report["oks"]["AP"] > 0.9
