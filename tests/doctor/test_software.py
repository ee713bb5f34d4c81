"""Python, numpy, the runtime, and the model files."""

import shutil
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from edge.doctor import software
from edge.doctor.command import run
from edge.doctor.result import Result
from edge.models import folders
from tests.support.commands import Commands

ABI = "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility. Expected 96')"


def packages(monkeypatch: pytest.MonkeyPatch, folder: Path, **sources: str) -> None:
    """Put packages into a folder that comes first on the path of every new Python process."""
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_an_old_python_is_a_problem() -> None:
    assert software.python().level == "ok"
    assert software.python((3, 9, 2)).level == "problem"


def test_a_broken_numpy_is_a_problem_and_a_slow_one_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415 - the version that the other process should find

    found = software.numpy(run, picamera2=True)
    assert found[0].level == "ok"
    assert np.__version__ in found[0].text
    packages(monkeypatch, tmp_path, numpy="raise ImportError('libopenblas.so.0: cannot open')")
    (broken,) = software.numpy(run, picamera2=True)
    assert broken.level == "problem"
    assert "libopenblas" in broken.text
    slow = Commands()  # does not answer
    assert software.numpy(slow, picamera2=True)[0].level == software.runtime(slow).level == "unknown"


def test_a_matching_simplejpeg_is_ok(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages(monkeypatch, tmp_path / "dist-packages", simplejpeg="")
    assert [one.level for one in software.numpy(run, picamera2=True)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("folder", "fix"), [("dist-packages", "pip uninstall numpy"), ("site-packages", "pip install --upgrade simplejpeg")]
)
def test_a_simplejpeg_for_another_numpy_is_a_problem_with_a_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, fix: str
) -> None:
    packages(monkeypatch, tmp_path / folder, simplejpeg=ABI)
    _, found = software.numpy(run, picamera2=True)
    assert found.level == "problem"
    assert "numpy.dtype size changed" in found.text
    assert fix in found.fix
    assert software.numpy(run, picamera2=False)[1].level == "warning"  # the camera is not a Pi camera


def test_the_fix_for_pips_simplejpeg_beside_apts_numpy_is_to_uninstall_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packages(monkeypatch, tmp_path / "dist-packages", numpy="__version__ = '1.24.2'")
    packages(monkeypatch, tmp_path / "site-packages", simplejpeg=ABI)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/site-packages:{tmp_path}/dist-packages")
    (_, found) = software.numpy(run, picamera2=True)
    assert "pip uninstall simplejpeg" in found.fix
    assert "numpy 1.24.2" in found.text


def test_a_missing_runtime_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge.inference.tflite import installed  # noqa: PLC0415 - imports the runtime

    assert software.runtime(run) == Result("runtime", "ok", installed())
    packages(monkeypatch, tmp_path, ai_edge_litert="raise ImportError", tflite_runtime="raise ImportError")
    found = software.runtime(run)
    assert found.level == "problem"
    assert "no TFLite runtime" in found.text


def test_the_pycoral_of_pypi_is_an_unrelated_package(tmp_path: Path) -> None:
    package = tmp_path / "pycoral"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "pycoral.py").touch()
    spec = PathFinder.find_spec("pycoral", [str(tmp_path)])
    found = software.pycoral(spec)
    assert found.level == "warning"
    assert "uninstall pycoral" in found.fix
    (package / "utils").mkdir()
    (package / "utils/edgetpu.py").touch()
    assert software.pycoral(spec).level == "ok"
    assert software.pycoral().level == "ok"  # none is installed here


def test_damaged_models_are_problems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "_SYSTEM", tmp_path / "none")
    assert [one.level for one in software.models()] == ["ok"]
    shipped = folders.shipped()
    own = tmp_path / "edge-pose/models"
    shutil.copytree(shipped, own)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with (own / "posenet_mobilenet_v1_075_int8.tflite").open("r+b") as file:
        file.truncate(1000)
    (found,) = software.models()
    assert found.level == "problem"
    assert str(own) in found.text
    assert found.fix
