"""The composition root: what the configuration says is what the pipeline does."""

from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image as Pillow

from edge.camera import open_source
from edge.config import Config
from edge.decode.families import Options
from edge.inference import edgetpu, loading
from edge.inference.tflite import CpuRuntime, dies_of_damage
from edge.models import catalogue
from edge.people import smoothing
from edge.people.tracking import Tracker
from edge.pipeline.pipeline import Pipeline, Stages
from edge.service import run
from edge.types import Frame
from tests.support.delegate import add_model
from tests.support.fakes import ListSource
from tests.support.scenes import frame_of, scene


def config(**tables: dict[str, object]) -> Config:
    return msgspec.convert({"inference": {"threads": 2}, **tables}, Config)


def opened(wanted: Config, frames: list[Frame] | None = None) -> tuple[Stages, Pipeline, CpuRuntime]:
    _, cpu = loading.open_model(wanted)
    pipeline = run.open_pipeline(wanted, ListSource(frames or []), cpu)
    return pipeline._stages, pipeline, cpu


def test_every_setting_reaches_its_stage() -> None:
    wanted = config(
        decode={"max_people": 7, "nms_radius_px": 33.0},
        filter={"min_confidence": 0.41, "min_pose_score": 0.23, "min_keypoints": 6, "parts": {"NOSE": 0.7}},
        tracking={"min_hits": 5, "max_age_s": 3.25},
        smoothing={"min_cutoff_hz": 0.5, "beta_hz": 9.0, "hysteresis": 0.11},
        camera={"mirror": True},
    )
    stages, _, _ = opened(wanted)
    options = stages.decode.keywords["options"]  # type: ignore[attr-defined]
    assert (options.max_people, options.min_pose_score, options.nms_radius_px) == (7, 0.23, 33.0)
    assert stages.thresholds.confidence.tolist() == pytest.approx([0.7, *[0.41] * 16])
    assert (stages.thresholds.score, stages.thresholds.keypoints, stages.max_people) == (0.23, 6, 7)
    assert stages.tracker is not None
    assert (stages.tracker._min_hits, stages.tracker._max_age_s) == (5, 3.25)
    assert stages.smoother is not None
    steady = stages.smoother._settings
    assert (steady.min_cutoff_hz, steady.beta_hz, steady.hysteresis) == (0.5, 9.0, 0.11)
    assert stages.lookout is not None
    assert stages.fit(frame_of(scene("empty"), 0), np.empty((353, 481, 3), np.uint8)).mirror


def test_defaults_stand_in_two_places_and_are_the_same() -> None:
    stages, _, _ = opened(Config())
    assert stages.decode.keywords["options"] == Options()  # type: ignore[attr-defined]
    assert Config().inference.library == edgetpu.LIBRARY
    assert stages.smoother is not None
    assert stages.smoother._settings == smoothing.Settings()
    tracker = Tracker()
    assert stages.tracker is not None
    assert (stages.tracker._min_hits, stages.tracker._max_age_s) == (tracker._min_hits, tracker._max_age_s)


def test_what_is_switched_off_is_not_there() -> None:
    stages, _, _ = opened(config(people={"detect_lying": False}, smoothing={"enabled": False}))
    assert (stages.lookout, stages.smoother) == (None, None)


def test_people_of_slow_cameras_do_not_grow_too_old_between_two_frames() -> None:
    stages, _, _ = opened(config(camera={"fps": 0.1}))
    assert stages.tracker is not None
    assert stages.tracker._max_age_s > 10


def test_pictures_are_taken_one_by_one(tmp_path: Path) -> None:
    """Neither followed nor smoothed nor turned, though somebody might seem to go on from one to the next."""
    for number in range(5):
        Pillow.fromarray(frame_of(scene("walk"), 30 + number).image).save(tmp_path / f"{number}.png")
    wanted = config(camera={"source": f"images:{tmp_path}", "fps": 0})
    _, cpu = loading.open_model(wanted)
    invokes = []
    invoke = cpu.invoke

    def counted() -> None:
        invokes.append(1)
        invoke()

    cpu.invoke = counted  # type: ignore[method-assign]
    with open_source(wanted.camera) as source:
        pipeline = run.open_pipeline(wanted, source, cpu)
        results = [result for result in pipeline.results(0.1) if result]
    assert len(invokes) == len(results) == 5
    assert [[person.id for person in result.people] for result in results] == [[None]] * 5
    for number, result in enumerate(results):
        (alone,) = run.open_pipeline(wanted, source, cpu).poses(frame_of(scene("walk"), 30 + number))
        assert np.array_equal(result.people[0].pose.xy, alone.xy)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 4, 12])
def test_people_who_cross_keep_their_ids_as_the_network_sees_them(seed: int) -> None:
    """Whom an id belongs to is asked where somebody is clearly one of both; they pass each other again and again."""
    # Of the two, the one that this runtime is fast with.
    name = "posenet-float16" if dies_of_damage() else "posenet"
    _, pipeline, _ = opened(config(inference={"device": "cpu"}, model={"name": name}))
    painter = scene("two", seed)
    owners: dict[int, set[int]] = defaultdict(set)
    for number in range(420):
        for track in pipeline.result(frame_of(painter, number)).people:
            apart = [np.median(np.linalg.norm(track.pose.xy - one.xy, axis=1)) for one in painter.truth(number)]
            if track.id is not None and min(apart) < 15 and max(apart) > 40:
                owners[track.id].add(int(np.argmin(apart)))
    assert len(owners) >= 2
    assert all(len(who) == 1 for who in owners.values()), dict(owners)


def test_results_are_followed_and_smoothed() -> None:
    _, pipeline, _ = opened(config())
    _, raw, _ = opened(config(smoothing={"enabled": False}))
    for number in range(8):
        (person,) = pipeline.result(frame_of(scene("walk"), number)).people
        (measured,) = raw.result(frame_of(scene("walk"), number)).people
    assert person.id == measured.id == 1
    assert not np.array_equal(person.pose.xy, measured.pose.xy)


def test_one_person_is_one_in_turned_frames_too() -> None:
    """Beside somebody who stands lies somebody else: two looks, one pose each, and the better one counts."""
    picture = frame_of(scene("walk"), 0).image.copy()
    picture[:, 320:] = np.rot90(frame_of(scene("wave"), 0).image, 3)[80:560, 80:400]  # head to the right
    _, pipeline, _ = opened(config(decode={"mode": "single"}))
    for number in range(40):
        assert len(pipeline.result(Frame(picture, 640, 480, number, number / 15, 0.0)).people) <= 1


@pytest.mark.parametrize(
    ("width", "height", "rotation", "pixels"),
    [(640, 480, 0, (471, 353)), (640, 480, 90, (471, 353)), (480, 640, 0, (353, 471)), (320, 240, 0, (320, 240))],
)
def test_sources_deliver_what_the_model_can_take(
    width: int, height: int, rotation: int, pixels: tuple[int, int]
) -> None:
    """Of portraits as much as the turned look takes. Before it is rotated, that is."""
    wanted = config(camera={"source": "synthetic:walk", "width": width, "height": height, "rotation": rotation})
    _, cpu = loading.open_model(wanted)
    with open_source(wanted.camera, largest=run._largest(wanted, cpu)) as source:
        frame = next(iter(source))
    turned = rotation % 180 == 90
    assert frame.image.shape[1::-1] == (pixels[::-1] if turned else pixels)
    assert (frame.width, frame.height) == ((height, width) if turned else (width, height))


def test_pictures_are_as_large_as_the_larger_of_two_models_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    add_model(tmp_path, "tpu", catalogue.read("posenet").content, (353, 481))
    for size, device, largest in (
        ((257, 257), "auto", (481, 353)),
        ((257, 257), "cpu", (257, 257)),
        ((481, 641), "auto", (641, 481)),
    ):
        wanted = config(model={"input_size": size}, inference={"device": device})
        _, opened = loading.open_model(wanted)
        assert run._largest(wanted, opened, *loading.edge_tpu_size(wanted)) == largest
