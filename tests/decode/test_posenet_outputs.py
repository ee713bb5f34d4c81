import pytest

from edge.decode.posenet_outputs import PoseNetOutputs, find_outputs
from edge.errors import ModelError

OURS = {
    "heatmaps": (23, 31, 17),
    "short_offsets": (23, 31, 34),
    "displacement_fwd": (23, 31, 32),
    "displacement_bwd": (23, 31, 32),
}


def test_ours_are_known_in_any_order() -> None:
    wanted = PoseNetOutputs("heatmaps", "short_offsets", 16, ("displacement_fwd", "displacement_bwd"))
    assert find_outputs(OURS, (353, 481)) == wanted
    assert find_outputs(dict(reversed(OURS.items())), (353, 481)) == wanted


def test_other_names_of_the_same_heads() -> None:
    shapes = {"float_short_offsets": (9, 9, 34), "float_heatmaps": (9, 9, 17), "float_segments": (9, 9, 1)}
    assert find_outputs(shapes, (257, 257)) == PoseNetOutputs("float_heatmaps", "float_short_offsets", 32)


def test_mid_offsets_in_one_output() -> None:
    shapes = {"heatmaps": (31, 41, 17), "mid_offsets": (31, 41, 64), "short_offsets": (31, 41, 34)}
    assert find_outputs(shapes, (481, 641)) == PoseNetOutputs("heatmaps", "short_offsets", 16, ("mid_offsets",))


def test_one_direction_of_two_is_none() -> None:
    shapes = {name: shape for name, shape in OURS.items() if name != "displacement_bwd"}
    assert find_outputs(shapes, (353, 481)).mid_offsets == ()


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"StatefulPartitionedCall": (1, 17, 3)}, ["StatefulPartitionedCall [1, 17, 3]"]),
        ({"a": (23, 31, 17), "b": (23, 31, 34)}, ["a [23, 31, 17]", "b [23, 31, 34]"]),
        ({**OURS, "heatmaps": (23, 31, 16)}, ["heatmaps [23, 31, 16]"]),
        ({**OURS, "short_offsets": (22, 31, 34)}, ["grids"]),
        ({**OURS, "displacement_bwd": (23, 30, 32)}, ["grids"]),
        (dict.fromkeys(OURS, (5, 31, 17)) | {"short_offsets": (5, 31, 34), "heatmaps": (5, 31, 17)}, ["stride"]),
        ({}, ["none"]),
    ],
)
def test_other_outputs_are_refused_by_name_and_shape(shapes: dict[str, tuple[int, ...]], words: list[str]) -> None:
    with pytest.raises(ModelError) as exc:
        find_outputs(shapes, (353, 481))
    assert exc.value.key == "model.name"
    assert all(word in exc.value.problem for word in words)
    assert exc.value.remedy
