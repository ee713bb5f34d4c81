"""Models and the Edge TPU are tried in another process, which tells what is wrong or dies of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import AcceleratorError, ModelError
from edge.inference import edgetpu_worker
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue
from edge.models.strip_decoder import strip_decoder
from tests.support import ROOT
from tests.support.delegate import StandIn
from tests.support.tiny_posenet import tiny_posenet

COMPILED = strip_decoder(tiny_posenet(edge_tpu=True))


def checked_and_loaded(model: catalogue.ModelFile) -> CpuRuntime:
    edgetpu_worker.check_model(model.path)
    return CpuRuntime(model.content, label=str(model.path), input_size=(353, 481), threads=1)


@pytest.mark.parametrize("kept", [8, 1000, 0.5, 0.99])
def test_a_truncated_file_is_an_error_and_not_a_crash(tmp_path: Path, kept: float) -> None:
    """Through the way that every file takes: tflite-runtime would die of it in this process."""
    content = catalogue.read("posenet").content
    path = tmp_path / "mine.tflite"
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    model = catalogue.read(str(path))
    with pytest.raises(ModelError, match=r"model\.name: .*mine\.tflite (is damaged|cannot be loaded)"):
        checked_and_loaded(model)


def test_a_whole_file_survives_the_check(tmp_path: Path) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(catalogue.read("posenet").content + b"\0")
    edgetpu_worker.check_model(path)


def test_what_is_wrong_with_a_model_is_told(tmp_path: Path) -> None:
    """Where the size is not to blame, the reason is told and not the size."""
    for content, reason in ((tiny_posenet(), "models import .*mine"), (tiny_posenet(edge_tpu=True), "Coral Edge TPU")):
        path = tmp_path / "mine.tflite"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=rf"^model\.name: .*mine\.tflite .*{reason}"):
            checked_and_loaded(catalogue.read(str(path)))


CHECKS = [
    ("load crash", r"crashed when it was tried \(SIGSEGV\)"),
    ("prepare crash", r"crashed when it was tried \(SIGSEGV\)"),
    ("1 crash", r"crashed when it was tried \(SIGSEGV\)"),
    ("destroy crash", r"crashed when it was tried \(SIGSEGV\)"),
    ("load exit", r"crashed when it was tried \(exit code 3\)"),
    ("load leave", r"crashed when it was tried \(exit code 0\)"),
    ("destroy leave", r"crashed when it was tried \(exit code 0\)"),
    ("load fail", r"opened no Edge TPU \(stand-in: no device\)"),
    ("1 fail", "failed while it computed"),
    ("1 hang", "did not answer for 2 s"),
    ("load hang", "did not answer for 2 s"),
    ("destroy hang", "did not answer for 2 s"),
]


@pytest.mark.parametrize(("plan", "words"), CHECKS, ids=[plan for plan, _ in CHECKS])
def test_the_check_survives_everything(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, plan: str, words: str
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(COMPILED)
    edgetpu_worker.check_edge_tpu(path, "", str(standin.library))
    monkeypatch.setattr(edgetpu_worker, "EDGE_TPU_CHECK_S", 2 if "hang" in plan else 60)
    standin.will(plan)
    with pytest.raises(AcceleratorError, match=words):
        edgetpu_worker.check_edge_tpu(path, "", str(standin.library))


def test_what_a_library_writes_is_not_taken_for_ours(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(COMPILED)
    babble = ("load babble", "prepare babble", "destroy babble")
    standin.will(*babble)
    edgetpu_worker.check_edge_tpu(path, "", str(standin.library))
    standin.will(*babble, "1 fail")
    with pytest.raises(AcceleratorError, match=r"^the Edge TPU failed while it computed"):
        edgetpu_worker.check_edge_tpu(path, "", str(standin.library))


def test_a_check_whose_parent_is_gone_leaves_the_device_alone(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(COMPILED)
    command = [sys.executable, "-m", "edge.inference.edgetpu_worker", str(path), "", str(standin.library)]
    for parent, checked in ((os.getppid(), False), (os.getpid(), True)):
        done = subprocess.run([*command, str(parent)], cwd=ROOT, check=False)
        assert (done.returncode == 0, bool(standin.diary)) == (checked, checked)
