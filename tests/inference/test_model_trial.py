"""Run a model once in another process, which may crash."""

from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.inference.model_trial import check_model
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue
from tests.support.tiny_posenet import tiny_posenet


def checked_and_loaded(model: catalogue.ModelFile) -> CpuRuntime:
    check_model(model.path)
    return CpuRuntime(model.content, label=str(model.path), input_size=(353, 481), threads=1)


@pytest.mark.parametrize("kept", [8, 1000, 0.5, 0.99])
def test_a_truncated_file_is_an_error_and_not_a_crash(tmp_path: Path, kept: float) -> None:
    """Check it first, then load it, as the daemon does: tflite-runtime would crash in this process."""
    content = catalogue.read("posenet").content
    path = tmp_path / "mine.tflite"
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    with pytest.raises(ModelError) as raised:
        checked_and_loaded(catalogue.read(str(path)))
    assert raised.value.key == "model.name"
    assert "mine.tflite" in raised.value.problem


def test_a_complete_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(catalogue.read("posenet").content + b"\0")
    assert check_model(path)


def test_a_model_that_runs_for_too_long_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(catalogue.read("posenet").content)
    with pytest.raises(ModelError) as raised:
        check_model(path, label="mine", limit_s=0.01)
    assert raised.value.problem.startswith("mine is damaged")


@pytest.mark.parametrize(
    ("edge_tpu", "problem"), [(False, "the decoder that it ends in"), (True, "compiled for a Coral Edge TPU")]
)
def test_the_error_gives_the_real_reason_and_not_the_input_size(
    tmp_path: Path, *, edge_tpu: bool, problem: str
) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(tiny_posenet(edge_tpu=edge_tpu))
    with pytest.raises(ModelError) as raised:
        checked_and_loaded(catalogue.read(str(path)))
    assert raised.value.key == "model.name"
    assert problem in raised.value.problem
