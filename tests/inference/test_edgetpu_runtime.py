"""EdgeTpuRuntime with a stand-in for libedgetpu, on whichever runtime is installed."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from edge.errors import AcceleratorError, ModelError
from edge.inference import edgetpu, tflite
from edge.inference.tflite import CpuRuntime, EdgeTpuRuntime
from edge.models import catalogue
from edge.models.strip_decoder import strip_decoder
from tests.support.delegate import StandIn
from tests.support.tiny_posenet import INPUT_SIZE, OUTPUTS, tiny_posenet

COMPILED = strip_decoder(tiny_posenet(edge_tpu=True))


def opened(library: Path | str, model: bytes = COMPILED, device: str = "") -> EdgeTpuRuntime:
    return EdgeTpuRuntime(model, label="mine", device=device, library=str(library), threads=1)


def test_a_model_that_is_compiled_for_it_runs(standin: StandIn) -> None:
    tpu = opened(standin.library, device="usb:1")
    assert (tpu.backend, tpu.input_size) == ("edgetpu", INPUT_SIZE)
    assert tpu.name.endswith(" with standin.so")
    tpu.input()[:] = 200
    tpu.invoke()
    assert tpu.output_shapes == OUTPUTS
    assert {name: tensor.data.shape for name, tensor in tpu.outputs().items()} == OUTPUTS
    assert standin.diary[0].endswith(" load device=usb:1")
    tpu.close()
    tpu.close()
    assert standin.diary[1].endswith(" destroy")


def test_it_computes_what_the_cpu_computes(standin: StandIn) -> None:
    model = catalogue.read("posenet").content
    cpu, tpu = CpuRuntime(model, label="", input_size=(353, 481), threads=1), opened(standin.library, model)
    picture = np.random.default_rng(0).integers(0, 256, (353, 481, 3), np.uint8)
    for one in (cpu, tpu):
        one.input()[:] = picture
        one.invoke()
    for name, tensor in cpu.outputs().items():
        assert np.array_equal(tensor.data, tpu.outputs()[name].data)


@pytest.mark.parametrize(
    ("plan", "words"),
    [("load fail", "opened no Edge TPU (stand-in: no device)"), ("prepare fail", "is too old for mine")],
)
def test_what_it_says_when_it_cannot_be_opened(standin: StandIn, plan: str, words: str) -> None:
    standin.will(plan)
    with pytest.raises(AcceleratorError) as raised:
        opened(standin.library)
    assert words in str(raised.value)
    standin.will()
    opened(standin.library).invoke()


def test_an_invoke_that_fails_is_told_and_the_device_can_be_let_go(standin: StandIn) -> None:
    standin.will("3 fail")
    tpu = opened(standin.library)
    tpu.invoke()
    tpu.invoke()
    with pytest.raises(
        AcceleratorError, match=r"failed while it computed \(stand-in: transfer 3 failed\); check"
    ) as raised:
        tpu.invoke()
    tpu.close()
    assert standin.diary[-1].endswith(" destroy"), "although the error is still here"
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("library", ["libnothing.so.1", "libm.so.6", __file__])
def test_libraries_that_are_none(library: str) -> None:
    with pytest.raises(AcceleratorError, match=rf"^{library} cannot be loaded .*; see inference\.library"):
        opened(library)
    with pytest.raises(AcceleratorError, match="install a libedgetpu1-std of the runtime's age"):
        raise AcceleratorError(edgetpu.missing(edgetpu.LIBRARY, ""))


def test_models_that_are_none(standin: StandIn) -> None:
    with pytest.raises(ModelError, match="models import mine"):
        opened(standin.library, tiny_posenet(edge_tpu=True))
    assert str(tflite.refusal("PosenetDecoderOp", "/my model", {})).endswith("edge-pose models import '/my model'")


def test_other_threads_go_on_while_it_is_opened(standin: StandIn) -> None:
    standin.will("load slow")
    ended = threading.Event()
    turns = []

    def count() -> None:
        while not ended.wait(0.01):
            turns.append(1)

    counting = threading.Thread(target=count)
    counting.start()
    before = len(turns)
    opened(standin.library)
    ended.set()
    counting.join()
    assert len(turns) > before + 20


@pytest.mark.parametrize("right", [True, False])
def test_pycoral_is_used_if_it_is_the_right_one(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, right: bool
) -> None:
    """PyPI's has another subject, and no `utils.edgetpu`."""
    package = tmp_path / "pycoral/utils"
    package.mkdir(parents=True)
    for file in (package.parent / "__init__.py", package / "__init__.py"):
        file.touch()
    _, installed = tflite.import_package()
    if right:
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
    assert (tpu.name == "pycoral") == right
    # What an earlier test left to the garbage collector may be let go of in between.
    (loaded,) = [line for line in standin.diary if " load" in line]
    assert loaded.endswith(" load device=pci:0")
