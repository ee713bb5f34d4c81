"""COCO's keypoint files and what is measured with them; the only file that imports pycocotools.

AP and AR are pycocotools' own. Everything else is about the poses that it matches to a person at an OKS of 0.5.
"""

from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from edge.errors import ConfigError, UsageError, pip_install
from edge.skeleton import KEYPOINT_COUNT, PARTS
from edge.types import Array, Floats, Pose

try:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as exc:
    raise ConfigError(f"evaluate needs pycocotools, which is not installed; do: {pip_install('evaluate')}") from exc

PCK_ALPHA = 0.1  # of the longer side of the annotated box, after Yang and Ramanan
DEFINITIONS = {
    "matched": "a person and the pose that COCOeval gives to them at an OKS of 0.5",
    "recall": "of the annotated keypoints of matched persons, the share that is confident enough to be published",
    "pck": f"of the same, the share within {PCK_ALPHA} of the longer side of the annotated box",
}
STATISTICS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")  # in COCOeval's order
DECIMALS = 3  # of what is measured and written alike, so that anyone gets the same AP from the file


class Listed(Struct, frozen=True):
    """A picture as the file lists it."""

    id: int
    file_name: str
    width: float | None = None
    height: float | None = None


class Person(Struct, frozen=True):
    """An annotated person."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]  # x, y, width, height
    area: Annotated[float, Meta(ge=0)]
    keypoints: tuple[float, ...] = ()  # x, y, v of each, in px; v is 0 where it is not annotated
    num_keypoints: int | None = None
    iscrowd: int | bool | None = None

    @property
    def ignored(self) -> bool:
        """As COCO has it: such people count neither way."""
        return bool(self.iscrowd) or self.num_keypoints == 0


class Category(Struct, frozen=True):
    id: int
    name: str
    keypoints: tuple[str, ...] = ()


class _File(Struct, frozen=True):
    images: list[Listed]
    annotations: list[Person]
    categories: list[Category]


class Detection(Struct, frozen=True):
    """A pose in COCO's format for results."""

    image_id: int
    category_id: int
    keypoints: tuple[float, ...]  # x, y, confidence of each, in px
    score: float


@dataclass(frozen=True, slots=True)
class Annotations:
    """The ground truth of a file."""

    category: Category
    pictures: list[Listed]
    people: list[Person]

    def detection(self, picture: Listed, pose: Pose) -> Detection:
        """All keypoints of a pose, visible or not: OKS asks for a place of each."""
        values = np.concatenate((pose.xy, pose.confidence[:, None]), axis=1).astype(float).round(DECIMALS)
        return Detection(picture.id, self.category.id, tuple(values.ravel().tolist()), round(pose.score, DECIMALS + 3))


def read(path: Path) -> Annotations:
    """Read a file such as COCO's person_keypoints_val2017.json. Raises UsageError if it is none."""
    remedy = "give a file of COCO keypoints such as person_keypoints_val2017.json"
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as exc:
        raise UsageError(f"--annotations: {path} cannot be read ({exc.strerror}); {remedy}") from exc
    except msgspec.DecodeError as exc:
        raise UsageError(f"--annotations: {path} is not COCO's: {exc}; {remedy}") from exc
    try:
        return _checked(file)
    except ValueError as exc:
        raise UsageError(f"--annotations: {path}: {exc}; {remedy}") from exc


def _checked(file: _File) -> Annotations:
    if not file.images:
        raise ValueError("it lists no pictures")
    known = {picture.id for picture in file.images}
    if len(known) < len(file.images):
        raise ValueError("two of its pictures have the same id")
    category = next((one for one in file.categories if one.name == "person"), None)
    if category is None:
        raise ValueError("it has no category «person»")
    if category.keypoints and [name.upper() for name in category.keypoints] != list(PARTS.values()):
        raise ValueError(f"the keypoints of its «person» are not COCO's {KEYPOINT_COUNT} in COCO's order")
    people = []
    for number, one in enumerate(file.annotations):
        if one.category_id != category.id:
            continue
        # Tools other than COCO's leave them out where there is a box alone.
        keypoints = one.keypoints or (0.0,) * 3 * KEYPOINT_COUNT
        if len(keypoints) != 3 * KEYPOINT_COUNT:
            raise ValueError(f"annotations[{number}] has {len(keypoints)} values in «keypoints» instead of "
                             f"{3 * KEYPOINT_COUNT}, which is x, y and v of {KEYPOINT_COUNT}")  # fmt: skip
        if one.image_id not in known:
            raise ValueError(f"annotations[{number}] is of picture {one.image_id}, which is not listed")
        counted = sum(v > 0 for v in keypoints[2::3]) if one.num_keypoints is None else one.num_keypoints
        people.append(
            msgspec.structs.replace(one, keypoints=keypoints, num_keypoints=counted, iscrowd=int(one.iscrowd or 0))
        )
    return Annotations(category, file.images, people)


def measure(annotations: Annotations, image_ids: set[int], found: list[Detection], reported: Floats) -> dict[str, Any]:
    """What there is to say of `found` in the pictures with these ids; None where there was nothing to measure.

    `reported`, (17,), is the confidence from which on a keypoint would be published: recall counts those.
    """
    people = [one for one in annotations.people if one.image_id in image_ids]
    evaluation = _evaluation(annotations, people, image_ids, found)
    pairs = _pairs(evaluation, len(image_ids))
    truth = np.array([people[i].keypoints for i, _ in pairs], float).reshape(-1, KEYPOINT_COUNT, 3)
    poses = np.array([found[i].keypoints for _, i in pairs], float).reshape(-1, KEYPOINT_COUNT, 3)
    sides = np.array([max(people[i].bbox[2:]) for i, _ in pairs]).reshape(-1, 1)
    annotated = truth[..., 2] > 0
    error_px = np.hypot(*np.moveaxis(poses[..., :2] - truth[..., :2], -1, 0))
    correct = error_px <= PCK_ALPHA * sides
    published = poses[..., 2] >= reported

    def of(chosen: Array) -> dict[str, Any]:
        """Of the annotated keypoints of matched people that are `chosen`."""
        count = int(np.count_nonzero(chosen))
        return {
            "annotated": count,
            "recall": float(published[chosen].mean()) if count else None,
            "pck": float(correct[chosen].mean()) if count else None,
            "median_error_px": float(np.median(error_px[chosen])) if count else None,
        }

    part = np.arange(KEYPOINT_COUNT)
    return {
        "persons": {
            "annotated": sum(not one.ignored for one in people),
            "detected": len(found),
            "matched": len(pairs),
        },
        # COCO writes -1 where there is nobody to be found.
        "oks": {
            name: float(value) if value >= 0 else None for name, value in zip(STATISTICS, evaluation.stats, strict=True)
        },
        "keypoints": {"all": of(annotated)} | {name: of(annotated & (part == k)) for k, name in PARTS.items()},
    }


def _evaluation(annotations: Annotations, people: list[Person], image_ids: set[int], found: list[Detection]) -> Any:
    """COCOeval after its work."""
    shared = {
        "images": msgspec.to_builtins([one for one in annotations.pictures if one.id in image_ids]),
        "categories": msgspec.to_builtins([annotations.category]),
    }
    # Numbered from 1, whatever the file says: COCOeval takes id 0 for no match, and of equal ids only the last.
    truth_rows = [msgspec.structs.asdict(one) | {"id": n} for n, one in enumerate(people, 1)]
    found_rows: list[dict[str, Any]] = []
    for n, one in enumerate(found, 1):
        # As pycocotools' own loadRes has it, which cannot read an empty list.
        xy = np.reshape(one.keypoints, (-1, 3))[:, :2]
        width, height = np.ptp(xy, axis=0).tolist()
        found_rows.append(msgspec.structs.asdict(one) | {"id": n, "area": width * height})
    with redirect_stdout(StringIO()):  # it is talkative
        evaluation = COCOeval(_coco(shared, truth_rows), _coco(shared, found_rows), "keypoints")
        evaluation.params.imgIds = sorted(image_ids)
        evaluation.params.catIds = [annotations.category.id]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _coco(shared: dict[str, Any], rows: list[dict[str, Any]]) -> Any:
    coco = COCO()
    coco.dataset = shared | {"annotations": rows}
    coco.createIndex()
    return coco


def _pairs(evaluation: Any, pictures: int) -> list[tuple[int, int]]:
    """(person, detection) of those that COCO matches at its lowest OKS, but for the people whom it ignores."""
    return [
        (int(person) - 1, int(detection) - 1)
        for picture in evaluation.evalImgs[:pictures]  # those for people of all sizes come first
        if picture is not None
        for detection, person, ignored in zip(
            picture["dtIds"], picture["dtMatches"][0], picture["dtIgnore"][0], strict=True
        )
        if person and not ignored
    ]
