"""Clips play as a camera would show them."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.config import Camera
from edge.errors import UsageError
from edge.evaluation.events_play import MONOTONIC_S, WALL_S, Played, imitated, paced, play
from edge.types import Frame
from tests.support.models import fast_config
from tests.support.pipelines import configured
from tests.support.scenes import picture_of, scene
from tests.support.videos import encode, plain

START_S = 4321.9876  # of a source, on the clock of this machine


def frames(times_s: list[float]) -> Iterator[Frame]:
    for number, time_s in enumerate(times_s):
        yield Frame(np.zeros((1, 1, 3), np.uint8), 1, 1, number, START_S + time_s, 0.0)


def kept(times_s: list[float], fps: float) -> list[float]:
    return [round(frame.monotonic_s - MONOTONIC_S, 3) for frame in paced(frames(times_s), fps)]


@pytest.mark.parametrize(("of", "fps", "count"), [(60, 15, 15), (30, 15, 15), (25, 15, 15), (16, 15, 15), (24, 5, 5)])
def test_a_faster_clip_is_thinned_out_to_the_rate_of_the_camera(of: int, fps: float, count: int) -> None:
    result = kept([number / of for number in range(of)], fps)
    assert len(result) == count
    assert all(b - a <= 1 / fps + 1 / of + 0.001 for a, b in pairwise(result))


@pytest.mark.parametrize(("of", "fps"), [(12, 15), (15, 15), (60, 0)])
def test_all_frames_of_a_slower_clip_are_kept(of: int, fps: float) -> None:
    assert len(kept([number / of for number in range(of)], fps)) == of


def test_after_a_gap_the_lost_time_is_not_made_up_for() -> None:
    assert kept([0, 0.1, 0.2, 2.0, 2.01, 2.02, 2.1, 2.2], 10) == [0, 0.1, 0.2, 2.0, 2.1, 2.2]


def test_frames_have_the_same_times_and_numbers_in_every_run() -> None:
    (first, second) = paced(frames([0.0, 0.0625]), 0)
    assert (first.sequence, first.monotonic_s, first.wall_s) == (0, MONOTONIC_S, WALL_S)
    assert (second.sequence, second.monotonic_s, second.wall_s) == (1, MONOTONIC_S + 0.063, WALL_S + 0.063)


def plays(file: Path, fps: float = 0, camera: Camera | None = None) -> list[Played]:
    config = imitated(fast_config(camera=camera or Camera()), file, fps)
    network, pipeline = configured(config)
    return list(play(config, pipeline, network))


def test_a_clip_plays_through_the_pipeline(tmp_path: Path) -> None:
    walk = scene("walk")
    encode(tmp_path / "a.mp4", [picture_of(walk, number) for number in range(30)], codec="mpeg4", rate=30)
    played = plays(tmp_path / "a.mp4", 10, Camera(rotation=90, mirror=True))  # of a sensor that looks at another room
    assert [one.at_s for one in played] == [round(number / 10, 3) for number in range(10)]
    assert [one.seen.monotonic_s for one in played] == [MONOTONIC_S + one.at_s for one in played]
    assert (played[0].seen.width, played[0].seen.height) == (640, 480)
    (person,) = played[-1].seen.people
    assert person.id is not None
    nose = person.keypoints[0]
    assert nose is not None
    assert np.hypot(*(np.array(nose[:2]) - walk.truth(27)[0].xy[0])) < 0.1 * person.box.size_px


def test_a_damaged_clip_is_an_error_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(UsageError) as caught:
        plays(tmp_path / "a.mp4")
    assert caught.value.key == "--truth"
    assert "a.mp4" in caught.value.problem


def test_a_clip_without_people_has_no_people(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", [plain(120)] * 5, codec="mpeg4")
    assert [one.seen.people for one in plays(tmp_path / "a.mp4")] == [()] * 5
