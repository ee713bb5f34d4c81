"""Read COCO keypoint files and compute measures of accuracy; the only file that imports pycocotools.

pycocotools computes AP and AR. All other measures cover the poses that it matches to a person at an OKS of 0.5.
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
    raise ConfigError(
        "evaluate", "it needs pycocotools, which is not installed", f"run: {pip_install('evaluate')}"
    ) from exc

PCK_ALPHA = 0.1  # of the longer side of the annotated box, after Yang and Ramanan
DEFINITIONS = {
    "matched": "an annotated person and the pose that COCOeval assigns to that person at an OKS of 0.5",
    "recall": "the share of the annotated keypoints of matched persons that is confident enough to be published",
    "pck": f"the share of the same keypoints that lies within {PCK_ALPHA} of the longer side of the annotated box",
}
STATISTICS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")  # in COCOeval's order
DECIMALS = 3  # poses are rounded before they are measured and written, so the file gives the same AP in other tools


class ListedPicture(Struct, frozen=True):
    """A picture in the list of the file."""

    id: int
    file_name: str
    width: float | None = None
    height: float | None = None


class AnnotatedPerson(Struct, frozen=True):
    """An annotated person or crowd."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]  # x, y, width, height
    area: Annotated[float, Meta(ge=0)]
    keypoints: tuple[float, ...] = ()  # x, y in px and v of each; v is 0 for keypoints that are not annotated
    num_keypoints: int | None = None
    iscrowd: int | bool | None = None

    @property
    def ignored(self) -> bool:
        """Whether COCO counts this person neither as found nor as missed."""
        return bool(self.iscrowd) or self.num_keypoints == 0


class Category(Struct, frozen=True):
    id: int
    name: str
    keypoints: tuple[str, ...] = ()


class _File(Struct, frozen=True):
    images: list[ListedPicture]
    annotations: list[AnnotatedPerson]
    categories: list[Category]


class Detection(Struct, frozen=True):
    """A pose in COCO's result format."""

    image_id: int
    category_id: int
    keypoints: tuple[float, ...]  # x, y in px and confidence of each
    score: float


@dataclass(frozen=True, slots=True)
class Annotations:
    """The ground truth from a file."""

    category: Category
    pictures: list[ListedPicture]
    people: list[AnnotatedPerson]

    def detection(self, picture: ListedPicture, pose: Pose) -> Detection:
        """The result for a pose: all keypoints, visible or not, because OKS needs a position for each."""
        values = np.concatenate((pose.xy, pose.confidence[:, None]), axis=1).astype(float).round(DECIMALS)
        return Detection(picture.id, self.category.id, tuple(values.ravel().tolist()), round(pose.score, DECIMALS + 3))


def read(path: Path) -> Annotations:
    """Read a file such as COCO's person_keypoints_val2017.json. Raises UsageError if it is not such a file."""
    key, remedy = "--annotations", "give a file of COCO keypoints, such as person_keypoints_val2017.json"
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as exc:
        raise UsageError(key, f"{path} cannot be read ({exc.strerror})", remedy) from exc
    except msgspec.DecodeError as exc:
        raise UsageError(key, f"{path} is not a COCO file: {exc}", remedy) from exc
    try:
        return _checked(file)
    except ValueError as exc:
        raise UsageError(key, f"{path}: {exc}", remedy) from exc


def _checked(file: _File) -> Annotations:
    """Check what the types cannot express, and fill in fields that some tools leave out. Raises ValueError."""
    if not file.images:
        raise ValueError("it lists no pictures")
    known = {picture.id for picture in file.images}
    if len(known) < len(file.images):
        raise ValueError("two of its pictures have the same id")
    category = next((listed for listed in file.categories if listed.name == "person"), None)
    if category is None:
        raise ValueError('it has no category "person"')
    if category.keypoints and [name.upper() for name in category.keypoints] != list(PARTS.values()):
        raise ValueError(
            f'the keypoints of its category "person" are not the {KEYPOINT_COUNT} of COCO in COCO\'s order'
        )
    people = []
    for number, person in enumerate(file.annotations):
        if person.category_id != category.id:
            continue
        # Some tools leave the keypoints out if there is only a box.
        keypoints = person.keypoints or (0.0,) * 3 * KEYPOINT_COUNT
        if len(keypoints) != 3 * KEYPOINT_COUNT:
            raise ValueError(
                f'annotations[{number}] has {len(keypoints)} values in "keypoints" instead of {3 * KEYPOINT_COUNT}: '
                f"x, y and v of {KEYPOINT_COUNT} keypoints"
            )
        if person.image_id not in known:
            raise ValueError(f"annotations[{number}] belongs to picture {person.image_id}, which is not listed")
        counted = sum(v > 0 for v in keypoints[2::3]) if person.num_keypoints is None else person.num_keypoints
        people.append(
            msgspec.structs.replace(
                person, keypoints=keypoints, num_keypoints=counted, iscrowd=int(person.iscrowd or 0)
            )
        )
    return Annotations(category, file.images, people)


def measure(annotations: Annotations, image_ids: set[int], found: list[Detection], published: Floats) -> dict[str, Any]:
    """Measure the poses `found` in the pictures with these IDs. A measure is None if there was nothing to measure.

    `published` (17,) is the minimum confidence at which each keypoint is published; recall counts those keypoints.
    """
    people = [person for person in annotations.people if person.image_id in image_ids]
    evaluation = _evaluation(annotations, people, image_ids, found)
    pairs = _pairs(evaluation, len(image_ids))
    truth = np.array([people[i].keypoints for i, _ in pairs], float).reshape(-1, KEYPOINT_COUNT, 3)
    poses = np.array([found[i].keypoints for _, i in pairs], float).reshape(-1, KEYPOINT_COUNT, 3)
    sides = np.array([max(people[i].bbox[2:]) for i, _ in pairs]).reshape(-1, 1)
    annotated = truth[..., 2] > 0
    error_px = np.hypot(*np.moveaxis(poses[..., :2] - truth[..., :2], -1, 0))
    correct = error_px <= PCK_ALPHA * sides
    is_published = poses[..., 2] >= published

    def measures_of(chosen: Array) -> dict[str, Any]:
        """The measures of the `chosen` keypoints of matched people."""
        count = int(np.count_nonzero(chosen))
        return {
            "annotated": count,
            "recall": float(is_published[chosen].mean()) if count else None,
            "pck": float(correct[chosen].mean()) if count else None,
            "median_error_px": float(np.median(error_px[chosen])) if count else None,
        }

    part = np.arange(KEYPOINT_COUNT)
    return {
        "persons": {
            "annotated": sum(not person.ignored for person in people),
            "detected": len(found),
            "matched": len(pairs),
        },
        # COCO gives -1 if no person is annotated.
        "oks": {
            name: float(value) if value >= 0 else None for name, value in zip(STATISTICS, evaluation.stats, strict=True)
        },
        "keypoints": {"all": measures_of(annotated)}
        | {name: measures_of(annotated & (part == k)) for k, name in PARTS.items()},
    }


def _evaluation(
    annotations: Annotations, people: list[AnnotatedPerson], image_ids: set[int], found: list[Detection]
) -> Any:
    """A COCOeval that has been run."""
    shared = {
        "images": msgspec.to_builtins([picture for picture in annotations.pictures if picture.id in image_ids]),
        "categories": msgspec.to_builtins([annotations.category]),
    }
    # Number the IDs from 1, whatever the file says: COCOeval reads 0 as no match, and keeps only the last of equal IDs.
    truth_rows = [msgspec.structs.asdict(person) | {"id": n} for n, person in enumerate(people, 1)]
    found_rows: list[dict[str, Any]] = []
    for n, detection in enumerate(found, 1):
        # The area as pycocotools' loadRes computes it; that function cannot read an empty list.
        xy = np.reshape(detection.keypoints, (-1, 3))[:, :2]
        width, height = np.ptp(xy, axis=0).tolist()
        found_rows.append(msgspec.structs.asdict(detection) | {"id": n, "area": width * height})
    with redirect_stdout(StringIO()):  # pycocotools prints a lot
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
    """Indices (person, detection) of the matches at the lowest OKS, without the people that COCO ignores."""
    return [
        (int(person) - 1, int(detection) - 1)
        for picture in evaluation.evalImgs[:pictures]  # people of all sizes come first
        if picture is not None
        for detection, person, ignored in zip(
            picture["dtIds"], picture["dtMatches"][0], picture["dtIgnore"][0], strict=True
        )
        if person and not ignored
    ]
