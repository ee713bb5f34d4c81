import pytest

from edge.decode.families import FAMILIES, Options, family_of, open_decoder
from edge.errors import ModelError

SIZE = (353, 481)
POSENET = {"heatmaps": (23, 31, 17), "short_offsets": (23, 31, 34), "mid_offsets": (23, 31, 64)}
ARGMAX_ONLY = {name: shape for name, shape in POSENET.items() if name != "mid_offsets"}
MOVENET = {"StatefulPartitionedCall": (1, 17, 3)}
MULTIPOSE = {
    "center": (48, 64, 1),
    "box_scale": (48, 64, 2),
    "box_offset": (48, 64, 2),
    "kpt_regress": (48, 64, 34),
    "kpt_heatmap": (48, 64, 17),
    "kpt_offset": (48, 64, 34),
}
SINGLE, MULTI = Options(mode="single"), Options(mode="multi")


@pytest.mark.parametrize(("shapes", "name"), [(POSENET, "posenet"), (ARGMAX_ONLY, "posenet"), (MOVENET, "movenet")])
def test_exactly_one_family_recognises_the_outputs_of_a_model(shapes: dict[str, tuple[int, ...]], name: str) -> None:
    assert [family.name for family in FAMILIES if family.recognises(shapes)] == [name]
    assert family_of(shapes).name == name


def test_multipose_is_not_taken_for_a_posenet_although_two_of_its_outputs_look_the_same() -> None:
    assert family_of(MULTIPOSE).name == "movenet-multipose"


@pytest.mark.parametrize(
    "shapes",
    [
        {"a": (1, 17, 3), "b": (1,)},
        {"people": (6, 56)},  # MoveNet MultiPose with the decoder that `models/build.py` cuts off
        {"a": (17, 3)},
        {"a": (23, 31, 17), "b": (23, 31, 34)},
        {},
    ],
)
def test_unknown_outputs_are_listed_with_their_shapes(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ModelError) as exc:
        open_decoder(shapes, SIZE, MULTI)
    assert exc.value.key == "model.name"
    assert all(f"{name} {list(shape)}" in exc.value.problem for name, shape in shapes.items())
    assert all(family.name in exc.value.remedy for family in FAMILIES)


def test_only_movenet_detects_one_person_whatever_the_mode() -> None:
    assert [open_decoder(MOVENET, (192, 192), options).one_person for options in (SINGLE, MULTI)] == [True, True]
    for shapes, size in ((POSENET, SIZE), (MULTIPOSE, (192, 256))):
        assert [open_decoder(shapes, size, options).one_person for options in (SINGLE, MULTI)] == [False, False]


def test_only_multipose_recommends_thresholds() -> None:
    for shapes, size in ((POSENET, SIZE), (MOVENET, (192, 192))):
        decoding = open_decoder(shapes, size, MULTI)
        assert (decoding.keypoint_confidence, decoding.start_score, decoding.keep_score) == (None, None, None)
    decoding = open_decoder(MULTIPOSE, (192, 256), MULTI)
    assert (decoding.keypoint_confidence, decoding.start_score, decoding.keep_score) == (0.15, 0.35, 0.1)


def test_several_people_need_mid_offsets() -> None:
    with pytest.raises(ModelError) as exc:
        open_decoder(ARGMAX_ONLY, SIZE, MULTI)
    assert exc.value.key == "decode.mode"
    assert all(name in exc.value.problem for name in ARGMAX_ONLY)
    assert "single" in exc.value.remedy
    open_decoder(ARGMAX_ONLY, SIZE, SINGLE)


@pytest.mark.parametrize(
    ("size", "side", "fitting"), [((360, 481), "height 360", "353"), ((353, 490), "width 490", "497")]
)
def test_a_grid_that_does_not_fit_the_input_size_names_the_nearest_size(
    size: tuple[int, int], side: str, fitting: str
) -> None:
    rows, columns = (-(-pixels // 16) for pixels in size)
    shapes = {name: (rows, columns, channels) for name, (_, _, channels) in POSENET.items()}
    with pytest.raises(ModelError) as exc:
        open_decoder(shapes, size, SINGLE)
    assert exc.value.key == "model.input_size"
    assert side in exc.value.problem
    assert fitting in exc.value.remedy


def test_only_networks_with_heatmaps_have_a_stride() -> None:
    assert family_of(POSENET).stride(POSENET, SIZE) == 16
    assert family_of(MULTIPOSE).stride(MULTIPOSE, (192, 256)) == 4
    assert family_of(MOVENET).stride(MOVENET, (192, 192)) is None
