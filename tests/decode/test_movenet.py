"""MoveNet, a network for one person, from the model file to the keypoints."""

import csv
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.config import Config
from edge.decode.movenet import decode_movenet
from edge.errors import ModelError
from edge.inference import loading
from edge.inference.letterbox import Letterboxer
from edge.inference.model_trial import check_model
from edge.models import catalogue, folders, importing
from edge.people.filtering import Thresholds, keep_visible
from edge.people.rotation import RotationPlanner
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.views import Views
from edge.service.assembly import largest_picture
from edge.types import Crop, Floats, Frame, Tensor
from tests.support.fakes import blank_frame
from tests.support.models import fast_config
from tests.support.paint import quantise
from tests.support.pipelines import configured
from tests.support.scenes import frame_of, scene
from tests.support.tiny_posenet import INPUT_SIZE, tiny_movenet

RNG = np.random.default_rng(0)
KEYPOINTS: Floats = RNG.uniform(0.1, 0.9, (1, 17, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(192, 192), (192, 256)])
def test_keypoints_are_in_pixels_of_the_input(size: tuple[int, int]) -> None:
    decoded = decode_movenet({"out": Tensor(KEYPOINTS)}, "out", size)
    assert decoded.keypoints == pytest.approx(KEYPOINTS[..., :2] * size)
    assert decoded.confidences == pytest.approx(KEYPOINTS[..., 2])
    assert decoded.scores == pytest.approx([KEYPOINTS[0, :, 2].mean()])
    assert {array.dtype for array in (decoded.keypoints, decoded.confidences, decoded.scores)} == {np.dtype(np.float32)}
    coarse = quantise(KEYPOINTS, 1 / 255, -128, np.int8)
    again = decode_movenet({"out": coarse}, "out", size)
    assert again.keypoints == pytest.approx(decoded.keypoints, abs=0.51 * max(size) / 255)


def test_confidences_are_clipped_to_0_and_1() -> None:
    values = KEYPOINTS.copy()
    values[0, :2, 2] = (-0.1, 1.1)
    decoded = decode_movenet({"out": Tensor(values)}, "out", (192, 192))
    assert decoded.confidences[0, :2].tolist() == [0, 1]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an imported MoveNet that detects the same person in every picture."""
    monkeypatch.setattr(folders, "_SYSTEM", tmp_path / "models")
    file = tmp_path / "tiny.tflite"
    file.write_bytes(tiny_movenet(KEYPOINTS.reshape(-1).tolist()))
    done = importing.import_model(file, None, check_model)
    assert (done.entry.family, done.entry.output_stride, done.entry.input_sizes) == ("movenet", None, (INPUT_SIZE,))
    assert catalogue.entries(tmp_path / "models")["tiny"] == done.entry
    assert done.ran_on
    return done.name


def config(name: str, **tables: dict[str, object]) -> Config:
    model = {"name": name} | tables.pop("model", {})
    return fast_config(model=model, **tables)


@pytest.mark.parametrize("mode", ["multi", "single"])
def test_an_imported_movenet_runs_when_it_is_configured(
    imported: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = config(imported, decode={"mode": mode}, filter={"min_confidence": 0.0})
    with caplog.at_level(logging.INFO):
        network, running = configured(wanted)
    assert network.runtime.input_size == INPUT_SIZE
    assert [record.message for record in caplog.records if "one person" in record.message] == [
        'this network detects only one person; decode.mode = "multi" has no effect'
    ] * (mode == "multi")
    for number in range(60):  # a faint pose is accepted after some seconds
        people = running.update(blank_frame(number, size=INPUT_SIZE)).people
    (person,) = people
    assert person.id == 1
    assert person.pose.score == pytest.approx(KEYPOINTS[0, :, 2].mean())
    (pose,) = running.detector.detect(blank_frame(0, size=INPUT_SIZE)).poses
    assert pose.xy == pytest.approx(KEYPOINTS[0, :, 1::-1] * INPUT_SIZE[::-1], abs=0.01)


def test_the_input_has_the_configured_size(imported: str, tmp_path: Path) -> None:
    wanted = config(imported, model={"input_size": [65, 65]})
    assert loading.open_network(wanted).runtime.input_size == (65, 65)
    open_size = tmp_path / "open.tflite"
    open_size.write_bytes(tiny_movenet(KEYPOINTS.reshape(-1).tolist(), (1, 1)))
    with pytest.raises(ModelError) as exc:
        loading.open_network(config(str(open_size)))
    assert exc.value.key == "model.input_size"
    assert "open.tflite" in exc.value.problem
    sized = loading.open_network(config(str(open_size), model={"input_size": [192, 192]}))
    assert sized.runtime.input_size == (192, 192)


def test_pictures_keep_their_size_because_crops_are_shown(imported: str) -> None:
    network = loading.open_network(config(imported))
    assert network.decoding.one_person
    assert largest_picture(Config().camera, [network.runtime.input_size], cropped=True) is None


@pytest.fixture(scope="module")
def movenet(coral: Path) -> Path:
    return coral / "movenet_single_pose_lightning_ptq.tflite"


def opened(model: Path, *, crop: bool = True, detect_lying: bool = True) -> Pipeline:
    wanted = config(str(model), people={"detect_lying": detect_lying}, smoothing={"enabled": False})
    _, running = configured(wanted)
    return running if crop else replace(running, views=Views(RotationPlanner() if detect_lying else None))


def seen(running: Pipeline, name: str, frames: Iterable[int]) -> Iterator[tuple[set[int | None], Floats]]:
    """For each frame, the IDs, and the distances between visible and painted keypoints, px."""
    painter = scene(name)
    for number in frames:
        people = running.update(frame_of(painter, number)).people
        errors = [np.zeros(0, np.float32)]
        for truth, one in zip(painter.truth(number), people, strict=False):
            both = one.pose.visible & truth.visible
            errors.append(np.linalg.norm(one.pose.xy[both] - truth.xy[both], axis=1).astype(np.float32))
        yield {one.id for one in people}, np.concatenate(errors)


@pytest.mark.parametrize(("scene", "frames"), [("walk", 40), ("sit", 40), ("fall", 140), ("lie", 40)])
def test_painted_people_keep_their_ids_in_every_posture(movenet: Path, scene: str, frames: int) -> None:
    """The measured median error is 4 to 7 px at 640x480."""
    found = list(seen(opened(movenet), scene, range(frames)))[5:]
    assert {id_ for ids, _ in found for id_ in ids} == {1}
    assert np.mean([len(ids) == 1 for ids, _ in found]) > 0.95
    errors = np.concatenate([errors for _, errors in found])
    assert len(errors) > 13 * len(found)
    assert np.median(errors) < 9
    assert np.percentile(errors, 90) < 18


def test_the_crop_makes_keypoints_more_precise(movenet: Path) -> None:
    with_crop, without = (
        np.concatenate([errors for _, errors in seen(opened(movenet, crop=crop), "walk", range(25))])
        for crop in (True, False)
    )
    assert np.median(with_crop) < 0.8 * np.median(without)
    assert len(with_crop) >= len(without)


def test_an_empty_room_has_no_ids(movenet: Path) -> None:
    assert all(not ids for ids, _ in seen(opened(movenet), "empty", range(10)))


def test_movenet_and_posenet_agree_on_the_people_of_corals_picture(movenet: Path, coral: Path) -> None:
    """Within 8 % of a person's size; PoseNet's poses are those of Coral's decoder."""
    with Image.open(coral / "test_couple.jpg") as picture:
        image = np.asarray(picture.convert("RGB"))
    height, width = image.shape[:2]
    with (coral / "posenet_mobilenet_v1_075_481_641_quant_decoder_reference.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = config(str(movenet))
    network = loading.open_network(wanted)
    cpu, thresholds = network.runtime, Thresholds.of(confidence=0.3, parts={}, score=0.2, keypoints=5)
    people = sorted({row["pose_id"] for row in rows})
    assert len(people) == 2
    for number in people:
        person = np.array([
            [float(row[key]) for key in ("keypoint_x", "keypoint_y", "keypoint_score")]
            for row in rows if row["pose_id"] == number
        ])  # fmt: skip
        xy, confident = person[:, :2] * (width / 641, height / 481), person[:, 2] > 0.5
        low, high = xy[confident].min(axis=0), xy[confident].max(axis=0)
        side = 1.2 * float((high - low).max())
        left, top = ((low + high) / 2 - side / 2).tolist()
        letterbox = Letterboxer()(Frame(image, width, height, 0, 0.0, 0.0), cpu.input(), 0, Crop(left, top, side))
        cpu.invoke()
        (pose,) = keep_visible(network.decoding.decode(cpu.outputs()), letterbox, thresholds)
        both = confident & pose.visible
        assert np.count_nonzero(both) >= 12
        assert np.linalg.norm(pose.xy[both] - xy[both], axis=1).max() < 0.08 * np.linalg.norm(high - low)
