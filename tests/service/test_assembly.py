"""The pipeline is built as configured."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from edge.camera import open_source
from edge.config import Config
from edge.inference import edgetpu, loading
from edge.models import catalogue
from edge.people.smoothing import Settings, Smoother
from edge.people.tracking import Tracker
from edge.people.untracked import Untracked
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.views import View
from edge.service.assembly import largest_picture
from edge.types import Box, Frame, Image
from tests.support.delegate import add_model
from tests.support.models import fast_config as config
from tests.support.pipelines import configured, updates
from tests.support.scenes import frame_of, picture_of, scene


def parts(wanted: Config) -> tuple[Pipeline, Tracker, Smoother]:
    _, pipeline = configured(wanted)
    assert isinstance(pipeline.tracker, Tracker)
    assert isinstance(pipeline.smoother, Smoother)
    return pipeline, pipeline.tracker, pipeline.smoother


def test_every_setting_reaches_its_stage() -> None:
    wanted = config(
        decode={"max_people": 7, "nms_radius_px": 33.0},
        filter={"min_confidence": 0.41, "min_pose_score": 0.23, "min_keypoints": 6, "parts": {"NOSE": 0.7}},
        tracking={"min_hits": 5, "max_age_s": 3.25},
        smoothing={"min_cutoff_hz": 0.5, "beta_hz": 9.0, "hysteresis": 0.11},
        camera={"mirror": True},
    )
    pipeline, tracker, smoother = parts(wanted)
    detector = pipeline.detector
    assert detector._thresholds.confidence.tolist() == pytest.approx([0.7, *[0.41] * 16])
    assert (detector._thresholds.score, detector._thresholds.keypoints, pipeline.max_people) == (0.23, 6, 7)
    assert (tracker._min_hits, tracker._max_age_s) == (5, 3.25)
    assert smoother._settings == Settings(0.5, 9.0, 0.11)
    assert len(pipeline.views.next(0)) == 2, "the second view searches for lying people"
    assert detector._letterboxer(frame_of(scene("empty"), 0), np.empty((353, 481, 3), np.uint8)).mirror


def test_defaults_of_the_configuration_and_of_the_stages_are_the_same() -> None:
    _, tracker, smoother = parts(Config())
    default = Tracker()
    assert Config().inference.library == edgetpu.LIBRARY
    assert smoother._settings == Settings()
    assert (tracker._min_hits, tracker._max_age_s) == (default._min_hits, default._max_age_s)


def box_of_the_only_person(picture: Image, zones: list[object]) -> Box:
    """The box of the one person that is reported with `decode.max_people = 1`."""
    _, pipeline = configured(
        config(decode={"max_people": 1}, people={"second_opinion": "off", "detect_lying": False}, zones=zones)
    )
    for number in range(60):  # a person who stands still needs two seconds
        people = pipeline.update(Frame(picture, 640, 480, number, number / 15, 0.0)).people
    (person,) = people
    return person.pose.box


def test_poses_in_an_excluded_zone_do_not_count_towards_the_most_people() -> None:
    picture = picture_of(scene("three"), 0)
    best = box_of_the_only_person(picture, [])
    left, right = (best.left - 10) / 640, (best.right + 10) / 640
    mirror = {"name": "mirror", "kind": "exclude", "points": [(left, 0), (right, 0), (right, 1), (left, 1)]}
    next_best = box_of_the_only_person(picture, [mirror])
    assert next_best.right < best.left or next_best.left > best.right


def test_disabled_stages_do_nothing() -> None:
    _, pipeline = configured(
        config(people={"detect_lying": False, "second_opinion": "off"}, smoothing={"enabled": False})
    )
    assert isinstance(pipeline.smoother, Untracked)
    assert [pipeline.views.next(second) for second in range(5)] == [[View()]] * 5


def test_with_a_slow_camera_tracks_do_not_end_between_two_frames() -> None:
    assert parts(config(camera={"fps": 0.1}))[1]._max_age_s > 10


def test_pictures_are_processed_one_by_one(tmp_path: Path) -> None:
    """They are not tracked, smoothed or rotated, even if they look like frames of one video."""
    for number in range(5):
        Pillow.fromarray(frame_of(scene("walk"), 30 + number).image).save(tmp_path / f"{number}.png")
    wanted = config(camera={"source": f"images:{tmp_path}", "fps": 0})
    with open_source(wanted.camera) as source:
        network, pipeline = configured(wanted, continuous=source.continuous)
        invokes = []
        invoke = network.runtime.invoke

        def counted() -> None:
            invokes.append(1)
            invoke()

        network.runtime.invoke = counted  # type: ignore[method-assign]
        done = updates(pipeline, source)
    assert len(invokes) == len(done) == 5
    assert [[person.id for person in update.people] for update in done] == [[None]] * 5
    for number, update in enumerate(done):
        (pose,) = pipeline.detector.detect(frame_of(scene("walk"), 30 + number)).poses
        assert np.array_equal(update.people[0].pose.xy, pose.xy)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 6, 12])
def test_people_who_cross_keep_their_ids(seed: int) -> None:
    """Two people pass each other repeatedly. An ID belongs to the painted person who is clearly nearest."""
    _, pipeline = configured(config())
    painter = scene("two", seed)
    owners: dict[int, set[int]] = defaultdict(set)
    for number in range(420):
        for track in pipeline.update(frame_of(painter, number)).people:
            apart = [np.median(np.linalg.norm(track.pose.xy - one.xy, axis=1)) for one in painter.truth(number)]
            if track.id is not None and min(apart) < 15 and max(apart) > 40:
                owners[track.id].add(int(np.argmin(apart)))
    assert len(owners) >= 2
    assert all(len(people) == 1 for people in owners.values()), dict(owners)


def test_people_are_tracked_and_smoothed() -> None:
    _, pipeline = configured(config())
    _, raw = configured(config(smoothing={"enabled": False}))
    for number in range(8):
        people = pipeline.update(frame_of(scene("walk"), number)).people
        raw_people = raw.update(frame_of(scene("walk"), number)).people
    (person,), (measured,) = people, raw_people
    assert person.id == measured.id == 1
    assert not np.array_equal(person.pose.xy, measured.pose.xy)


def test_single_mode_gives_one_person_from_two_views() -> None:
    """One person stands and another one lies, so each view finds one pose. Only the better one is kept."""
    picture = frame_of(scene("walk"), 0).image.copy()
    picture[:, 320:] = np.rot90(frame_of(scene("wave"), 0).image, 3)[80:560, 80:400]  # head to the right
    _, pipeline = configured(config(decode={"mode": "single"}))
    frames = [Frame(picture, 640, 480, number, number / 15, 0.0) for number in range(40)]
    counts = [len(pipeline.update(frame).people) for frame in frames]
    assert counts[:2] == [0, 0], "a new person needs three detections"
    assert set(counts[2:]) == {1}


@pytest.mark.parametrize(
    ("width", "height", "rotation", "pixels"),
    [(640, 480, 0, (471, 353)), (640, 480, 90, (471, 353)), (480, 640, 0, (353, 471)), (320, 240, 0, (320, 240))],
)
def test_sources_deliver_pictures_no_larger_than_the_network_needs(
    width: int, height: int, rotation: int, pixels: tuple[int, int]
) -> None:
    """Portrait pictures keep enough pixels for the rotated view. `pixels` is the size before `rotation`."""
    wanted = config(camera={"source": "synthetic:walk", "width": width, "height": height, "rotation": rotation})
    sizes = [loading.open_network(wanted).runtime.input_size]
    with open_source(wanted.camera, largest=largest_picture(wanted.camera, sizes, cropped=False)) as source:
        frame = next(iter(source))
    turned = rotation % 180 == 90
    assert frame.image.shape[1::-1] == (pixels[::-1] if turned else pixels)
    assert (frame.width, frame.height) == ((height, width) if turned else (width, height))


@pytest.mark.parametrize(
    ("size", "device", "largest"),
    [
        ((257, 257), "auto", (481, 353)),
        ((257, 257), "cpu", (257, 257)),
        ((481, 641), "auto", (641, 481)),
    ],
)
def test_the_larger_of_two_networks_limits_the_size_of_pictures(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    device: str,
    largest: tuple[int, int],
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    add_model(tmp_path, "tpu", catalogue.read("posenet").content, (353, 481))
    wanted = config(model={"input_size": size}, inference={"device": device})
    sizes = loading.input_sizes(wanted, loading.open_network(wanted))
    assert largest_picture(wanted.camera, sizes, cropped=False) == largest
