import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.inference.tflite import CpuRuntime
from edge.models.strip_decoder import cut_decoder, outline
from edge.types import RawOutputs
from tests.support.tiny_posenet import INPUT_SIZE, OUTPUTS, tiny_posenet

CORAL = [
    "posenet_mobilenet_v1_075_353_481_quant_decoder.tflite",
    "posenet_mobilenet_v1_075_481_641_quant_decoder.tflite",
    "posenet_mobilenet_v1_075_353_481_quant_decoder_edgetpu.tflite",
]


def run(content: bytes) -> RawOutputs:
    cpu = CpuRuntime(content, label="tiny", input_size=INPUT_SIZE, threads=1)
    cpu.input()[:] = np.random.default_rng(0).integers(0, 256, (*INPUT_SIZE, 3), np.uint8)
    cpu.invoke()
    return cpu.outputs()


@pytest.mark.parametrize("order", [(17, 34, 64), (64, 17, 34)])
def test_what_remains_is_the_network_and_nothing_else(order: tuple[int, ...]) -> None:
    outputs, expected = run(cut_decoder(tiny_posenet(order=order))), run(tiny_posenet(decoder=""))
    assert list(outputs) == list(OUTPUTS)
    for name, output in outputs.items():
        same = expected[f"net/{name}"]
        assert np.array_equal(output.data, same.data)
        assert (output.scale, output.zero_point) == (same.scale, same.zero_point)
        assert len(np.unique(output.data)) > 10


@pytest.mark.parametrize("edge_tpu", [False, True])
def test_the_file_stays_as_it_was_but_for_what_was_cut(edge_tpu: bool) -> None:
    content = tiny_posenet(edge_tpu=edge_tpu)
    cut = cut_decoder(content)
    changed = [at for at, (before, after) in enumerate(zip(content, cut, strict=False)) if before != after]
    words = {at // 4 for at in changed}
    assert len(words) == 6, "operators, signatures, outputs, and a name for each of the three"
    assert 0 < len(cut) - len(content) < 100
    assert outline(cut).edge_tpu is edge_tpu
    assert outline(cut).outputs == OUTPUTS
    assert outline(cut).input_size == INPUT_SIZE


def test_a_model_without_decoder_is_left_alone() -> None:
    content = tiny_posenet(decoder="")
    assert cut_decoder(content) is content
    cut = cut_decoder(tiny_posenet())
    assert cut_decoder(cut) is cut
    other = tiny_posenet(decoder="TFLite_Detection_PostProcess")
    assert cut_decoder(other) is other


def test_a_decoder_that_takes_something_else_is_refused() -> None:
    with pytest.raises(ModelError, match=r"its decoder takes net/heatmaps .*17\], net/mid_offsets .*64\];.* is needed"):
        cut_decoder(tiny_posenet(order=(17, 64)))
    with pytest.raises(ModelError, match="its decoder takes net/heatmaps"):
        cut_decoder(tiny_posenet(order=(17, 17, 34, 64)))


def test_a_decoder_in_the_middle_is_refused() -> None:
    # To the file, the network's operator is a decoder now as well.
    content = tiny_posenet(edge_tpu=True).replace(b"edgetpu-custom-op", b"PosenetDecoderOp\0")
    length = content.index(b"PosenetDecoderOp\0") - 4
    content = content[:length] + struct.pack("<I", len("PosenetDecoderOp")) + content[length + 4 :]
    with pytest.raises(ModelError, match="its decoder is not its last operator"):
        cut_decoder(content)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_a_file_of_another_kind_is_refused(content: bytes) -> None:
    for function in (cut_decoder, outline):
        with pytest.raises(ModelError, match="not a TFLite model"):
            function(content)


def test_what_a_model_of_another_kind_takes_is_told() -> None:
    content = tiny_posenet(decoder="").replace(struct.pack("<4i", 1, *INPUT_SIZE, 3), struct.pack("<4i", 1, 1, 1, 9))
    with pytest.raises(ModelError, match=r"does not take one picture .* but \[\[1, 1, 1, 9\]\]"):
        outline(content)


def damaged(content: bytes, *, flips: int) -> Iterator[bytes]:
    """With random bytes, and truncated."""
    rng = random.Random(0)
    for _ in range(flips):
        edited = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            edited[rng.randrange(8, len(edited))] = rng.randrange(256)
        yield bytes(edited)
    yield from (content[:length] for length in range(0, len(content), max(1, len(content) // 1000)))


def check_survives(content: bytes) -> bool:
    """Whether the file was taken for a whole one. Any exception but ModelError fails the test."""
    try:
        outline(cut_decoder(content))
    except ModelError:
        return False
    return True


@pytest.mark.parametrize("edge_tpu", [False, True])
def test_hostile_files_are_refused_in_good_order(edge_tpu: bool) -> None:
    content = tiny_posenet(edge_tpu=edge_tpu)
    whole = [check_survives(edited) for edited in damaged(content, flips=2000)]
    whole += [
        check_survives(content[:at] + struct.pack("<I", number) + content[at + 4 :])
        for at in range(0, len(content) - 3, 4)
        for number in (0, 1, at, len(content), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    ]
    assert 0 < sum(whole) < len(whole), "damage to weights cannot be seen, and the rest can"


@pytest.mark.parametrize("name", CORAL)
def test_hostile_files_made_from_real_ones(coral: Path, name: str) -> None:
    content = (coral / name).read_bytes()
    assert check_survives(content)
    for edited in damaged(content, flips=100):
        if len(edited) < len(content):
            assert not check_survives(edited)
        else:
            check_survives(edited)


@pytest.mark.parametrize("name", CORAL)
def test_corals_models(coral: Path, name: str) -> None:
    content = (coral / name).read_bytes()
    cut = cut_decoder(content)
    assert len(cut) - len(content) < 100
    described = outline(cut)
    assert described.edge_tpu == name.endswith("_edgetpu.tflite")
    rows, columns = ((size - 1) // 16 + 1 for size in described.input_size)
    grid = (rows, columns)
    assert described.outputs == {"heatmaps": (*grid, 17), "short_offsets": (*grid, 34), "mid_offsets": (*grid, 64)}
    if not described.edge_tpu:
        cpu = CpuRuntime(cut, label=name, input_size=described.input_size, threads=1)
        assert cpu.output_shapes == described.outputs
        cpu.invoke()
        for number, output in enumerate(cpu.outputs().values()):
            assert output.data.dtype == np.uint8
            assert output.scale == pytest.approx((0.0470588, 0.3921569, 1.3875765)[number])
