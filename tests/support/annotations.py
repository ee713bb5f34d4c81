"""COCO annotation files for tests."""

from typing import Any

import numpy as np

from edge.skeleton import KEYPOINT_COUNT, PARTS
from edge.types import Floats

PERSON = {"id": 1, "name": "person", "keypoints": [name.lower() for name in PARTS.values()], "skeleton": []}
STANDING = np.array([[100 + 5 * (k % 4), 50 + 10 * k] for k in range(KEYPOINT_COUNT)], np.float32)


def person(image_id: int, xy: Floats, *, v: Any = 2, **more: Any) -> dict[str, Any]:
    """An annotation of keypoints (17, 2); its box and area are those of the keypoints whose `v` is not 0."""
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


def annotation_file(people: list[dict[str, Any]], pictures: int = 1) -> dict[str, Any]:
    """The content of a file with pictures 1.png, 2.png, ... of 640x480."""
    images = [{"id": n, "file_name": f"{n}.png", "width": 640, "height": 480} for n in range(1, pictures + 1)]
    return {"images": images, "annotations": people, "categories": [dict(PERSON)]}
