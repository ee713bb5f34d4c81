import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edge.decode.heatmaps import sigmoid
from edge.decode.posenet import (
    _STEPS,
    EDGES,
    Quantization,
    Settings,
    _Found,
    _logit,
    _roots,
    _soft_nms,
    _Step,
    decode_multi,
    decode_poses,
)
from edge.decode.posenet_outputs import PoseNetOutputs, find_outputs
from edge.decode.sampling import Field, SingleField
from edge.inference.tflite import CpuRuntime
from edge.models.strip_decoder import strip_decoder
from edge.skeleton import INDEX
from edge.types import Array, Floats, RawOutputs, Tensor
from tests.support.paint import paint_people, quantise
from tests.support.reference_posenet import TREE, reference

STRIDE = 16
# A person of 1 x 1, (y, x); the proportions do not matter, only that all keypoints are apart.
BODY = np.array(
    [(0.05, 0.5), (0.0, 0.6), (0.0, 0.4), (0.04, 0.75), (0.04, 0.25), (0.2, 0.8), (0.2, 0.2), (0.4, 0.9), (0.4, 0.1),
     (0.55, 1.0), (0.55, 0.0), (0.5, 0.7), (0.5, 0.3), (0.75, 0.75), (0.75, 0.25), (1.0, 0.8), (1.0, 0.2)], np.float32,
)  # fmt: skip


def crowd(rng: np.random.Generator, count: int, columns: int) -> tuple[Floats, Floats]:
    """People beside each other in the grid's columns, each of another size; poses (P, 17, 2) input px, logits."""
    place = columns * STRIDE / count
    poses = []
    for person in range(count):
        height, width = rng.uniform(240, 330), rng.uniform(0.55, 0.75) * place
        left = person * place + rng.uniform(0.05, 0.2) * place
        poses.append(BODY * (height, width) + (rng.uniform(2, 18), left) + rng.uniform(-3, 3, (17, 2)))
    return np.clip(np.array(poses), 0, None).astype(np.float32), rng.uniform(1.5, 6, (count, 17)).astype(np.float32)


def paired(found: Floats, painted: Floats) -> list[int]:
    """For each painted pose the found one that is nearest."""
    return [int(np.abs(found - pose).max(axis=(1, 2)).argmin()) for pose in painted]


@pytest.mark.parametrize(("count", "seed"), list(product((1, 2, 3, 5), range(8))))
def test_so_many_painted_so_many_found(count: int, seed: int) -> None:
    columns = 31 if count < 4 else 61
    poses, logits = crowd(np.random.default_rng(seed), count, columns - 1)
    keypoints, confidences, scores = decode_poses(*paint_people(poses, logits, (23, columns), STRIDE))
    pairs = paired(keypoints, poses)
    assert sorted(pairs) == list(range(count))
    assert np.abs(keypoints[pairs] - poses).max() < 0.01
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert scores == pytest.approx(confidences.mean(axis=1), abs=1e-6)


def test_nobody_painted_nobody_found() -> None:
    tensors = np.full((23, 31, 17), -12, np.float32), *(np.zeros((23, 31, n), np.float32) for n in (34, 64))
    keypoints, confidences, scores = decode_poses(*tensors)
    assert (keypoints.shape, confidences.shape, scores.shape) == ((0, 17, 2), (0, 17), (0,))


@pytest.mark.parametrize(("dtype", "zero_point", "seed"), [(np.uint8, 128, 0), (np.int8, 0, 1), (np.int8, -20, 2)])
def test_quantised_people_are_found_within_a_step_or_two(dtype: type, zero_point: int, seed: int) -> None:
    poses, logits = crowd(np.random.default_rng(seed), 2, 30)
    heatmaps, short, mid = paint_people(poses, logits, (23, 31), STRIDE)
    scales = (24 / 255, 76 / 255, 640 / 255)
    tensors = [
        quantise(real, scale, zero_point, dtype) for real, scale in zip((heatmaps, short, mid), scales, strict=True)
    ]
    data = [tensor.data for tensor in tensors]
    keypoints, _, _ = decode_poses(*data, quantization=quantization(tensors))
    assert len(keypoints) == 2
    assert np.abs(keypoints[paired(keypoints, poses)] - poses).max() < 1.0


def quantization(tensors: list[Tensor]) -> Quantization:
    heatmaps, short, mid = ((tensor.scale, tensor.zero_point) for tensor in tensors)
    return heatmaps, short, mid


def noise(seed: int, grid: tuple[int, int], rough_px: float = 3) -> tuple[Floats, Floats, Floats]:
    """Outputs that mean nothing, with peaks, plateaus and vectors out of the grid.

    Vectors differ by some `rough_px` from cell to cell: by so little that rounding does not grow from step to step into
    other poses, unless more is asked for.
    """
    rng = np.random.default_rng(seed)
    heatmaps = rng.normal(-1.5, 1.5, (*grid, 17)).round(1)
    short = rng.normal(0, rough_px, (*grid, 34))
    mid = rng.normal(0, rough_px, (*grid, 64)) + rng.normal(0, 60, 64)
    return heatmaps.astype(np.float32), short.astype(np.float32), mid.astype(np.float32)


GRIDS = [(23, 31), (9, 9), (1, 31), (23, 1), (1, 1), (2, 2), (5, 40)]


@pytest.mark.parametrize(("grid", "seed"), list(product(GRIDS, range(3))))
def test_it_does_what_the_description_says_on_any_input(grid: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed + 100)
    tensors = noise(seed, grid)
    stride, most = int(rng.choice([8, 16, 32])), int(rng.choice([1, 3, 10]))
    threshold, radius_px = float(rng.choice([0.1, 0.2, 0.35])), float(rng.choice([0, 10, 40]))
    double = (tensor.astype(np.float64) for tensor in tensors)
    wanted = reference(*double, stride=stride, max_poses=most, threshold=threshold, radius_px=radius_px)
    got = decode_poses(
        *tensors, output_stride=stride, max_poses=most, score_threshold=threshold, nms_radius_px=radius_px
    )
    for one, other, tolerance in zip(got, wanted, (0.01, 1e-4, 1e-4), strict=True):
        assert one.shape == other.shape
        assert one == pytest.approx(other, abs=tolerance)


def differs(found: tuple[Array, ...], others: tuple[Array, ...]) -> bool:
    """By a hundredth of a pixel."""
    return found[0].shape != others[0].shape or bool(np.abs(found[0] - others[0]).max(initial=0) > 0.01)


@pytest.mark.parametrize(("rough_px", "stride"), [(20, 16), (60, 16), (40, 12)])
def test_floats_are_walked_in_single_precision_where_that_decides_which_poses_there_are(
    rough_px: float, stride: int
) -> None:
    told = 0
    for seed in range(6):
        tensors = noise(seed, (9 + seed, 21), rough_px)
        single, double = (
            reference(
                *(tensor.astype(real) for tensor in tensors), stride=stride, max_poses=10, threshold=0.2, radius_px=10
            )
            for real in (np.float32, np.float64)
        )
        assert not differs(decode_poses(*tensors, output_stride=stride), single), seed
        told += differs(double, single)
    assert told >= 3  # or it would not matter how they are walked


@pytest.mark.parametrize(("dtype", "zero_point", "seed"), list(product((np.uint8, np.int8), (0, 100), range(4))))
def test_it_does_so_with_integers(dtype: type, zero_point: int, seed: int) -> None:
    """The same as with the real values of these integers."""
    tensors = [
        quantise(real, scale, zero_point, dtype)
        for real, scale in zip(noise(seed, (12, 15)), (0.04, 0.1, 1.5), strict=True)
    ]
    real = [tensor.real(tensor.data) for tensor in tensors]
    wanted = reference(*real, stride=16, max_poses=10, threshold=0.2, radius_px=10)
    got = decode_poses(*(tensor.data for tensor in tensors), quantization=quantization(tensors))
    assert len(wanted[2]) > 0
    for one, other, tolerance in zip(got, wanted, (0.01, 1e-4, 1e-4), strict=True):
        assert one.shape == other.shape
        assert one == pytest.approx(other, abs=tolerance)


def test_the_noise_above_holds_poses() -> None:
    """Or it would test nothing."""
    found = [len(decode_poses(*noise(seed, grid))[0]) for grid in GRIDS[:4] for seed in range(3)]
    assert sum(found) > 30


def test_edges_are_those_of_the_description() -> None:
    assert list(EDGES) == TREE


@pytest.mark.parametrize("root", range(17))
def test_a_walk_reaches_every_keypoint_once_and_never_before_its_source(root: int) -> None:
    reached = [root]
    for step in _STEPS[root]:
        assert step.source in reached
        assert step.target not in reached
        assert EDGES[step.edge] == ((step.source, step.target) if step.forward else (step.target, step.source))
        reached.append(step.target)
    assert sorted(reached) == list(range(17))


@pytest.mark.parametrize("step", [step for steps in (_STEPS[0], _STEPS[16]) for step in steps if step.target != 16])
def test_a_step_reads_the_mid_offsets_of_its_edge_and_direction(step: _Step) -> None:
    """Of the 64 channels, 16 each are forward y, forward x, backward y and backward x."""
    heatmaps, short, mid = (np.zeros((9, 12, n), np.float32) for n in (17, 34, 64))
    heatmaps[4, 5, step.source] = 5
    first = step.edge if step.forward else 32 + step.edge
    mid[..., first], mid[..., first + 16] = 2, -3
    (pose,), _, _ = decode_poses(heatmaps, short, mid, output_stride=1, max_poses=1)
    assert pose[step.source].tolist() == [4, 5]
    assert pose[step.target].tolist() == [6, 2]


def test_most_sure_first_and_equals_in_raster_order() -> None:
    heatmaps = np.full((5, 6, 17), -9, np.float32)
    for row, column, k in ((4, 0, 3), (0, 5, 9), (0, 2, 9), (0, 2, 1), (2, 3, 7)):
        heatmaps[row, column, k] = 2
    heatmaps[2, 3, 7] = 2.5
    roots = _roots(Tensor(heatmaps), Field(Tensor(np.zeros((5, 6, 34), np.float32))), 0.2)
    assert list(roots) == [((2, 3), 7), ((0, 2), 1), ((0, 2), 9), ((0, 5), 9), ((4, 0), 3)]


def test_every_cell_of_a_plateau_may_be_a_root_and_a_slope_has_one() -> None:
    heatmaps = np.full((4, 5, 17), -9, np.float32)
    heatmaps[1, 1:4, 0] = 3
    heatmaps[3, :, 5] = [1, 2, 3, 4, 5]
    roots = _roots(Tensor(heatmaps), Field(Tensor(np.zeros((4, 5, 34), np.float32))), 0.2)
    assert list(roots) == [((3, 4), 5), ((1, 1), 0), ((1, 2), 0), ((1, 3), 0)]


# The numbers of libcoral's own unit tests of its decoder.


def test_bilinear_samples() -> None:
    y, x, c = np.meshgrid(np.arange(3), np.arange(4), np.arange(4), indexing="ij")
    field = Field(Tensor((y + x + c + 0.2).astype(np.float32)))
    for channel in (2, 0, 0, 1):
        assert field.at((0.75, 1.32), channel) == pytest.approx(0.75 + 1.32 + channel + 0.2, rel=1e-6)


def test_floats_are_read_in_single_precision() -> None:
    """Bit by bit: through noise, a walk makes more of the last one."""
    rng = np.random.default_rng(0)
    data = rng.normal(0, 40, (7, 9, 4)).astype(np.float32)
    field, one = SingleField(Tensor(data), stride=16), np.float32(1)
    for y, x in rng.uniform(0, (5.9, 7.9), (200, 2)).astype(np.float32):
        row, column = int(y), int(x)
        dy, dx = y - np.float32(row), x - np.float32(column)
        (here, beside), (below, across) = data[row : row + 2, column : column + 2, 1] / np.float32(16)
        upper, lower = (one - dx) * here + dx * beside, (one - dx) * below + dx * across
        assert field.at((float(y), float(x)), 1) == float((one - dy) * upper + dy * lower)


def test_displaced_positions() -> None:
    ones = Tensor(np.ones((10, 8, 6), np.float32)), Tensor(-np.ones((10, 8, 16), np.float32))
    y, x, c = np.meshgrid(np.arange(10), np.arange(8), np.arange(16), indexing="ij")
    short = Tensor((y + x + c + 0.1)[..., :6].astype(np.float32) / np.float32(21.1))
    mid = Tensor((2 * (y + x + c + 0.1) / 31 - 0.5).astype(np.float32))
    slopes = [(4.161290, 3.819355), (4.639046, 4.439290), (5.168825, 5.111249), (5.755558, 5.840163)]
    for steps in range(4):
        for (near, far), wanted in (
            (ones, (4.1 + steps - 1, 3.5 + steps - 1)),
            ((short, mid), slopes[steps]),
        ):
            # Forward alone: y, then x of four edges.
            reached = Field(Tensor(far.data[..., :8])).follow((4.1, 3.5), 1)
            assert Field(near).follow(reached, 2, steps) == pytest.approx(wanted, abs=2e-6)


def test_roots_are_moved_by_their_offsets() -> None:
    heatmaps = np.zeros((5, 4, 3), np.float32)
    heatmaps[1, 2, 2], heatmaps[3, 0, 1] = 1, 2
    offsets = np.ones((5, 4, 6), np.float32)
    roots = _roots(Tensor(heatmaps), Field(Tensor(offsets)), float(sigmoid(0.5)))
    assert list(roots) == [((4, 1), 1), ((2, 3), 2)]


@pytest.mark.parametrize(("radius2", "scores"), [(0.9, (0.35, 0.15)), (1.5, (0.35, 0.1)), (2.1, (0.35, 0.0))])
def test_soft_suppression(radius2: float, scores: tuple[float, float]) -> None:
    """Two keypoints of two poses; fifteen others, far apart, that count nothing."""
    far = np.arange(15)[:, None] * np.ones(2)
    poses = []
    for person, (places, confidences) in enumerate((([(0, 0), (1, 1)], [0.1, 0.2]), ([(0, 1), (2, 2)], [0.3, 0.4]))):
        positions = [*places, *map(tuple, (far + 50 * (person + 1)).tolist())]
        poses.append(_Found(positions, [*confidences, *[0.0] * 15], sum(confidences) / 17))
    decoded = _soft_nms(poses, radius2**0.5, 1, 0.0)
    assert decoded.scores * 17 / 2 == pytest.approx(np.array(scores), abs=1e-6)


@pytest.mark.parametrize(
    ("probability", "logit"), [(0, -13.81551), (0.5, 0.000004), (0.2, -1.386288), (1, np.inf), (-1, np.inf)]
)
def test_log_odds(probability: float, logit: float) -> None:
    assert _logit(probability) == pytest.approx(logit, abs=2e-6)


# What callers may do wrong, and networks.


def test_a_threshold_that_nobody_reaches_finds_nobody() -> None:
    tensors = paint_people(*crowd(np.random.default_rng(0), 1, 30), (23, 31), STRIDE)
    for threshold in (0.9999, 1.0, 2.0, -1.0):
        assert decode_poses(*tensors, score_threshold=threshold)[2].shape == (0,)
    assert len(decode_poses(*tensors, max_poses=0)[0]) == 0


def test_at_most_so_many_and_the_surest() -> None:
    poses, logits = crowd(np.random.default_rng(4), 3, 30)
    logits[:] = np.array([[2], [5], [4]])
    keypoints, _, _ = decode_poses(*paint_people(poses, logits, (23, 31), STRIDE), max_poses=2)
    assert np.abs(keypoints - poses[[1, 2]]).max() < 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_broken_network_does_not_end_the_program(bad: float) -> None:
    tensors = [*paint_people(*crowd(np.random.default_rng(1), 1, 30), (23, 31), STRIDE)]
    for index in range(3):
        broken = [*tensors]
        broken[index] = np.full_like(tensors[index], bad)
        keypoints, _, _ = decode_poses(*broken)
        assert np.isfinite(keypoints).all()


def test_a_value_that_is_none_hides_no_peak_beside_it() -> None:
    poses, logits = crowd(np.random.default_rng(1), 1, 30)
    heatmaps, short, _ = paint_people(poses, logits, (23, 31), STRIDE)
    row, column = np.unravel_index(heatmaps[..., 0].argmax(), heatmaps.shape[:2])
    alone = np.full_like(heatmaps, -12)
    alone[row, column, 0] = 9
    alone[row + 1, column, 0] = np.nan
    ((place, keypoint),) = _roots(Tensor(alone), Field(Tensor(short), stride=STRIDE), 0.2)
    assert keypoint == 0
    assert np.array(place) * STRIDE == pytest.approx(poses[0, 0], abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_lies_beside_a_place_on_a_cell_does_not_count_there(bad: float) -> None:
    values = np.ones((3, 3, 1), np.float32)
    values[1, 1] = bad
    field = SingleField(Tensor(values))
    assert [field.at(place, 0) for place in ((0, 0), (0, 1), (1, 0), (0.5, 0), (0, 0.5), (2, 2), (1.5, 2))] == [1] * 7
    assert not np.isfinite(field.at((0.5, 0.5), 0))


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
    heads = find_outputs({name: tensor.data.shape for name, tensor in outputs.items()}, (353, 481))
    keypoints = decode_multi(outputs, heads, Settings()).keypoints
    assert len(keypoints) == 2
    assert np.abs(keypoints[paired(keypoints, poses)] - poses).max() < 1.0


def test_inputs_that_do_not_fit_are_refused() -> None:
    zeros = [np.zeros((3, 4, n), np.float32) for n in (17, 34, 64)]
    for index, wrong in product(range(3), ((4, 3), (3, 4))):
        bad: list[Array] = [*zeros]
        bad[index] = np.zeros((*wrong, 5), np.float32)
        with pytest.raises(ValueError, match="are wanted"):
            decode_poses(*bad)
    with pytest.raises(ValueError, match="are wanted"):
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


def test_forward_and_backward_in_two_tensors_are_the_same() -> None:
    poses, logits = crowd(np.random.default_rng(3), 2, 30)
    heatmaps, short, mid = paint_people(poses, logits, (23, 31), STRIDE)
    arrays = {"h": heatmaps, "s": short, "m": mid, "f": mid[..., :32], "b": mid[..., 32:]}
    outputs = {name: Tensor(array) for name, array in arrays.items()}
    one = decode_multi(outputs, PoseNetOutputs("h", "s", STRIDE, ("m",)), Settings())
    two = decode_multi(outputs, PoseNetOutputs("h", "s", STRIDE, ("f", "b")), Settings())
    assert len(one.scores) == 2
    assert np.array_equal(one.keypoints, two.keypoints)
    assert {array.dtype for array in (two.keypoints, two.confidences, two.scores)} == {np.dtype("f4")}


# Coral's model, picture and results.


@pytest.fixture(scope="module", params=[(353, 481), (481, 641)], ids=["353x481", "481x641"])
def couple(request: pytest.FixtureRequest, coral: Path) -> tuple[RawOutputs, PoseNetOutputs, list[dict[str, str]]]:
    """The outputs of Coral's model for Coral's picture, and what Coral's decoder makes of them."""
    from PIL import Image  # noqa: PLC0415 - for these tests alone

    height, width = request.param
    name = f"posenet_mobilenet_v1_075_{height}_{width}_quant_decoder"
    model = strip_decoder((coral / f"{name}.tflite").read_bytes())
    cpu = CpuRuntime(model, label=name, input_size=(height, width), threads=2)
    with Image.open(coral / "test_couple.jpg") as picture:
        cpu.input()[:] = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.NEAREST))
    cpu.invoke()
    with (coral / f"{name}_reference.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    return cpu.outputs(), find_outputs(cpu.output_shapes, (height, width)), rows


def check_against(found: tuple[Floats, Floats, Floats], rows: list[dict[str, str]]) -> None:
    keypoints, confidences, scores = found
    assert len(scores) == len({row["pose_id"] for row in rows}) == 2
    assert len(rows) == 2 * 17
    for row in rows:
        pose, k = int(row["pose_id"]), INDEX[row["keypoint_label"].upper().replace(" ", "_")]
        wanted = float(row["keypoint_y"]), float(row["keypoint_x"])
        assert keypoints[pose, k].tolist() == pytest.approx(wanted, abs=4)
        assert confidences[pose, k] == pytest.approx(float(row["keypoint_score"]), abs=0.1)
        assert scores[pose] == pytest.approx(float(row["pose_score"]), abs=0.1)


def test_coral_s_couple(couple: tuple[RawOutputs, PoseNetOutputs, list[dict[str, str]]]) -> None:
    outputs, heads, rows = couple
    found = decode_multi(outputs, heads, Settings())
    check_against((found.keypoints, found.confidences, found.scores), rows)


def test_coral_s_couple_by_the_public_function(couple: tuple[RawOutputs, PoseNetOutputs, list[dict[str, str]]]) -> None:
    outputs, heads, rows = couple
    tensors = [outputs[name] for name in (heads.heatmaps, heads.short_offsets, *heads.mid_offsets)]
    check_against(decode_poses(*(tensor.data for tensor in tensors), quantization=quantization(tensors)), rows)
    check_against(decode_poses(*(tensor.real(tensor.data) for tensor in tensors)), rows)
