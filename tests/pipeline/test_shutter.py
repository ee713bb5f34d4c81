"""Pictures are copied only while they are watched, and only after that was published."""

import gc
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.errors import RequestError
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.shutter import MAX_VIEWERS, PERIOD_S, WATCHED_S, WIDTH_PX, Shutter
from edge.types import Frame, Image
from tests.support.fakes import ListSource, blank_frame
from tests.support.models import fast_config
from tests.support.pipelines import configured


class Scene:
    """A shutter, with a clock that is set by hand, and a camera whose frames have different brightness."""

    def __init__(self, *, mirror: bool = False, on: bool = True) -> None:
        self.now_s = 100.0
        self.copies: list[weakref.ref[Any]] = []
        self.shutter = Shutter(self.encode, mirror=mirror, on=on, monotonic=lambda: self.now_s)
        self.reported: list[bool] = []
        self.shutter.changed = self.reported.append
        self.sequence = 0

    def encode(self, image: Image) -> bytes:
        self.copies.append(weakref.ref(image))
        return image.tobytes()

    def frame(self, image: Image | None = None) -> Frame:
        """The shutter sees another frame, after a while."""
        self.now_s += PERIOD_S
        self.sequence += 1
        frame = blank_frame(self.sequence, brightness=self.sequence)
        if image is not None:
            frame = replace(frame, image=image)
        self.shutter.see(frame)
        return frame

    def watch(self) -> str:
        token = self.shutter.open()
        self.shutter.show(watched=True)
        return token


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_watched_frame_is_shown(scene: Scene) -> None:
    token = scene.watch()
    assert scene.shutter.picture(token, -1) is None
    frame = scene.frame()
    assert scene.shutter.picture(token, -1) == (1, frame.image.tobytes())
    assert scene.shutter.picture(token, 0) == (1, frame.image.tobytes())
    assert scene.shutter.picture(token, 1) is None
    assert len(scene.copies) == 1, "it is encoded once for all viewers"


def test_no_frame_from_before_the_press_is_shown(scene: Scene) -> None:
    scene.frame()
    token = scene.watch()
    assert scene.shutter.picture(token, -1) is None


def test_no_frame_is_copied_before_health_says_that_pictures_are_watched(scene: Scene) -> None:
    token = scene.shutter.open()
    assert scene.shutter.watched
    scene.frame()
    assert scene.shutter.picture(token, -1) is None
    scene.shutter.show(watched=True)
    scene.frame()
    assert scene.shutter.picture(token, -1) is not None


def test_pictures_end_after_two_minutes_even_without_frames(scene: Scene) -> None:
    token = scene.watch()
    scene.frame()
    scene.now_s = 100.0 + WATCHED_S - 0.001
    assert scene.shutter.picture(token, -1) is not None
    scene.now_s = 100.0 + WATCHED_S
    assert scene.shutter.watched is False
    with pytest.raises(RequestError) as exc:
        scene.shutter.picture(token, -1)
    assert exc.value.key == "pictures"
    scene.shutter.tick()
    gc.collect()
    assert [copy() for copy in scene.copies] == [None], "no pixels are kept"


@pytest.mark.parametrize("over", ["closed", "off"])
def test_pictures_end_when_the_viewer_closes_them_or_the_camera_is_switched_off(scene: Scene, over: str) -> None:
    token = scene.watch()
    scene.frame()
    assert scene.shutter.picture(token, -1) is not None
    if over == "closed":
        scene.shutter.close("another")
        assert scene.shutter.watched
        scene.shutter.close(token)
    else:
        scene.shutter.switch(on=False)
        scene.shutter.switch(on=True)
    assert not scene.shutter.watched
    scene.frame()
    with pytest.raises(RequestError):
        scene.shutter.picture(token, -1)
    gc.collect()
    assert [copy() for copy in scene.copies] == [None]


def test_a_picture_that_is_being_encoded_when_the_camera_is_switched_off_is_not_shown(scene: Scene) -> None:
    def encode(image: Image) -> bytes:
        shutter.switch(on=False)
        return image.tobytes()

    shutter = scene.shutter = Shutter(encode, mirror=False, on=True, monotonic=lambda: scene.now_s)
    token = scene.watch()
    scene.frame()
    with pytest.raises(RequestError):
        shutter.picture(token, -1)


def test_pictures_cannot_be_watched_while_the_camera_is_off() -> None:
    scene = Scene(on=False)
    with pytest.raises(RequestError):
        scene.shutter.open()
    scene.shutter.switch(on=True)
    assert scene.watch()


def test_each_viewer_has_two_minutes(scene: Scene) -> None:
    first = scene.watch()
    scene.now_s += WATCHED_S - 1
    second = scene.watch()
    scene.now_s += 1
    frame = scene.frame()
    with pytest.raises(RequestError):
        scene.shutter.picture(first, -1)
    assert scene.shutter.picture(second, -1) == (1, frame.image.tobytes())


def test_a_new_viewer_takes_the_place_of_the_oldest(scene: Scene) -> None:
    tokens = [scene.watch() for _ in range(MAX_VIEWERS + 1)]
    assert len(set(tokens)) == len(tokens)
    scene.frame()
    with pytest.raises(RequestError):
        scene.shutter.picture(tokens[0], -1)
    assert all(scene.shutter.picture(token, -1) for token in tokens[1:])


def test_five_frames_per_second_are_copied(scene: Scene) -> None:
    token, shown = scene.watch(), set[int]()
    for sequence in range(150):
        scene.now_s += 1 / 15
        scene.shutter.see(blank_frame(sequence))
        shown.add((scene.shutter.picture(token, -1) or (-1, b""))[0])
    assert len(shown) == pytest.approx(50, abs=2)


def test_large_pictures_are_reduced_and_mirrored_as_keypoints_are() -> None:
    scene = Scene(mirror=True)
    token = scene.watch()
    image = np.zeros((1000, 2 * WIDTH_PX + 1, 3), np.uint8)
    image[:, : image.shape[1] // 2] = 255
    scene.frame(image)
    _, content = scene.shutter.picture(token, -1) or (0, b"")
    picture = np.frombuffer(content, np.uint8).reshape(334, -1, 3)
    assert picture.shape[1] <= WIDTH_PX
    assert picture[:, 0].max() == 0
    assert picture[:, -1].min() == 255


def test_a_copy_does_not_change_when_the_source_reuses_the_memory(scene: Scene) -> None:
    token = scene.watch()
    frame = scene.frame()
    before = frame.image.tobytes()
    frame.image[:] = 99
    assert scene.shutter.picture(token, -1) == (1, before)


def test_the_log_says_when_pictures_are_watched(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for watched in (False, True, True, False):
        scene.shutter.show(watched=watched)
    assert scene.reported == [True, False]
    assert len(caplog.records) == 2


def test_every_frame_passes_the_shutter_also_those_that_no_network_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    _, built = configured(fast_config())
    assert built.gate
    monkeypatch.setattr(built.gate, "admits", lambda _frame: False)
    pipeline = Pipeline(
        built.detector, built.views, built.tracker, built.smoother, built.rules, built.second_opinion, gate=built.gate,
        shutter=scene.shutter,
    )  # fmt: skip
    token = scene.watch()
    for _ in pipeline.run(ListSource([blank_frame(7, brightness=7)]), []):
        pass
    assert (scene.shutter.picture(token, -1) or (0, b""))[0] == 7
