import csv
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

from edge.decode.family import Options
from edge.decode.posenet import Quantization, decode_multi, decode_poses
from edge.decode.posenet_outputs import PoseNetOutputs, find_outputs
from edge.inference.tflite import CpuRuntime
from edge.models.strip_decoder import strip_decoder
from edge.skeleton import INDEX
from edge.types import Array, Floats, RawOutputs, Tensor
from tests.support.paint import crowd, paint_people, quantise
from tests.support.reference_posenet import reference

STRIDE = 16
Couple: TypeAlias = tuple[RawOutputs, PoseNetOutputs, list[dict[str, str]]]


def nearest(found: Floats, painted: Floats) -> list[int]:
    """The index of the nearest found pose for each painted one."""
    return [int(np.abs(found - pose).max(axis=(1, 2)).argmin()) for pose in painted]


@pytest.mark.parametrize(("count", "seed"), list(product((1, 2, 3, 5), range(8))))
def test_every_painted_person_is_found_exactly(count: int, seed: int) -> None:
    columns = 31 if count < 4 else 61
    poses, logits = crowd(np.random.default_rng(seed), count, columns - 1)
    keypoints, confidences, scores = decode_poses(*paint_people(poses, logits, (23, columns), STRIDE))
    pairs = nearest(keypoints, poses)
    assert sorted(pairs) == list(range(count))
    assert np.abs(keypoints[pairs] - poses).max() < 0.01
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert scores == pytest.approx(confidences.mean(axis=1), abs=1e-6)


def test_an_empty_picture_has_no_poses() -> None:
    tensors = np.full((23, 31, 17), -12, np.float32), *(np.zeros((23, 31, n), np.float32) for n in (34, 64))
    keypoints, confidences, scores = decode_poses(*tensors)
    assert (keypoints.shape, confidences.shape, scores.shape) == ((0, 17, 2), (0, 17), (0,))


@pytest.mark.parametrize(("dtype", "zero_point", "seed"), [(np.uint8, 128, 0), (np.int8, 0, 1), (np.int8, -20, 2)])
def test_people_in_quantised_tensors_are_found_within_a_pixel(dtype: type, zero_point: int, seed: int) -> None:
    poses, logits = crowd(np.random.default_rng(seed), 2, 30)
    heatmaps, short, mid = paint_people(poses, logits, (23, 31), STRIDE)
    scales = (24 / 255, 76 / 255, 640 / 255)
    tensors = [
        quantise(real, scale, zero_point, dtype) for real, scale in zip((heatmaps, short, mid), scales, strict=True)
    ]
    data = [tensor.data for tensor in tensors]
    keypoints, _, _ = decode_poses(*data, quantization=quantization(tensors))
    assert len(keypoints) == 2
    assert np.abs(keypoints[nearest(keypoints, poses)] - poses).max() < 1.0


def quantization(tensors: list[Tensor]) -> Quantization:
    heatmaps, short, mid = ((tensor.scale, tensor.zero_point) for tensor in tensors)
    return heatmaps, short, mid


def noise(seed: int, grid: tuple[int, int], rough_px: float = 3) -> tuple[Floats, Floats, Floats]:
    """Random outputs with peaks, plateaus and vectors that leave the grid.

    Vectors differ by about `rough_px` from cell to cell. With the default, rounding errors stay too small to lead to
    other poses.
    """
    rng = np.random.default_rng(seed)
    heatmaps = rng.normal(-1.5, 1.5, (*grid, 17)).round(1)
    short = rng.normal(0, rough_px, (*grid, 34))
    mid = rng.normal(0, rough_px, (*grid, 64)) + rng.normal(0, 60, 64)
    return heatmaps.astype(np.float32), short.astype(np.float32), mid.astype(np.float32)


GRIDS = [(23, 31), (9, 9), (1, 31), (23, 1), (1, 1), (2, 2), (5, 40)]


@pytest.mark.parametrize(("grid", "seed"), list(product(GRIDS, range(3))))
def test_random_floats_give_the_poses_of_the_reference(grid: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed + 100)
    tensors = noise(seed, grid)
    stride, most = int(rng.choice([8, 16, 32])), int(rng.choice([1, 3, 10]))
    threshold, radius_px = float(rng.choice([0.1, 0.2, 0.35])), float(rng.choice([0, 10, 40]))
    double = (tensor.astype(np.float64) for tensor in tensors)
    expected = reference(*double, stride=stride, max_poses=most, threshold=threshold, radius_px=radius_px)
    got = decode_poses(
        *tensors, output_stride=stride, max_poses=most, score_threshold=threshold, nms_radius_px=radius_px
    )
    for one, other, tolerance in zip(got, expected, (0.01, 1e-4, 1e-4), strict=True):
        assert one.shape == other.shape
        assert one == pytest.approx(other, abs=tolerance)


def differs(found: tuple[Array, ...], others: tuple[Array, ...]) -> bool:
    """Whether the poses differ by more than a hundredth of a pixel."""
    return found[0].shape != others[0].shape or bool(np.abs(found[0] - others[0]).max(initial=0) > 0.01)


@pytest.mark.parametrize(("rough_px", "stride"), [(20, 16), (60, 16), (40, 12)])
def test_float_tensors_are_decoded_in_single_precision_like_libcorals(rough_px: float, stride: int) -> None:
    double_differs = 0
    for seed in range(6):
        tensors = noise(seed, (9 + seed, 21), rough_px)
        single, double = (
            reference(
                *(tensor.astype(real) for tensor in tensors), stride=stride, max_poses=10, threshold=0.2, radius_px=10
            )
            for real in (np.float32, np.float64)
        )
        assert not differs(decode_poses(*tensors, output_stride=stride), single), seed
        double_differs += differs(double, single)
    assert double_differs >= 3, "these tensors do not depend on the precision"


@pytest.mark.parametrize(("dtype", "zero_point", "seed"), list(product((np.uint8, np.int8), (0, 100), range(4))))
def test_random_integers_give_the_poses_of_the_reference(dtype: type, zero_point: int, seed: int) -> None:
    """The reference gets the real values of the same integers."""
    tensors = [
        quantise(real, scale, zero_point, dtype)
        for real, scale in zip(noise(seed, (12, 15)), (0.04, 0.1, 1.5), strict=True)
    ]
    real = [tensor.real(tensor.data) for tensor in tensors]
    expected = reference(*real, stride=16, max_poses=10, threshold=0.2, radius_px=10)
    got = decode_poses(*(tensor.data for tensor in tensors), quantization=quantization(tensors))
    assert len(expected[2]) > 0
    for one, other, tolerance in zip(got, expected, (0.01, 1e-4, 1e-4), strict=True):
        assert one.shape == other.shape
        assert one == pytest.approx(other, abs=tolerance)


def test_the_random_outputs_hold_poses() -> None:
    """Without poses, the comparisons with the reference would test nothing."""
    found = [len(decode_poses(*noise(seed, grid))[0]) for grid in GRIDS[:4] for seed in range(3)]
    assert sum(found) > 30


def test_a_threshold_that_no_pose_reaches_finds_none() -> None:
    tensors = paint_people(*crowd(np.random.default_rng(0), 1, 30), (23, 31), STRIDE)
    for threshold in (0.9999, 1.0, 2.0, -1.0):
        assert decode_poses(*tensors, score_threshold=threshold)[2].shape == (0,)
    assert len(decode_poses(*tensors, max_poses=0)[0]) == 0


def test_max_poses_keeps_the_most_confident() -> None:
    poses, logits = crowd(np.random.default_rng(4), 3, 30)
    logits[:] = np.array([[2], [5], [4]])
    keypoints, _, _ = decode_poses(*paint_people(poses, logits, (23, 31), STRIDE), max_poses=2)
    assert np.abs(keypoints - poses[[1, 2]]).max() < 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_give_finite_keypoints(bad: float) -> None:
    tensors = [*paint_people(*crowd(np.random.default_rng(1), 1, 30), (23, 31), STRIDE)]
    for index in range(3):
        broken = [*tensors]
        broken[index] = np.full_like(tensors[index], bad)
        keypoints, _, _ = decode_poses(*broken)
        assert np.isfinite(keypoints).all()


@pytest.mark.parametrize("floats", list(product((True, False), repeat=3))[1:-1])
def test_some_outputs_may_be_floats_and_others_integers(floats: tuple[bool, ...]) -> None:
    poses, logits = crowd(np.random.default_rng(0), 2, 30)
    outputs = {
        name: Tensor(real) if is_float else quantise(real, scale, 0, np.int8)
        for name, real, scale, is_float in zip(
            ("heatmaps", "short_offsets", "mid_offsets"),
            paint_people(poses, logits, (23, 31), STRIDE), (24 / 255, 76 / 255, 640 / 255), floats, strict=True,
        )
    }  # fmt: skip
    names = find_outputs({name: tensor.data.shape for name, tensor in outputs.items()}, (353, 481))
    keypoints = decode_multi(outputs, names, Options()).keypoints
    assert len(keypoints) == 2
    assert np.abs(keypoints[nearest(keypoints, poses)] - poses).max() < 1.0


def test_arguments_that_do_not_fit_are_refused() -> None:
    zeros = [np.zeros((3, 4, n), np.float32) for n in (17, 34, 64)]
    for index, wrong in product(range(3), ((4, 3), (3, 4))):
        bad: list[Array] = [*zeros]
        bad[index] = np.zeros((*wrong, 5), np.float32)
        with pytest.raises(ValueError, match="decode_poses needs"):
            decode_poses(*bad)
    with pytest.raises(ValueError, match="decode_poses needs"):
        decode_poses(*(array[:0] for array in zeros))
    with pytest.raises(ValueError, match="integers need quantization"):
        decode_poses(*(array.astype(np.uint8) for array in zeros))
    with pytest.raises(ValueError, match="uint8 and int8"):
        decode_poses(*zeros, quantization=((1, 0),) * 3)
    with pytest.raises(ValueError, match="more than 0"):
        decode_poses(*zeros, output_stride=0)
    bytes_ = [array.astype(np.uint8) for array in zeros]
    with pytest.raises(ValueError, match="scale, which is more than 0"):
        decode_poses(*bytes_, quantization=((1, 0), (0.0, 0), (1, 0)))
    with pytest.raises(ValueError, match="three pairs"):
        decode_poses(*bytes_, quantization=((1, 0), (1, 0)))  # type: ignore[arg-type]


def test_mid_offsets_in_two_tensors_give_the_same_poses() -> None:
    poses, logits = crowd(np.random.default_rng(3), 2, 30)
    heatmaps, short, mid = paint_people(poses, logits, (23, 31), STRIDE)
    arrays = {"h": heatmaps, "s": short, "m": mid, "f": mid[..., :32], "b": mid[..., 32:]}
    outputs = {name: Tensor(array) for name, array in arrays.items()}
    one = decode_multi(outputs, PoseNetOutputs("h", "s", STRIDE, ("m",)), Options())
    two = decode_multi(outputs, PoseNetOutputs("h", "s", STRIDE, ("f", "b")), Options())
    assert len(one.scores) == 2
    assert np.array_equal(one.keypoints, two.keypoints)
    assert {array.dtype for array in (two.keypoints, two.confidences, two.scores)} == {np.dtype("f4")}


@pytest.fixture(scope="module", params=[(353, 481), (481, 641)], ids=["353x481", "481x641"])
def couple(request: pytest.FixtureRequest, coral: Path) -> Couple:
    """The outputs of Coral's model for Coral's picture, and the poses that Coral's decoder finds in them."""
    height, width = request.param
    name = f"posenet_mobilenet_v1_075_{height}_{width}_quant_decoder"
    model = strip_decoder((coral / f"{name}.tflite").read_bytes())
    cpu = CpuRuntime(model, label=name, input_size=(height, width), threads=1)
    with Image.open(coral / "test_couple.jpg") as picture:
        cpu.input()[:] = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.NEAREST))
    cpu.invoke()
    with (coral / f"{name}_reference.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    return cpu.outputs(), find_outputs(cpu.output_shapes, (height, width)), rows


def assert_same_as_coral(found: tuple[Floats, Floats, Floats], rows: list[dict[str, str]]) -> None:
    keypoints, confidences, scores = found
    assert len(scores) == len({row["pose_id"] for row in rows}) == 2
    assert len(rows) == 2 * 17
    for row in rows:
        pose, k = int(row["pose_id"]), INDEX[row["keypoint_label"].upper().replace(" ", "_")]
        expected = float(row["keypoint_y"]), float(row["keypoint_x"])
        assert keypoints[pose, k].tolist() == pytest.approx(expected, abs=4)
        assert confidences[pose, k] == pytest.approx(float(row["keypoint_score"]), abs=0.1)
        assert scores[pose] == pytest.approx(float(row["pose_score"]), abs=0.1)


def test_decode_multi_finds_the_people_of_corals_picture(couple: Couple) -> None:
    outputs, names, rows = couple
    found = decode_multi(outputs, names, Options())
    assert_same_as_coral((found.keypoints, found.confidences, found.scores), rows)


def test_decode_poses_finds_the_people_of_corals_picture(couple: Couple) -> None:
    outputs, names, rows = couple
    tensors = [outputs[name] for name in (names.heatmaps, names.short_offsets, *names.mid_offsets)]
    assert_same_as_coral(decode_poses(*(tensor.data for tensor in tensors), quantization=quantization(tensors)), rows)
    assert_same_as_coral(decode_poses(*(tensor.real(tensor.data) for tensor in tensors)), rows)
