from pathlib import Path

import numpy as np
import pytest

from edge.decode.posenet_outputs import find_outputs
from edge.errors import ModelError
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue
from edge.models.strip_decoder import strip_decoder
from edge.types import Array
from tests.support.tiny_posenet import INPUT_SIZE, tiny_posenet

MODELS = ["posenet", "posenet-float16"]


def load(name: str, input_size: tuple[int, int] = (353, 481), threads: int = 1) -> CpuRuntime:
    return CpuRuntime(catalogue.read(name).content, label=name, input_size=input_size, threads=threads)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("input_size", [(353, 481), (257, 257), (481, 641), (33, 49)])
def test_one_file_takes_any_input_size(name: str, input_size: tuple[int, int]) -> None:
    cpu = load(name, input_size)
    assert cpu.input().shape == (*input_size, 3)
    cpu.input()[:] = 128
    cpu.invoke()
    names = find_outputs(cpu.output_shapes, input_size)
    assert names.stride == 16
    outputs = cpu.outputs()
    assert outputs[names.heatmaps].data.shape == cpu.output_shapes[names.heatmaps]
    assert {name: tensor.data.shape for name, tensor in outputs.items()} == cpu.output_shapes


def test_quantised_outputs_stay_quantised() -> None:
    cpu = load("posenet")
    cpu.invoke()
    tensor = cpu.outputs()["heatmaps"]
    assert tensor.data.dtype == np.int8
    assert 0 < tensor.scale < 1
    assert tensor.real(tensor.data).dtype == np.float32


def test_outputs_outlive_the_next_invoke() -> None:
    cpu = load("posenet", (257, 257))
    rng = np.random.default_rng(0)
    cpu.input()[:] = rng.integers(0, 256, (257, 257, 3), np.uint8)
    cpu.invoke()
    kept = cpu.outputs()["heatmaps"].data
    before = kept.copy()
    cpu.input()[:] = 0
    cpu.invoke()
    assert np.array_equal(kept, before)
    assert not np.array_equal(cpu.outputs()["heatmaps"].data, before)


def test_threads_do_not_change_the_result() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (353, 481, 3), np.uint8)
    seen: list[Array] = []
    for threads in (1, 2):
        cpu = load("posenet", threads=threads)
        cpu.input()[:] = picture
        cpu.invoke()
        seen.append(cpu.outputs()["heatmaps"].data)
    assert np.array_equal(seen[0], seen[1])


def test_a_model_of_one_size_names_it() -> None:
    content = strip_decoder(tiny_posenet(fixed=True))
    assert CpuRuntime(content, label="mine", input_size=INPUT_SIZE, threads=1).input_size == INPUT_SIZE
    with pytest.raises(ModelError) as raised:
        CpuRuntime(content, label="mine", input_size=(353, 481), threads=1)
    assert (raised.value.key, raised.value.remedy) == ("model.input_size", "set input_size = [33, 49]")
    assert CpuRuntime(strip_decoder(tiny_posenet()), label="mine", input_size=(65, 65), threads=1).input_size == (
        65,
        65,
    )


def test_models_of_other_kinds_are_refused(coral: Path) -> None:
    """One ends in an operator that the runtime lacks, the other is no PoseNet."""
    decoder = (coral / "posenet_mobilenet_v1_075_353_481_quant_decoder.tflite").read_bytes()
    with pytest.raises(ModelError) as raised:
        CpuRuntime(decoder, label="coral", input_size=(353, 481), threads=1)
    assert raised.value.key == "model.name"
    assert "models import" in raised.value.remedy
    movenet = (coral / "movenet_single_pose_lightning_ptq.tflite").read_bytes()
    with pytest.raises(ModelError) as raised:
        CpuRuntime(movenet, label="movenet", input_size=(353, 481), threads=1)
    assert (raised.value.key, raised.value.remedy) == ("model.input_size", "set input_size = [192, 192]")
    cpu = CpuRuntime(movenet, label="movenet", input_size=(192, 192), threads=1)
    with pytest.raises(ModelError) as raised:
        find_outputs(cpu.output_shapes, cpu.input_size)
    assert "[1, 17, 3]" in raised.value.problem
