"""COCO's measures, by hand and on painted people, and what `edge-pose evaluate` makes of good and bad files."""

import contextlib
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.config import Config, Model
from edge.errors import ModelError, UsageError
from edge.skeleton import INDEX, KEYPOINT_COUNT, OKS_SIGMAS, PARTS
from edge.types import Floats, Pose
from tests.support import ROOT
from tests.support.poses import make_pose
from tests.support.scenes import picture_of, scene
from tests.support.sensor import run_edge

pytest.importorskip("pycocotools", reason="PYCOCOTOOLS IS NOT INSTALLED: do pip install 'edge-pose[evaluate]'")

from edge.evaluation import coco, evaluate

PERSON = {"id": 1, "name": "person", "keypoints": [name.lower() for name in PARTS.values()], "skeleton": []}
THRESHOLDS = np.linspace(0.5, 0.95, 10)
SURE = np.full(KEYPOINT_COUNT, 0.3, np.float32)
STANDING = np.array([[100 + 5 * (k % 4), 50 + 10 * k] for k in range(KEYPOINT_COUNT)], np.float32)


def person(image_id: int, xy: Floats, *, v: Any = 2, **more: Any) -> dict[str, Any]:
    """An annotation; box and area are those of the annotated keypoints."""
    v = np.broadcast_to(v, KEYPOINT_COUNT)
    (left, top), (right, bottom) = xy[v > 0].min(axis=0).tolist(), xy[v > 0].max(axis=0).tolist()
    return {
        "id": 1,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": 0,
        "num_keypoints": int(np.count_nonzero(v)),
        "keypoints": np.column_stack((xy * (v > 0)[:, None], v)).astype(float).ravel().tolist(),
    } | more


def a_file(people: list[dict[str, Any]], pictures: int = 1) -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{n}.png", "width": 640, "height": 480} for n in range(1, pictures + 1)]
    return {"images": images, "annotations": people, "categories": [dict(PERSON)]}


def read(folder: Path, content: Any) -> coco.Annotations:
    file = folder / "annotations.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return coco.read(file)


def measured(truth: coco.Annotations, *found: tuple[int, Pose]) -> dict[str, Any]:
    """The measures of poses with the numbers of their pictures, from 1."""
    ids = {picture.id for picture in truth.pictures}
    return coco.measure(truth, ids, [truth.detection(truth.pictures[n - 1], one) for n, one in found], SURE)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of painted people and one of an empty room, with `annotations.json`."""
    folder = tmp_path_factory.mktemp("painted")
    content = a_file([], pictures=13)
    scenes = [scene(name) for name in ("walk", "two", "three", "empty")]
    for number, listed in enumerate(content["images"]):
        painter = scenes[number // 4]
        Pillow.fromarray(picture_of(painter, 17 * number)).save(folder / listed["file_name"])
        for one in painter.truth(17 * number):
            inside = ((one.xy >= 0) & (one.xy < (640, 480))).all(axis=1)
            v = np.where(one.visible, 2, np.where(inside, 1, 0))
            content["annotations"].append(person(listed["id"], one.xy, v=v, id=len(content["annotations"])))
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_truth_itself_is_perfect(painted: Path) -> None:
    truth = coco.read(painted / "annotations.json")
    places = {picture.id: n for n, picture in enumerate(truth.pictures, 1)}
    told = [(places[one.image_id], np.reshape(one.keypoints, (-1, 3))) for one in truth.people]
    report = measured(truth, *((n, make_pose(values[:, :2].astype(np.float32))) for n, values in told))
    assert report["persons"] == {"annotated": 24, "detected": 24, "matched": 24}
    assert [report["oks"][name] for name in ("AP", "AP50", "AP75", "AR")] == pytest.approx([1] * 4)
    everything = report["keypoints"]["all"]
    assert everything["annotated"] == sum(np.count_nonzero(values[:, 2]) for _, values in told)
    assert (everything["recall"], everything["pck"]) == (1, 1)
    assert everything["median_error_px"] < 1e-3


@pytest.mark.parametrize("shift_px", [0, 2, 4, 6, 8, 11, 14, 20, 40])
def test_ap_falls_with_the_distance_as_oks_says(tmp_path: Path, shift_px: int) -> None:
    one = person(1, STANDING, area=15_000.0)
    report = measured(read(tmp_path, a_file([one])), (1, make_pose(STANDING + np.array((0, shift_px), np.float32))))
    oks = np.exp(-(shift_px**2) / (2 * (2 * OKS_SIGMAS.astype(float)) ** 2 * 15_000)).mean()
    # One person, one pose: it is right at the thresholds that it reaches, and wrong above.
    assert (report["oks"]["AP"], report["oks"]["AR"]) == pytest.approx([np.mean(oks >= THRESHOLDS)] * 2)
    assert report["persons"]["matched"] == (oks >= 0.5)


def test_what_counts_for_oks_is_annotated(tmp_path: Path) -> None:
    v = np.full(KEYPOINT_COUNT, 2)
    v[:10] = 0
    moved = STANDING.copy()
    moved[:10] += 300
    report = measured(read(tmp_path, a_file([person(1, STANDING, v=v)])), (1, make_pose(moved)))
    assert report["oks"]["AP"] == pytest.approx(1)
    assert report["keypoints"]["all"]["annotated"] == 7
    assert report["keypoints"]["NOSE"] == {"annotated": 0, "recall": None, "pck": None, "median_error_px": None}


def test_a_pose_where_nobody_is_costs_precision(tmp_path: Path) -> None:
    truth = read(tmp_path, a_file([person(1, STANDING)], pictures=2))
    right = (1, make_pose(STANDING, score=0.8))
    assert measured(truth, right, (2, make_pose(STANDING, score=0.9)))["oks"]["AP"] == pytest.approx(0.5)
    assert measured(truth, right, (2, make_pose(STANDING, score=0.7)))["oks"]["AP"] == pytest.approx(1)
    assert measured(truth, right, (1, make_pose(STANDING + 200, score=0.9)))["oks"]["AP"] == pytest.approx(0.5)
    unseen = measured(truth)
    assert (unseen["oks"]["AP"], unseen["oks"]["AR"]) == (0, 0)
    assert unseen["persons"] == {"annotated": 1, "detected": 0, "matched": 0}


@pytest.mark.parametrize(
    "left_out", [{"iscrowd": 1}, {"num_keypoints": 0}, {"keypoints": [], "num_keypoints": None, "iscrowd": None}]
)
def test_crowds_and_people_without_keypoints_count_neither_way(tmp_path: Path, left_out: dict[str, Any]) -> None:
    elsewhere = STANDING + np.float32(200)
    people = [person(1, STANDING), person(1, elsewhere, **left_out)]
    for found in ([(1, make_pose(STANDING))], [(1, make_pose(STANDING)), (1, make_pose(elsewhere, score=0.9))]):
        report = measured(read(tmp_path, a_file(people)), *found)
        assert report["oks"]["AP"] == pytest.approx(1)
        assert (report["persons"]["annotated"], report["persons"]["matched"]) == (1, 1)


def test_where_there_is_nobody_there_is_no_ap(tmp_path: Path) -> None:
    report = measured(read(tmp_path, a_file([])), (1, make_pose(STANDING)))
    assert set(report["oks"].values()) == {None}
    assert report["persons"] == {"annotated": 0, "detected": 1, "matched": 0}


def test_ids_of_annotations_may_be_anything(tmp_path: Path) -> None:
    people = [person(1, STANDING, id=0), person(1, STANDING + np.float32(200), id=0)]
    found = [(1, make_pose(STANDING)), (1, make_pose(STANDING + np.float32(200)))]
    assert measured(read(tmp_path, a_file(people)), *found)["oks"]["AP"] == pytest.approx(1)
    for one in people:
        del one["id"], one["iscrowd"], one["num_keypoints"]
    assert measured(read(tmp_path, a_file(people)), *found)["oks"]["AP"] == pytest.approx(1)


def test_files_of_other_tools_than_coco_s(tmp_path: Path) -> None:
    content = a_file([person(1, STANDING, iscrowd=None, num_keypoints=None)])
    content["images"][0] |= {"width": 640.0, "height": None}
    assert measured(read(tmp_path, content), (1, make_pose(STANDING)))["oks"]["AP"] == pytest.approx(1)


def test_keypoints_are_measured_one_by_one(tmp_path: Path) -> None:
    truth = read(tmp_path, a_file([person(1, STANDING, bbox=[100, 50, 20, 160], area=15_000.0)]))
    moved = make_pose(STANDING.copy())
    moved.xy[INDEX["LEFT_WRIST"]] += (0, 15.5)  # the limit is 16
    moved.xy[INDEX["RIGHT_WRIST"]] += (0, 16.5)
    moved.confidence[INDEX["LEFT_EAR"]] = 0.29
    keypoints = measured(truth, (1, moved))["keypoints"]
    assert keypoints["LEFT_WRIST"] == {"annotated": 1, "recall": 1, "pck": 1, "median_error_px": pytest.approx(15.5)}
    assert keypoints["RIGHT_WRIST"] == {"annotated": 1, "recall": 1, "pck": 0, "median_error_px": pytest.approx(16.5)}
    assert keypoints["LEFT_EAR"] == {"annotated": 1, "recall": 0, "pck": 1, "median_error_px": 0}
    assert keypoints["all"] == {
        "annotated": 17, "recall": pytest.approx(16 / 17), "pck": pytest.approx(16 / 17), "median_error_px": 0
    }  # fmt: skip


def mutated(change: Callable[[Any], object]) -> Any:
    content = a_file([person(1, STANDING)])
    change(content)
    return content


BAD = {
    "{": "not COCO's: ",
    "[]": "not COCO's: Expected `object`",
    "{}": "missing required field `images`",
    json.dumps(mutated(lambda c: c["images"].clear())): "lists no pictures",
    json.dumps(mutated(lambda c: c["images"].append(c["images"][0]))): "the same id",
    json.dumps(mutated(lambda c: c["images"][0].pop("file_name"))): "`file_name` - at `$.images[0]`",
    json.dumps(mutated(lambda c: c["categories"].clear())): "no category «person»",
    json.dumps(mutated(lambda c: c["categories"][0].update(name="cat"))): "no category «person»",
    json.dumps(mutated(lambda c: c["categories"].__setitem__(0, PERSON | {"keypoints": ["nose"]}))): "not COCO's 17",
    json.dumps(mutated(lambda c: c["annotations"][0]["keypoints"].pop())): "annotations[0] has 50 values",
    json.dumps(mutated(lambda c: c["annotations"][0].update(image_id=7))): "picture 7, which is not listed",
    json.dumps(mutated(lambda c: c["annotations"][0].update(area=-1))): "`$.annotations[0].area`",
    json.dumps(mutated(lambda c: c["annotations"][0].pop("bbox"))): "missing required field `bbox`",
    json.dumps(mutated(lambda c: c["annotations"][0]["keypoints"].__setitem__(0, None))): "got `null`",
}


@pytest.mark.parametrize(("content", "problem"), BAD.items(), ids=BAD.values())
def test_files_that_are_not_coco_keypoints(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content)
    text = str(caught.value)
    assert problem in text
    assert text.startswith("--annotations: ")
    assert "annotations.json" in text
    assert "person_keypoints_val2017.json" in text
    assert "\n" not in text


def test_other_categories_are_left_alone(tmp_path: Path) -> None:
    cat = person(1, STANDING, category_id=2)
    del cat["keypoints"]
    content = a_file([cat, person(1, STANDING)])
    content["categories"].insert(0, {"id": 2, "name": "cat"})
    report = measured(read(tmp_path, content), (1, make_pose(STANDING)))
    assert report["persons"] == {"annotated": 1, "detected": 1, "matched": 1}


def listed(width: int, height: int) -> coco.Listed:
    return coco.Listed(1, "a.png", width, height)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "YCbCr"])
def test_pictures_of_every_kind_become_rgb(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("a.jpg" if mode in {"CMYK", "YCbCr"} else "a.png")
    Pillow.new("RGB", (40, 30), (255, 255, 255)).convert(mode).save(file)
    image = evaluate._read(file, listed(40, 30))
    assert image.shape == (30, 40, 3)
    assert image.min() >= 250


def test_pictures_are_in_the_pixels_that_were_annotated(tmp_path: Path) -> None:
    turned, exif = tmp_path / "turned.png", Pillow.Exif()
    exif[0x0112] = 6  # turn it clockwise by 90 degrees to look at it
    stored = np.zeros((30, 40, 3), np.uint8)
    stored[0, 0] = 255
    Pillow.fromarray(stored).save(turned, exif=exif)
    np.testing.assert_array_equal(evaluate._read(turned, listed(40, 30)), stored)
    np.testing.assert_array_equal(evaluate._read(turned, coco.Listed(1, "turned.png")), stored)
    np.testing.assert_array_equal(evaluate._read(turned, listed(30, 40)), np.rot90(stored, -1))
    plain = tmp_path / "plain.png"
    Pillow.fromarray(stored).save(plain)
    with pytest.raises(ValueError, match="40x30 px, but 30x40 where it was annotated: it was turned"):
        evaluate._read(plain, listed(30, 40))
    with pytest.raises(ValueError, match="40x30 px, but 80x60 where it was annotated"):
        evaluate._read(plain, coco.Listed(1, "a.png", 80.0, 60.0))


def test_the_command_measures_painted_people(painted: Path, tmp_path: Path) -> None:
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
    assert report["oks"]["AP"] == pytest.approx(as_everyone_else_measures(painted / "annotations.json", out))


def as_everyone_else_measures(truth: Path, results: Path) -> float:
    """AP, with pycocotools alone."""
    from pycocotools.coco import COCO  # noqa: PLC0415
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415

    content = json.loads(truth.read_text(encoding="utf-8"))
    for number, one in enumerate(content["annotations"], 1):
        one["id"] = number  # it takes 0 for no match
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = content
        annotated.createIndex()
        evaluation = COCOeval(annotated, annotated.loadRes(str(results)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_the_command_takes_settings_from_everywhere(painted: Path, tmp_path: Path) -> None:
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


def test_the_command_shows_tables_and_what_it_left_out(painted: Path, tmp_path: Path) -> None:
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
    assert "left out: 11;" in done.stderr


def test_wrong_use_is_one_line(painted: Path, tmp_path: Path) -> None:
    truth, nowhere = painted / "annotations.json", Path("/nowhere")
    for problem, arguments in {
        "--images: there is no folder /nowhere": (Config(), truth, nowhere),
        "--annotations: /nowhere cannot be read": (Config(), nowhere, painted),
        "--images: no picture of 13 could be used": (Config(), truth, tmp_path),
        "use 641": (Config(model=Model(input_size=(481, 640))), truth, painted),
        "no model 'nothing'": (Config(model=Model(name="nothing")), truth, painted),
    }.items():
        with pytest.raises((UsageError, ModelError), match=problem) as caught:
            evaluate.run(*arguments)
        assert "\n" not in str(caught.value)
    assert (
        "which --json lists" not in run_edge("evaluate", "--annotations", str(truth), "--images", str(tmp_path)).stderr
    )
    with pytest.raises(UsageError, match=r"--out: /nowhere.* cannot be written"):
        evaluate.write([], nowhere / "x.json")


def test_what_is_read_is_not_overwritten(painted: Path, tmp_path: Path) -> None:
    truth, picture, link = tmp_path / "truth.json", tmp_path / "3.png", tmp_path / "link.json"
    truth.write_bytes((painted / "annotations.json").read_bytes())
    picture.write_bytes((painted / "3.png").read_bytes())
    link.symlink_to(truth)
    before = truth.read_bytes(), picture.read_bytes()
    for out in (truth, picture, link):
        done = run_edge("evaluate", "--annotations", str(truth), "--images", str(tmp_path), "--out", str(out))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"edge-pose: --out: {out} is read, and would be lost; name another file\n"
    assert (truth.read_bytes(), picture.read_bytes()) == before


def test_a_report_is_not_lost_with_its_poses(painted: Path) -> None:
    given = ("--annotations", str(painted / "annotations.json"), "--images", str(painted), "--limit", "1", "--json")
    done = run_edge("evaluate", *given, "--out", "/proc/poses.json")
    assert (done.returncode, json.loads(done.stdout)["pictures"]["evaluated"]) == (2, 1)
    assert done.stderr.splitlines()[-1].startswith("edge-pose: --out: /proc/poses.json cannot be written")


def test_without_annotated_people_it_says_that_there_is_nothing_to_measure(painted: Path, tmp_path: Path) -> None:
    content = json.loads((painted / "annotations.json").read_text(encoding="utf-8"))
    for one in content["annotations"]:  # as instances_*.json has them
        del one["keypoints"], one["num_keypoints"]
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    done = run_edge("evaluate", "--annotations", str(file), "--images", str(painted), "--limit", "1")
    assert done.returncode == 0
    assert f"{file}: nobody in these pictures is annotated with keypoints" in done.stderr


def test_wrong_options_are_2(painted: Path) -> None:
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


def test_without_pycocotools_it_says_what_to_install(painted: Path, tmp_path: Path) -> None:
    (tmp_path / "pycocotools.py").write_text("raise ImportError", encoding="utf-8")
    done = run_edge(
        "evaluate", "--annotations", str(painted / "annotations.json"), "--images", str(painted),
        environ={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 78
    assert "pip install 'edge-pose[evaluate]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_coral_finds_the_same_couple(coral: Path, tmp_path: Path) -> None:
    """Coral's own model and decoder are the truth here, ours has to come close."""
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
    content = a_file(people)
    content["images"] = [{"id": 1, "file_name": "test_couple.jpg", "width": size[0], "height": size[1]}]
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    done = run_edge("evaluate", "--annotations", str(file), "--images", str(coral), "--json", "--input-size", "481x641")
    report = json.loads(done.stdout)
    assert report["persons"] == {"annotated": 2, "detected": 2, "matched": 2}
    assert report["oks"]["AP"] > 0.9
