"""EdgeTpuInterpreter with a stand-in for libedgetpu, in this process, with whichever runtime is installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from edge.errors import AcceleratorError, ModelError, ReasonCode
from edge.inference import edgetpu, tflite
from edge.inference.tflite import CpuRuntime, EdgeTpuInterpreter
from edge.models import catalogue
from edge.models.strip_decoder import strip_decoder
from tests.support.delegate import StandIn
from tests.support.tiny_posenet import INPUT_SIZE, OUTPUTS, tiny_posenet

COMPILED = strip_decoder(tiny_posenet(edge_tpu=True))


def opened(library: Path | str, model: bytes = COMPILED, device: str = "") -> EdgeTpuInterpreter:
    return EdgeTpuInterpreter(model, label="mine", device=device, library=str(library), threads=1)


def test_a_compiled_model_runs(standin: StandIn) -> None:
    tpu = opened(standin.library, device="usb:1")
    assert (tpu.backend, tpu.input_size) == ("edgetpu", INPUT_SIZE)
    assert tpu.name.endswith(" with standin.so")
    tpu.input()[:] = 200
    tpu.invoke()
    assert tpu.output_shapes == OUTPUTS
    assert {name: tensor.data.shape for name, tensor in tpu.outputs().items()} == OUTPUTS
    assert standin.loads[0].endswith(" load device=usb:1")
    tpu.close()
    tpu.close()
    assert standin.diary[-1].endswith(" destroy")


def test_the_edge_tpu_computes_the_same_as_the_cpu(standin: StandIn) -> None:
    model = catalogue.read("posenet").content
    cpu, tpu = CpuRuntime(model, label="", input_size=(353, 481), threads=1), opened(standin.library, model)
    picture = np.random.default_rng(0).integers(0, 256, (353, 481, 3), np.uint8)
    for one in (cpu, tpu):
        one.input()[:] = picture
        one.invoke()
    for name, tensor in cpu.outputs().items():
        assert np.array_equal(tensor.data, tpu.outputs()[name].data)


@pytest.mark.parametrize(
    ("plan", "code", "words"),
    [
        ("load fail", ReasonCode.REFUSED, "opened no device (stand-in: no device)"),
        ("prepare fail", ReasonCode.INCOMPATIBLE, "is too old for mine"),
    ],
)
def test_an_error_at_loading_has_the_reason_of_the_library(
    standin: StandIn, plan: str, code: ReasonCode, words: str
) -> None:
    standin.will(plan)
    with pytest.raises(AcceleratorError) as raised:
        opened(standin.library)
    assert raised.value.code is code
    assert words in raised.value.problem
    standin.will()
    opened(standin.library).invoke()


def test_an_invoke_that_fails_is_an_accelerator_error(standin: StandIn) -> None:
    standin.will("3 fail")
    tpu = opened(standin.library)
    tpu.invoke()
    tpu.invoke()
    with pytest.raises(AcceleratorError) as raised:
        tpu.invoke()
    assert raised.value.code is ReasonCode.FAILED
    assert "stand-in: transfer 3 failed" in raised.value.problem


def test_the_remedy_for_a_model_with_a_decoder_is_to_import_it(standin: StandIn) -> None:
    with pytest.raises(ModelError) as raised:
        opened(standin.library, tiny_posenet(edge_tpu=True))
    assert "models import mine" in raised.value.remedy
    assert tflite.refusal("PosenetDecoderOp", "/my model", {}).remedy.endswith("edge-pose models import '/my model'")


@pytest.mark.parametrize("from_google", [True, False])
def test_googles_pycoral_is_used_and_pypis_is_not(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, from_google: bool
) -> None:
    """PyPI's pycoral is another package, without `utils.edgetpu`."""
    package = tmp_path / "pycoral/utils"
    package.mkdir(parents=True)
    for file in (package.parent / "__init__.py", package / "__init__.py"):
        file.touch()
    _, installed = tflite.import_package()
    if from_google:
        (package / "edgetpu.py").write_text(
            f"from {installed.__name__} import Interpreter, load_delegate\n"
            "def make_interpreter(model_path_or_content, device=None, delegate=None):\n"
            f"    delegates = [load_delegate({str(standin.library)!r}, {{'device': device or 'any'}})]\n"
            "    return Interpreter(model_content=model_path_or_content, experimental_delegates=delegates)\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(edgetpu, "LIBRARY", str(standin.library))
    try:
        tpu = opened(standin.library, device="pci:0")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "pycoral"]:
            del sys.modules[name]
    tpu.invoke()
    assert (tpu.name == "pycoral") == from_google
    (loaded,) = standin.loads
    assert loaded.endswith(" load device=pci:0")
