"""The decoder of MoveNet MultiPose, on painted outputs. tests/models compares it with Google's own decoder."""

import math

import numpy as np
import pytest

from edge.decode.families import Options, open_decoder
from edge.decode.movenet_multipose import KEEP_SCORE, MAX_PEOPLE, START_SCORE, STRIDE, decode_multipose
from edge.types import Decoded, Floats, Tensor
from tests.support.paint import quantise

GRID = (48, 64)  # cells
RNG = np.random.default_rng(0)
SHAPE: Floats = RNG.uniform(-7, 7, (17, 2)).astype(np.float32)  # keypoints around the centre, cells


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


class Outputs:
    """Outputs of a network that sees no person, until some are added."""

    def __init__(self) -> None:
        channels = {"box_scale": 2, "box_offset": 2, "kpt_regress": 34, "kpt_offset": 34}
        self.maps = {name: np.zeros((*GRID, count), np.float32) for name, count in channels.items()}
        self.maps["center"] = np.full((*GRID, 1), -12, np.float32)
        self.maps["kpt_heatmap"] = np.full((*GRID, 17), -12, np.float32)

    def add(self, centre: tuple[int, int], score: float, *, box: float = 20, shape: Floats = SHAPE) -> Floats:
        """Add a person, and return its keypoints (17, 2) as (y, x) in input px."""
        places = np.array(centre, np.float32) + shape
        cells = np.floor(places).astype(int)
        kinds = np.arange(17)
        self.maps["center"][centre] = logit(score)
        self.maps["box_scale"][centre] = box
        self.maps["kpt_regress"][centre] = shape.reshape(-1)
        self.maps["kpt_heatmap"][cells[:, 0], cells[:, 1], kinds] = 12
        for axis in (0, 1):
            self.maps["kpt_offset"][cells[:, 0], cells[:, 1], 2 * kinds + axis] = (places - cells)[:, axis]
        return places * STRIDE

    def decode(self, max_poses: int = MAX_PEOPLE) -> Decoded:
        return decode_multipose({name: Tensor(values) for name, values in self.maps.items()}, max_poses)


def test_an_empty_picture_has_no_poses() -> None:
    decoded = Outputs().decode()
    assert decoded.keypoints.shape == (0, 17, 2)
    assert decoded.confidences.shape == (0, 17)
    assert decoded.scores.shape == (0,)


def test_people_are_found_where_they_are_and_the_best_comes_first() -> None:
    outputs = Outputs()
    places = [outputs.add((12, 12), 0.5), outputs.add((30, 50), 0.9)]
    decoded = outputs.decode()
    np.testing.assert_allclose(decoded.keypoints, places[::-1], atol=1e-3)
    # Each keypoint lies less than a cell from its guess, so its weight is nearly 1.
    np.testing.assert_allclose(decoded.scores, [0.9, 0.5], atol=0.05)
    assert decoded.confidences.min() > 0.85
    assert {array.dtype for array in (decoded.keypoints, decoded.confidences, decoded.scores)} == {np.dtype(np.float32)}


def test_poses_are_returned_down_to_the_score_that_keeps_a_track() -> None:
    outputs = Outputs()
    outputs.add((12, 12), KEEP_SCORE + 0.02)
    outputs.add((30, 50), KEEP_SCORE - 0.02)
    (score,) = outputs.decode().scores
    assert KEEP_SCORE <= score < START_SCORE


def test_of_neighbouring_centres_only_the_highest_counts() -> None:
    outputs = Outputs()
    outputs.add((20, 20), 0.8)
    outputs.maps["center"][20, 22] = logit(0.79)  # two cells away
    assert len(outputs.decode().scores) == 1
    outputs.maps["center"][20, 20] = -12
    outputs.add((20, 19), 0.8)  # three cells away from the other one
    outputs.maps["box_scale"][20, 22] = 20
    assert len(outputs.decode().scores) == 2


def test_centres_at_the_edge_of_the_picture_count() -> None:
    for corner in ((0, 0), (0, 63), (47, 0), (47, 63)):
        outputs = Outputs()
        inwards = np.where(np.array(corner) == 0, np.abs(SHAPE), -np.abs(SHAPE)).astype(np.float32)
        expected = outputs.add(corner, 0.8, shape=inwards)
        np.testing.assert_allclose(outputs.decode().keypoints, [expected], atol=1e-3)


def test_no_more_people_than_wanted_are_returned() -> None:
    outputs = Outputs()
    small = (SHAPE / 4).astype(np.float32)
    for number in range(8):
        outputs.add((6 + 12 * (number // 2 % 4), 10 + 40 * (number % 2)), 0.9 - 0.05 * number, box=6, shape=small)
    assert outputs.decode(max_poses=2).scores == pytest.approx([0.9, 0.85], abs=0.05)
    assert len(outputs.decode().scores) == MAX_PEOPLE
    assert len(outputs.decode(max_poses=10).scores) == 8, "more than Google's graph decodes"


def test_single_mode_returns_the_best_pose() -> None:
    outputs = Outputs()
    outputs.add((12, 12), 0.5)
    best = outputs.add((30, 50), 0.9)
    shapes = {name: values.shape for name, values in outputs.maps.items()}
    decode = open_decoder(shapes, (192, 256), Options(mode="single", min_pose_score=0.99)).decode
    found = decode({name: Tensor(values) for name, values in outputs.maps.items()})
    np.testing.assert_allclose(found.keypoints, [best], atol=1e-3)


def test_keypoints_outside_the_box_are_not_taken() -> None:
    outputs = Outputs()
    outputs.add((24, 24), 0.9, box=8)
    inside = (np.floor(24 + SHAPE) >= 20).all(1) & (np.floor(24 + SHAPE) < 28).all(1)
    assert inside.any()
    assert not inside.all()
    (confidences,) = outputs.decode().confidences
    assert (confidences[inside] > 0.85).all()
    assert (confidences[~inside] < 0.01).all()


def test_a_box_without_cells_is_no_person() -> None:
    outputs = Outputs()
    outputs.add((24, 24), 0.9, box=-1)
    assert len(outputs.decode().scores) == 0


def test_of_two_heatmap_peaks_the_one_near_the_guess_is_taken() -> None:
    outputs = Outputs()
    expected = outputs.add((24, 32), 0.9, box=40)
    outputs.maps["kpt_heatmap"][10, 50] = 14  # another person's keypoints: more certain, but far from every guess
    np.testing.assert_allclose(outputs.decode().keypoints, [expected], atol=1e-3)


def test_unsure_keypoints_do_not_count_in_the_score() -> None:
    outputs = Outputs()
    outputs.add((24, 24), 0.8)
    before = outputs.decode().scores[0]
    cells = np.floor(24 + SHAPE).astype(int)
    outputs.maps["kpt_heatmap"][cells[5:, 0], cells[5:, 1], range(5, 17)] = -12
    decoded = outputs.decode()
    assert (decoded.confidences[0, 5:] < 0.1).all()
    assert decoded.scores[0] == pytest.approx(before, abs=0.03)


def test_quantised_outputs_give_the_same_poses() -> None:
    outputs = Outputs()
    outputs.add((12, 12), 0.5)
    outputs.add((30, 50), 0.9)
    exact = outputs.decode()
    scales = {"center": 0.1, "kpt_heatmap": 0.1, "box_scale": 0.2, "box_offset": 0.05, "kpt_regress": 0.1}
    coarse = {name: quantise(values, scales.get(name, 0.02), 0, np.int8) for name, values in outputs.maps.items()}
    decoded = decode_multipose(coarse)
    np.testing.assert_allclose(decoded.keypoints, exact.keypoints, atol=0.1)
    np.testing.assert_allclose(decoded.scores, exact.scores, atol=0.05)


def test_outputs_of_nothing_but_nan_give_no_poses() -> None:
    outputs = Outputs()
    for values in outputs.maps.values():
        values.fill(np.nan)
    assert len(outputs.decode().scores) == 0
