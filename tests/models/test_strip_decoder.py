"""Strip the decoder of whole, damaged and hostile model files."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.inference.tflite import CpuRuntime
from edge.models.strip_decoder import outline, strip_decoder
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
def test_the_stripped_model_computes_the_same_outputs(order: tuple[int, ...]) -> None:
    outputs, expected = run(strip_decoder(tiny_posenet(order=order))), run(tiny_posenet(decoder=""))
    assert list(outputs) == list(OUTPUTS)
    for name, output in outputs.items():
        same = expected[f"net/{name}"]
        assert np.array_equal(output.data, same.data)
        assert (output.scale, output.zero_point) == (same.scale, same.zero_point)
        assert len(np.unique(output.data)) > 10


@pytest.mark.parametrize("edge_tpu", [False, True])
def test_all_other_bytes_stay_the_same(edge_tpu: bool) -> None:
    content = tiny_posenet(edge_tpu=edge_tpu)
    stripped = strip_decoder(content)
    changed = [at for at, (before, after) in enumerate(zip(content, stripped, strict=False)) if before != after]
    words = {at // 4 for at in changed}
    assert len(words) == 6, "operators, signatures, outputs, and three names"
    assert 0 < len(stripped) - len(content) < 100
    assert outline(stripped).edge_tpu is edge_tpu
    assert outline(stripped).outputs == OUTPUTS
    assert outline(stripped).input_size == INPUT_SIZE


def test_a_model_without_decoder_is_returned_unchanged() -> None:
    content = tiny_posenet(decoder="")
    assert strip_decoder(content) is content
    stripped = strip_decoder(tiny_posenet())
    assert strip_decoder(stripped) is stripped
    other = tiny_posenet(decoder="TFLite_Detection_PostProcess")
    assert strip_decoder(other) is other


@pytest.mark.parametrize("order", [(17, 64), (17, 17, 34, 64)])
def test_a_decoder_with_other_inputs_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as exc:
        strip_decoder(tiny_posenet(order=order))
    assert exc.value.problem.startswith("its decoder takes net/heatmaps [1, 3, 4, 17], ")


def test_a_decoder_in_the_middle_is_refused() -> None:
    # Rename the network's operator, so that it counts as a decoder as well.
    content = tiny_posenet(edge_tpu=True).replace(b"edgetpu-custom-op", b"PosenetDecoderOp\0")
    length = content.index(b"PosenetDecoderOp\0") - 4
    content = content[:length] + struct.pack("<I", len("PosenetDecoderOp")) + content[length + 4 :]
    with pytest.raises(ModelError) as exc:
        strip_decoder(content)
    assert exc.value.problem == "its decoder is not its last operator"


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_a_file_of_another_kind_is_refused(content: bytes) -> None:
    for function in (strip_decoder, outline):
        with pytest.raises(ModelError) as exc:
            function(content)
        assert exc.value.problem == "it is not a TFLite model"


def test_a_model_whose_input_is_not_a_picture_is_refused() -> None:
    content = tiny_posenet(decoder="").replace(struct.pack("<4i", 1, *INPUT_SIZE, 3), struct.pack("<4i", 1, 1, 1, 9))
    with pytest.raises(ModelError) as exc:
        outline(content)
    assert "[1, 1, 1, 9]" in exc.value.problem


def damaged(content: bytes, *, flips: int) -> Iterator[bytes]:
    """The file with random bytes changed, and truncated."""
    rng = random.Random(0)
    for _ in range(flips):
        edited = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            edited[rng.randrange(8, len(edited))] = rng.randrange(256)
        yield bytes(edited)
    yield from (content[:length] for length in range(0, len(content), max(1, len(content) // 1000)))


def is_accepted(content: bytes) -> bool:
    """Whether the file is accepted. Any exception but ModelError fails the test."""
    try:
        outline(strip_decoder(content))
    except ModelError:
        return False
    return True


@pytest.mark.parametrize("edge_tpu", [False, True])
def test_hostile_files_raise_model_errors(edge_tpu: bool) -> None:
    content = tiny_posenet(edge_tpu=edge_tpu)
    accepted = [is_accepted(edited) for edited in damaged(content, flips=2000)]
    accepted += [
        is_accepted(content[:at] + struct.pack("<I", number) + content[at + 4 :])
        for at in range(0, len(content) - 3, 4)
        for number in (0, 1, at, len(content), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    ]
    assert 0 < sum(accepted) < len(accepted), "only damage to weights goes unnoticed"


@pytest.mark.parametrize("name", CORAL)
def test_damaged_files_of_coral_raise_model_errors(coral: Path, name: str) -> None:
    content = (coral / name).read_bytes()
    assert is_accepted(content)
    for edited in damaged(content, flips=100):
        if len(edited) < len(content):
            assert not is_accepted(edited)
        else:
            is_accepted(edited)


@pytest.mark.parametrize("name", CORAL)
def test_corals_models_keep_their_outputs(coral: Path, name: str) -> None:
    content = (coral / name).read_bytes()
    stripped = strip_decoder(content)
    assert len(stripped) - len(content) < 100
    described = outline(stripped)
    assert described.edge_tpu == name.endswith("_edgetpu.tflite")
    rows, columns = ((size - 1) // 16 + 1 for size in described.input_size)
    grid = (rows, columns)
    assert described.outputs == {"heatmaps": (*grid, 17), "short_offsets": (*grid, 34), "mid_offsets": (*grid, 64)}
    if not described.edge_tpu:
        cpu = CpuRuntime(stripped, label=name, input_size=described.input_size, threads=1)
        assert cpu.output_shapes == described.outputs
        cpu.invoke()
        for number, output in enumerate(cpu.outputs().values()):
            assert output.data.dtype == np.uint8
            assert output.scale == pytest.approx((0.0470588, 0.3921569, 1.3875765)[number])
