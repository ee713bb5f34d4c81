import pytest

from edge.decode.posenet_outputs import PoseNetOutputs, find_outputs
from edge.errors import ModelError

OUTPUTS = {
    "heatmaps": (23, 31, 17),
    "short_offsets": (23, 31, 34),
    "displacement_fwd": (23, 31, 32),
    "displacement_bwd": (23, 31, 32),
}


def test_outputs_are_found_in_any_order() -> None:
    expected = PoseNetOutputs("heatmaps", "short_offsets", 16, ("displacement_fwd", "displacement_bwd"))
    assert find_outputs(OUTPUTS, (353, 481)) == expected
    assert find_outputs(dict(reversed(OUTPUTS.items())), (353, 481)) == expected


def test_outputs_are_found_by_a_part_of_their_name() -> None:
    shapes = {"float_short_offsets": (9, 9, 34), "float_heatmaps": (9, 9, 17), "float_segments": (9, 9, 1)}
    assert find_outputs(shapes, (257, 257)) == PoseNetOutputs("float_heatmaps", "float_short_offsets", 32)


def test_mid_offsets_may_be_one_output() -> None:
    shapes = {"heatmaps": (31, 41, 17), "mid_offsets": (31, 41, 64), "short_offsets": (31, 41, 34)}
    assert find_outputs(shapes, (481, 641)) == PoseNetOutputs("heatmaps", "short_offsets", 16, ("mid_offsets",))


def test_mid_offsets_in_one_direction_do_not_count() -> None:
    shapes = {name: shape for name, shape in OUTPUTS.items() if name != "displacement_bwd"}
    assert find_outputs(shapes, (353, 481)).mid_offsets == ()


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"StatefulPartitionedCall": (1, 17, 3)}, ["StatefulPartitionedCall [1, 17, 3]"]),
        ({"a": (23, 31, 17), "b": (23, 31, 34)}, ["a [23, 31, 17]", "b [23, 31, 34]"]),
        ({**OUTPUTS, "heatmaps": (23, 31, 16)}, ["heatmaps [23, 31, 16]"]),
        ({**OUTPUTS, "short_offsets": (22, 31, 34)}, ["grids"]),
        ({**OUTPUTS, "displacement_bwd": (23, 30, 32)}, ["grids"]),
        (dict.fromkeys(OUTPUTS, (5, 31, 17)) | {"short_offsets": (5, 31, 34), "heatmaps": (5, 31, 17)}, ["stride"]),
        ({}, ["none"]),
    ],
)
def test_other_outputs_are_refused_by_name_and_shape(shapes: dict[str, tuple[int, ...]], words: list[str]) -> None:
    with pytest.raises(ModelError) as exc:
        find_outputs(shapes, (353, 481))
    assert exc.value.key == "model.name"
    assert all(word in exc.value.problem for word in words)
    assert exc.value.remedy
