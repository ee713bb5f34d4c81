"""Python, the packages that have to fit each other, and the models."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from edge.doctor.machine import Finding, Level, Run
from edge.errors import EdgeError
from edge.models import listing

OLDEST_PYTHON = (3, 11)
APT = "dist-packages"  # where apt puts packages, and pip does not
# Imported elsewhere, since what does not fit may crash. -P: nothing that lies in the current folder by chance.
CHILD = (sys.executable, "-P", "-c")

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


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Finding("Python", "problem", f"{shown} is too old", f"use {oldest} or newer: Debian 12 has it")
    return Finding("Python", "ok", f"{shown} in {sys.prefix}")


def numpy(run: Run, *, picamera2: bool) -> list[Finding]:
    """numpy, and whether simplejpeg, which picamera2 needs, was compiled for it."""
    ran = run([*CHILD, _NUMPY])
    if ran.code is None:  # too slow, which a busy machine may be
        return [Finding("numpy", "unknown", ran.last_words)]
    numpy_file, simplejpeg_file, version = ([*ran.out.splitlines(), "", "", ""])[:3]
    if not version:
        return [Finding("numpy", "problem", f"cannot be imported: {ran.last_words}", "install edge-pose again")]
    found = [Finding("numpy", "ok", f"{version}, {_origin(numpy_file)}")]
    if not simplejpeg_file:
        return found
    if ran.code == 0:
        return [*found, Finding("simplejpeg", "ok", f"fits numpy, {_origin(simplejpeg_file)}")]
    level: Level = "problem" if picamera2 else "warning"
    text = f"was not compiled for numpy {version}, so that picamera2 cannot be imported: {ran.last_words}"
    return [*found, Finding("simplejpeg", level, text, _fit(numpy_file, simplejpeg_file))]


def _fit(numpy_file: str, simplejpeg_file: str) -> str:
    """How to get a pair that fits: those of apt do, so what hides one of them has to go."""
    match APT in numpy_file, APT in simplejpeg_file:
        case True, True:
            return "sudo apt install --reinstall python3-numpy python3-simplejpeg"
        case True, False:
            return f"sudo {pip()} uninstall simplejpeg: then apt's counts, which fits"
        case False, True:
            # The newest ml_dtypes, which LiteRT brings along, wants another numpy than Debian 12 has.
            return (
                f"sudo {pip()} uninstall numpy && sudo {pip()} install 'ml_dtypes<0.6': then apt's counts, which fits"
            )
        case _:
            return f"sudo {pip()} install --upgrade simplejpeg"


def runtime(run: Run) -> Finding:
    """LiteRT or tflite-runtime; the text is its name and version if it is ok."""
    ran = run([*CHILD, _RUNTIME, str(Path(listing.__file__).parents[2])])
    if ran.code is None:
        return Finding("runtime", "unknown", ran.last_words)
    if ran.code == 0:
        return Finding("runtime", "ok", ran.out.strip())
    text = f"no runtime for models can be imported: {ran.last_words}"
    return Finding("runtime", "problem", text, "install edge-pose again")


def pycoral(spec: ModuleSpec | None = None) -> Finding:
    """Google's pycoral is not on PyPI; what has its name there is a tool for maps of coral reefs."""
    spec = spec or find_spec("pycoral")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return Finding("pycoral", "ok", "not installed, and not needed")
    if any((Path(place) / "utils/edgetpu.py").exists() for place in places):
        return Finding("pycoral", "ok", f"Google's, {_origin(places[0])}")
    text = f"{places[0]} is not Google's but another package of that name, from PyPI"
    return Finding("pycoral", "warning", text, f"sudo {pip()} uninstall pycoral; edge-pose does without it")


def models() -> list[Finding]:
    """Whether the files of all catalogues are whole."""
    try:
        models = [model for model in listing.list_models() if model.folder]
    except EdgeError as exc:
        return [Finding("models", "problem", f"{exc.key}: {exc.problem}", exc.remedy)]
    damaged = [
        Finding("models", "problem", model.problem.problem, model.problem.remedy) for model in models if model.problem
    ]
    return damaged or [Finding("models", "ok", f"{', '.join(model.name for model in models)}: undamaged")]


def pip() -> str:
    """The pip of the environment that this runs in."""
    return f"{sys.prefix}/bin/pip" if sys.prefix != sys.base_prefix else "pip"


def _origin(file: str) -> str:
    if APT in file:
        return "from apt"
    return "from pip" if file.startswith(sys.prefix) else f"from {file}"
