import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.annotations import annotation_file, person
from tests.support.scenes import picture_of, scene


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with twelve pictures of painted people, one of an empty room, and `annotations.json`."""
    folder = tmp_path_factory.mktemp("painted")
    content = annotation_file([], pictures=13)
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
