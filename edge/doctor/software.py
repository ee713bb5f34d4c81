"""Python, the packages whose versions must match, and the model files."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from edge.doctor.command import CHECKOUT, PYTHON, Run
from edge.doctor.result import Level, Result, from_error
from edge.errors import EdgeError
from edge.models import listing

OLDEST_PYTHON = (3, 11)
APT = "dist-packages"  # the folder of apt's packages; pip uses site-packages

_NUMPY = """
import importlib.util
for name in ("numpy", "simplejpeg"):
    spec = importlib.util.find_spec(name)
    print(spec.origin if spec else "", flush=True)
import numpy
print(numpy.__version__, flush=True)
if spec:
    import simplejpeg
"""
_RUNTIME = """
import sys
sys.path.append(sys.argv[1])
from edge.inference import tflite
print(tflite.installed())
"""


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Result:
    """Whether this Python is new enough."""
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Result("Python", "problem", f"{shown} is too old", f"use {oldest} or newer, which Debian 12 has")
    return Result("Python", "ok", f"{shown} in {sys.prefix}")


def numpy(run: Run, *, picamera2: bool) -> list[Result]:
    """Which numpy is used, and whether simplejpeg, which picamera2 needs, was compiled for it."""
    ran = run([*PYTHON, _NUMPY])
    if ran.code is None:  # too slow, perhaps because the machine is busy
        return [Result("numpy", "unknown", ran.reason)]
    numpy_file, simplejpeg_file, version = ([*ran.out.splitlines(), "", "", ""])[:3]
    if not version:
        return [Result("numpy", "problem", f"cannot be imported: {ran.reason}", "install edge-pose again")]
    results = [Result("numpy", "ok", f"{version}, {_origin(numpy_file)}")]
    if not simplejpeg_file:
        return results
    if ran.code == 0:
        return [*results, Result("simplejpeg", "ok", f"fits numpy, {_origin(simplejpeg_file)}")]
    level: Level = "problem" if picamera2 else "warning"
    text = f"was not compiled for numpy {version}, so picamera2 cannot be imported: {ran.reason}"
    return [*results, Result("simplejpeg", level, text, _fit(numpy_file, simplejpeg_file))]


def _fit(numpy_file: str, simplejpeg_file: str) -> str:
    """How to get a matching pair. Apt's two packages match, so remove the pip package that hides one of them."""
    match APT in numpy_file, APT in simplejpeg_file:
        case True, True:
            return "sudo apt install --reinstall python3-numpy python3-simplejpeg"
        case True, False:
            return f"sudo {pip()} uninstall simplejpeg, so that apt's is used"
        case False, True:
            # LiteRT installs ml_dtypes, whose newest version needs a newer numpy than Debian 12 has.
            return f"sudo {pip()} uninstall numpy && sudo {pip()} install 'ml_dtypes<0.6', so that apt's numpy is used"
        case _:
            return f"sudo {pip()} install --upgrade simplejpeg"


def runtime(run: Run) -> Result:
    """LiteRT or tflite-runtime. The text is its name and version if it can be imported."""
    ran = run([*PYTHON, _RUNTIME, CHECKOUT])
    if ran.code is None:
        return Result("runtime", "unknown", ran.reason)
    if ran.code == 0:
        return Result("runtime", "ok", ran.out.strip())
    text = f"no TFLite runtime can be imported: {ran.reason}"
    return Result("runtime", "problem", text, "install edge-pose again")


def pycoral(spec: ModuleSpec | None = None) -> Result:
    """Whether an installed pycoral is Google's, which is not on PyPI; PyPI's package of that name is unrelated."""
    spec = spec or find_spec("pycoral")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return Result("pycoral", "ok", "not installed, and not needed")
    if any((Path(place) / "utils/edgetpu.py").exists() for place in places):
        return Result("pycoral", "ok", f"Google's, {_origin(places[0])}")
    text = f"{places[0]} is not Google's, but another package of that name from PyPI"
    return Result("pycoral", "warning", text, f"sudo {pip()} uninstall pycoral: edge-pose does not need it")


def models() -> list[Result]:
    """Whether all model files are undamaged."""
    try:
        installed = [model for model in listing.list_models() if model.folder]
    except EdgeError as exc:
        return [from_error("models", exc)]
    damaged = [
        Result("models", "problem", model.problem.problem, model.problem.remedy) for model in installed if model.problem
    ]
    return damaged or [Result("models", "ok", f"{', '.join(model.name for model in installed)}: undamaged")]


def pip() -> str:
    """The pip of this environment, as a command."""
    return f"{sys.prefix}/bin/pip" if sys.prefix != sys.base_prefix else "pip"


def _origin(file: str) -> str:
    if APT in file:
        return "from apt"
    return "from pip" if file.startswith(sys.prefix) else f"from {file}"
