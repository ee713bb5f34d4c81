"""The shipped MultiPose models with their decoder, compared with what Google's own graph finds on the same pictures."""

import json
import tomllib
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.decode.families import Options, open_decoder
from edge.errors import ModelError
from edge.inference.tflite import CpuRuntime
from edge.scenes.scenes import open_scene
from edge.types import Decoded, Floats, Image
from tests.support import ROOT
from tests.support.models import FAST_MODEL, fast_config
from tests.support.pipelines import configured
from tests.support.scenes import frame_of, scene

MODELS = ROOT / "models"
CATALOGUE: dict[str, dict[str, Any]] = {
    name: entry
    for name, entry in tomllib.loads((MODELS / "catalogue.toml").read_text()).items()
    if entry["family"] == "movenet-multipose"
}
INT8 = ("movenet-multipose", "movenet-multipose-256-352")
FLOAT16 = "movenet-multipose-float16"
REFERENCE: list[dict[str, Any]] = json.loads((Path(__file__).parent / "multipose_reference.json").read_text())


@cache
def opened(name: str) -> CpuRuntime:
    content = (MODELS / CATALOGUE[name]["file"]).read_bytes()
    return CpuRuntime(content, label=name, input_size=None, threads=1)


def detect(name: str, picture: Image) -> Decoded:
    runtime = opened(name)
    runtime.input()[...] = picture
    runtime.invoke()
    return open_decoder(runtime.output_shapes, runtime.input_size, Options()).decode(runtime.outputs())


def painted(case: dict[str, Any]) -> Image:
    height, width = case["size"]
    picture = np.empty((height, width, 3), np.uint8)
    open_scene(case["scene"], width=width, height=height).paint(case["frame"], picture)
    assert zlib.crc32(picture.tobytes()) == case["crc32"], "scenes are painted differently: run multipose_reference.py"
    return picture


def cases(name: str) -> list[dict[str, Any]]:
    return [case for case in REFERENCE if case["size"] == CATALOGUE[name]["input_sizes"][0]]


def nearest(decoded: Decoded, keypoints: Floats) -> int:
    return int(np.median(np.hypot(*(decoded.keypoints - keypoints).T), axis=0).argmin())


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_model_takes_pixels_and_declares_the_size_of_its_catalogue_entry(name: str) -> None:
    runtime, (size,) = opened(name), CATALOGUE[name]["input_sizes"]
    assert runtime.input().dtype == np.uint8
    assert list(runtime.input_size) == size
    stride = CATALOGUE[name]["output_stride"]
    assert {shape[:2] for shape in runtime.output_shapes.values()} == {(size[0] // stride, size[1] // stride)}


def test_another_input_size_is_refused_with_the_right_one() -> None:
    content = (MODELS / CATALOGUE["movenet-multipose"]["file"]).read_bytes()
    with pytest.raises(ModelError) as exc:
        CpuRuntime(content, label="small", input_size=(256, 352), threads=1)
    assert exc.value.key == "model.input_size"
    assert "[192, 256]" in exc.value.remedy


def test_float16_finds_what_google_finds_to_a_tenth_of_a_pixel() -> None:
    for case in cases(FLOAT16):
        decoded = detect(FLOAT16, painted(case))
        assert len(decoded.scores) == len(case["people"]), case["scene"]
        for person in case["people"]:
            expected = np.array(person["keypoints"], np.float32)
            number = nearest(decoded, expected[:, :2])
            np.testing.assert_allclose(decoded.keypoints[number], expected[:, :2], atol=0.1, err_msg=case["scene"])
            # Google rates a keypoint by the body that it fits best, so its confidences are as high or higher.
            assert (decoded.confidences[number] <= expected[:, 2] + 0.001).all()
            assert np.isclose(decoded.confidences[number], expected[:, 2], atol=0.001).mean() > 0.5
            assert decoded.scores[number] == pytest.approx(person["score"], abs=0.03)


@pytest.mark.parametrize("name", INT8)
def test_int8_finds_the_people_that_google_finds_to_half_a_pixel(name: str) -> None:
    distances: list[float] = []
    for case in cases(name):
        decoded = detect(name, painted(case))
        for person in case["people"]:
            if person["score"] < 0.3:  # so unsure that rounding changes the pose
                continue
            expected = np.array(person["keypoints"], np.float32)
            number = nearest(decoded, expected[:, :2])
            distances += np.hypot(*(decoded.keypoints[number] - expected[:, :2]).T).tolist()
            assert decoded.scores[number] == pytest.approx(person["score"], abs=0.05)
        assert (decoded.scores >= 0.3).sum() == sum(person["score"] >= 0.3 for person in case["people"])
    assert np.median(distances) < 0.3
    assert np.quantile(distances, 0.95) < 1


@pytest.mark.parametrize(("name", "people"), [("walk", 1), ("three", 3)])
def test_the_sensor_follows_painted_people_with_only_this_network(name: str, people: int) -> None:
    model = "movenet-multipose" if FAST_MODEL == "posenet" else "movenet-multipose-float16"
    _, sensor = configured(fast_config(model={"name": model}))
    painter, ids, distances = scene(name), set(), []
    for number in range(30):
        update = sensor.update(frame_of(painter, number))
        if number >= 10:  # a newcomer has been confirmed by then
            ids |= {one.id for one in update.people}
            assert len(update.people) == people
        for one in update.people:
            away = [np.linalg.norm(one.pose.xy - truth.xy, axis=1) for truth in painter.truth(number)]
            distances += min(away, key=np.median)[one.pose.visible].tolist()
    assert ids == set(range(1, people + 1))
    assert np.median(distances) < 8  # of 640x480
