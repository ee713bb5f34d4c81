from collections.abc import Mapping
from functools import partial
from itertools import product

import numpy as np
import pytest

from edge.decode.movenet import decode_movenet
from edge.inference.fallback import OneNetwork
from edge.people.crop import BODY_MARGIN, TORSO_MARGIN, crop_around
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.views import Views
from edge.types import Array, Backend, Floats, Frame, Pose, RawOutputs, Tensor
from tests.support.fakes import ListSource
from tests.support.pipelines import network_of, pipeline_of, updates
from tests.support.poses import make_pose

# A standing person 1 high, (x, y): the head at the top, the hips in the middle, the feet at the bottom.
STANDS = np.array(
    [(0, 0), (0.02, 0), (-0.02, 0), (0.04, 0.01), (-0.04, 0.01), (0.1, 0.2), (-0.1, 0.2), (0.12, 0.35), (-0.12, 0.35),
     (0.12, 0.5), (-0.12, 0.5), (0.08, 0.5), (-0.08, 0.5), (0.08, 0.75), (-0.08, 0.75), (0.08, 1), (-0.08, 1)],
    np.float32,
)  # fmt: skip
HIPS, SHOULDERS, ARMS = [11, 12], [5, 6], [7, 8, 9, 10]


def person(x: float, y: float, size_px: float, *, hidden: list[int] | None = None, width: float = 1.0) -> Pose:
    """A standing person with the hips at x, y; keypoints in `hidden` have a low confidence."""
    visible = np.ones(17, np.bool_)
    visible[hidden or []] = False
    shape = (STANDS - (0, 0.5)) * (width, 1)
    return make_pose(shape * size_px + (x, y), visible=visible, confidence=0.8, score=0.7)


@pytest.mark.parametrize(("size_px", "width"), list(product((40, 150, 200), (0.5, 1, 4))))
def test_the_crop_is_centred_on_the_hips_and_holds_all_confident_keypoints(size_px: float, width: float) -> None:
    seen = person(320, 240, size_px, width=width)
    crop = crop_around(seen, 640, 480)
    assert crop is not None
    assert (crop.left + crop.side / 2, crop.top + crop.side / 2) == pytest.approx((320, 240), abs=1e-3)
    farthest = np.abs(seen.xy - (320, 240)).max()
    assert BODY_MARGIN * farthest <= crop.side / 2 + 1e-3
    assert crop.side / 2 <= TORSO_MARGIN * farthest


def test_hidden_keypoints_count_only_if_they_belong_to_the_torso() -> None:
    whole, legs = person(320, 240, 200), person(320, 240, 200, hidden=[13, 14, 15, 16, 0, 1, 2, 3, 4])
    crops = [crop_around(seen, 640, 480) for seen in (whole, legs)]
    assert crops[0] is not None
    assert crops[1] is not None
    assert crops[0].side == pytest.approx(2 * BODY_MARGIN * 100)
    assert crops[1].side == pytest.approx(2 * TORSO_MARGIN * 60)  # from the shoulders to the hips


@pytest.mark.parametrize(
    "seen",
    [
        person(320, 240, 200, hidden=SHOULDERS),
        person(320, 240, 200, hidden=HIPS),
        person(320, 240, 2000),
        person(320, 240, 1),
        person(320, 240, 0),
    ],
    ids=["no shoulders", "no hips", "large", "tiny", "a point"],
)
def test_without_a_torso_or_at_extreme_sizes_the_whole_frame_is_used(seen: Pose) -> None:
    assert crop_around(seen, 640, 480) is None
    assert crop_around(person(320, 240, 200, hidden=[SHOULDERS[0], HIPS[1]]), 640, 480) is not None


@pytest.mark.parametrize(("x", "y"), [(0, 0), (639, 479), (-50, 240), (320, 500)])
def test_a_crop_at_the_edge_overlaps_the_frame_and_is_not_larger(x: float, y: float) -> None:
    crop = crop_around(person(x, y, 300), 640, 480)
    assert crop is not None
    assert crop.left < 640
    assert crop.top < 480
    assert min(crop.left, crop.top) + crop.side > 0
    assert crop.side <= 640


class RedPostNet:
    """A MoveNet that takes a red post for a standing person of the same height."""

    name = "red"
    backend: Backend = "cpu"
    input_size = (192, 192)

    def __init__(self) -> None:
        self._memory = np.zeros((*self.input_size, 3), np.uint8)
        self.heights: list[int] = []  # of the post in each invoke, input px

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"out": (1, 17, 3)}

    def input(self) -> Array:
        return self._memory

    def invoke(self) -> None:
        rows = np.flatnonzero((self._memory[..., 0] > 200).any(axis=1))
        self.heights.append(len(rows))

    def outputs(self) -> RawOutputs:
        is_red = self._memory[..., 0] > 200
        rows, columns = np.flatnonzero(is_red.any(axis=1)), np.flatnonzero(is_red.any(axis=0))
        if not len(rows):
            return {"out": Tensor(np.zeros((1, 17, 3), np.float32))}
        x = columns.mean() + STANDS[:, 0] * (len(rows) - 1)
        y = rows[0] + STANDS[:, 1] * (len(rows) - 1)
        values = np.stack((y / 192, x / 192, np.full(17, 0.9)), axis=1)
        return {"out": Tensor(values[None].astype(np.float32))}

    def close(self) -> None:
        pass


def pipeline(runtime: RedPostNet, *, mirror: bool = False) -> Pipeline:
    decode = partial(decode_movenet, output="out", input_size=(192, 192))
    network = network_of(runtime, decode, one_person=True)
    return pipeline_of(OneNetwork(network, "cpu"), views=Views(crop=crop_around), mirror=mirror, max_people=1)


def red(number: int, x: int, y: int, height: int) -> Frame:
    """A black frame with a red post, centred on x, y; beyond the frame it is not visible."""
    image = np.zeros((480, 640, 3), np.uint8)
    top = y - height // 2
    image[max(top, 0) : max(top + height, 0), max(x - 4, 0) : max(x + 5, 0), 0] = 255
    return Frame(image, 640, 480, number, number / 15, 0.0)


def middle(pose: Pose) -> Floats:
    centre: Floats = (pose.xy.min(axis=0) + pose.xy.max(axis=0)) * np.float32(0.5)
    return centre


@pytest.mark.parametrize("mirror", [False, True])
def test_the_crop_follows_a_person_and_enlarges_them(mirror: bool) -> None:
    runtime = RedPostNet()
    running = pipeline(runtime, mirror=mirror)
    for number in range(40):
        x, y = 100 + 10 * number, 300 - 3 * number
        (seen,) = running.update(red(number, x, y, 90)).people
        scale = runtime.heights[-1] / 90
        assert middle(seen.pose) == pytest.approx((639 - x if mirror else x, y), abs=2 / scale)
    assert runtime.heights[0] == pytest.approx(90 * 192 / 640, abs=2)
    assert min(runtime.heights[1:]) > 2.2 * runtime.heights[0]


def test_a_lost_person_is_searched_for_in_the_whole_frame() -> None:
    runtime = RedPostNet()
    running = pipeline(runtime)
    assert running.update(red(0, 100, 240, 90)).people
    assert running.update(red(1, 100, 240, 90)).people
    assert not running.update(red(2, 500, 240, 90)).people, "the post is outside the crop"
    (seen,) = running.update(red(3, 500, 240, 90)).people
    assert middle(seen.pose) == pytest.approx((500, 240), abs=4)
    assert not running.update(red(4, 500, -900, 90)).people
    assert runtime.heights[-1] == 0


def test_with_two_threads_the_crop_follows_one_frame_later() -> None:
    runtime = RedPostNet()
    frames = [red(number, 100 + 5 * number, 240, 90) for number in range(60)]
    results = updates(pipeline(runtime), ListSource(frames))
    assert len(results) == 60
    for result in results:
        (seen,) = result.people
        assert middle(seen.pose) == pytest.approx((100 + 5 * result.frame.sequence, 240), abs=4)
    assert min(runtime.heights[5:]) > 2 * runtime.heights[0]


def test_detect_uses_the_whole_picture_and_not_the_last_crop() -> None:
    runtime = RedPostNet()
    running = pipeline(runtime)
    running.update(red(0, 100, 240, 90))
    (pose,) = running.detector.detect(red(1, 500, 240, 90)).poses
    assert middle(pose) == pytest.approx((500, 240), abs=4)
