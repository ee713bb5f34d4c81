"""COCO's measures, for poses made by hand and for painted people, and the annotation files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import UsageError
from edge.skeleton import INDEX, KEYPOINT_COUNT, OKS_SIGMAS
from edge.types import Pose
from tests.support.annotations import PERSON, STANDING, annotation_file, person
from tests.support.poses import make_pose

pytest.importorskip("pycocotools", reason="PYCOCOTOOLS IS NOT INSTALLED: run: pip install 'edge-pose[evaluate]'")

from edge.evaluation import coco

THRESHOLDS = np.linspace(0.5, 0.95, 10)
PUBLISHED = np.full(KEYPOINT_COUNT, 0.3, np.float32)


def read(folder: Path, content: Any) -> coco.Annotations:
    file = folder / "annotations.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return coco.read(file)


def measured(truth: coco.Annotations, *found: tuple[int, Pose]) -> dict[str, Any]:
    """The measures of poses, each with the number of its picture from 1."""
    ids = {picture.id for picture in truth.pictures}
    return coco.measure(truth, ids, [truth.detection(truth.pictures[n - 1], one) for n, one in found], PUBLISHED)


def test_poses_that_equal_the_annotations_get_perfect_measures(painted: Path) -> None:
    truth = coco.read(painted / "annotations.json")
    places = {picture.id: n for n, picture in enumerate(truth.pictures, 1)}
    annotated = [(places[one.image_id], np.reshape(one.keypoints, (-1, 3))) for one in truth.people]
    report = measured(truth, *((n, make_pose(values[:, :2].astype(np.float32))) for n, values in annotated))
    assert report["persons"] == {"annotated": 24, "detected": 24, "matched": 24}
    assert [report["oks"][name] for name in ("AP", "AP50", "AP75", "AR")] == pytest.approx([1] * 4)
    everything = report["keypoints"]["all"]
    assert everything["annotated"] == sum(np.count_nonzero(values[:, 2]) for _, values in annotated)
    assert (everything["recall"], everything["pck"]) == (1, 1)
    assert everything["median_error_px"] < 1e-3


@pytest.mark.parametrize("shift_px", [0, 2, 4, 6, 8, 11, 14, 20, 40])
def test_ap_falls_with_distance_according_to_oks(tmp_path: Path, shift_px: int) -> None:
    one = person(1, STANDING, area=15_000.0)
    report = measured(
        read(tmp_path, annotation_file([one])), (1, make_pose(STANDING + np.array((0, shift_px), np.float32)))
    )
    oks = np.exp(-(shift_px**2) / (2 * (2 * OKS_SIGMAS.astype(float)) ** 2 * 15_000)).mean()
    # With one person and one pose, AP is the share of thresholds that the pose reaches.
    assert (report["oks"]["AP"], report["oks"]["AR"]) == pytest.approx([np.mean(oks >= THRESHOLDS)] * 2)
    assert report["persons"]["matched"] == (oks >= 0.5)


def test_keypoints_without_annotation_do_not_count(tmp_path: Path) -> None:
    v = np.full(KEYPOINT_COUNT, 2)
    v[:10] = 0
    moved = STANDING.copy()
    moved[:10] += 300
    report = measured(read(tmp_path, annotation_file([person(1, STANDING, v=v)])), (1, make_pose(moved)))
    assert report["oks"]["AP"] == pytest.approx(1)
    assert report["keypoints"]["all"]["annotated"] == 7
    assert report["keypoints"]["NOSE"] == {"annotated": 0, "recall": None, "pck": None, "median_error_px": None}


def test_a_pose_without_a_person_costs_precision(tmp_path: Path) -> None:
    truth = read(tmp_path, annotation_file([person(1, STANDING)], pictures=2))
    right = (1, make_pose(STANDING, score=0.8))
    assert measured(truth, right, (2, make_pose(STANDING, score=0.9)))["oks"]["AP"] == pytest.approx(0.5)
    assert measured(truth, right, (2, make_pose(STANDING, score=0.7)))["oks"]["AP"] == pytest.approx(1)
    assert measured(truth, right, (1, make_pose(STANDING + 200, score=0.9)))["oks"]["AP"] == pytest.approx(0.5)
    unseen = measured(truth)
    assert (unseen["oks"]["AP"], unseen["oks"]["AR"]) == (0, 0)
    assert unseen["persons"] == {"annotated": 1, "detected": 0, "matched": 0}


@pytest.mark.parametrize(
    "ignored", [{"iscrowd": 1}, {"num_keypoints": 0}, {"keypoints": [], "num_keypoints": None, "iscrowd": None}]
)
def test_crowds_and_people_without_keypoints_count_neither_way(tmp_path: Path, ignored: dict[str, Any]) -> None:
    elsewhere = STANDING + np.float32(200)
    people = [person(1, STANDING), person(1, elsewhere, **ignored)]
    for found in ([(1, make_pose(STANDING))], [(1, make_pose(STANDING)), (1, make_pose(elsewhere, score=0.9))]):
        report = measured(read(tmp_path, annotation_file(people)), *found)
        assert report["oks"]["AP"] == pytest.approx(1)
        assert (report["persons"]["annotated"], report["persons"]["matched"]) == (1, 1)


def test_without_annotated_people_there_is_no_ap(tmp_path: Path) -> None:
    report = measured(read(tmp_path, annotation_file([])), (1, make_pose(STANDING)))
    assert set(report["oks"].values()) == {None}
    assert report["persons"] == {"annotated": 0, "detected": 1, "matched": 0}


def test_annotation_ids_may_be_equal_or_missing(tmp_path: Path) -> None:
    people = [person(1, STANDING, id=0), person(1, STANDING + np.float32(200), id=0)]
    found = [(1, make_pose(STANDING)), (1, make_pose(STANDING + np.float32(200)))]
    assert measured(read(tmp_path, annotation_file(people)), *found)["oks"]["AP"] == pytest.approx(1)
    for one in people:
        del one["id"], one["iscrowd"], one["num_keypoints"]
    assert measured(read(tmp_path, annotation_file(people)), *found)["oks"]["AP"] == pytest.approx(1)


def test_missing_values_of_other_tools_are_accepted(tmp_path: Path) -> None:
    content = annotation_file([person(1, STANDING, iscrowd=None, num_keypoints=None)])
    content["images"][0] |= {"width": 640.0, "height": None}
    assert measured(read(tmp_path, content), (1, make_pose(STANDING)))["oks"]["AP"] == pytest.approx(1)


def test_each_keypoint_has_its_own_measures(tmp_path: Path) -> None:
    truth = read(tmp_path, annotation_file([person(1, STANDING, bbox=[100, 50, 20, 160], area=15_000.0)]))
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
    content = annotation_file([person(1, STANDING)])
    change(content)
    return content


BAD = {
    "{": "is not a COCO file: ",
    "[]": "is not a COCO file: Expected `object`",
    "{}": "missing required field `images`",
    json.dumps(mutated(lambda c: c["images"].clear())): "lists no pictures",
    json.dumps(mutated(lambda c: c["images"].append(c["images"][0]))): "the same id",
    json.dumps(mutated(lambda c: c["images"][0].pop("file_name"))): "`file_name` - at `$.images[0]`",
    json.dumps(mutated(lambda c: c["categories"].clear())): 'no category "person"',
    json.dumps(mutated(lambda c: c["categories"][0].update(name="cat"))): 'no category "person"',
    json.dumps(mutated(lambda c: c["categories"].__setitem__(0, PERSON | {"keypoints": ["nose"]}))): "not the 17",
    json.dumps(mutated(lambda c: c["annotations"][0]["keypoints"].pop())): "annotations[0] has 50 values",
    json.dumps(mutated(lambda c: c["annotations"][0].update(image_id=7))): "picture 7, which is not listed",
    json.dumps(mutated(lambda c: c["annotations"][0].update(area=-1))): "`$.annotations[0].area`",
    json.dumps(mutated(lambda c: c["annotations"][0].pop("bbox"))): "missing required field `bbox`",
    json.dumps(mutated(lambda c: c["annotations"][0]["keypoints"].__setitem__(0, None))): "got `null`",
}


@pytest.mark.parametrize(("content", "problem"), BAD.items(), ids=BAD.values())
def test_other_files_are_refused_with_the_reason(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(UsageError) as exc:
        read(tmp_path, content)
    assert exc.value.key == "--annotations"
    assert "annotations.json" in exc.value.problem
    assert problem in exc.value.problem
    assert "person_keypoints_val2017.json" in exc.value.remedy


def test_other_categories_are_ignored(tmp_path: Path) -> None:
    cat = person(1, STANDING, category_id=2)
    del cat["keypoints"]
    content = annotation_file([cat, person(1, STANDING)])
    content["categories"].insert(0, {"id": 2, "name": "cat"})
    report = measured(read(tmp_path, content), (1, make_pose(STANDING)))
    assert report["persons"] == {"annotated": 1, "detected": 1, "matched": 1}
