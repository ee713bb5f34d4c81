"""Who may import what: the direction of the house, read from the source itself."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "edge").rglob("*.py"))
STDLIB = set(sys.stdlib_module_names)

# A file or folder -> what it may import of ours, besides the standard library and what THIRD_PARTY allows.
OURS = {
    "types.py": set(),
    "errors.py": set(),
    "explain.py": set(),
    "skeleton.py": {"edge.types"},
    "filtering.py": {"edge.types", "edge.skeleton", "edge.errors"},
    "motion.py": {"edge.types"},
    "tracking.py": {"edge.types", "edge.skeleton", "edge.errors", "edge.motion"},
    "smoothing.py": {"edge.types", "edge.skeleton", "edge.errors", "edge.filtering"},
    "lookout.py": {"edge.types", "edge.skeleton", "edge.errors"},
    "crop.py": {"edge.types", "edge.skeleton", "edge.errors"},
    "decode": {"edge.types", "edge.skeleton", "edge.errors", "edge.decode"},
    "accelerator.py": {"edge.errors", "edge.inference", "edge.pipeline"},
    "failover.py": {"edge.accelerator", "edge.errors", "edge.inference", "edge.pipeline"},
    "networks.py": {
        "edge.config",
        "edge.decode",
        "edge.errors",
        "edge.accelerator",
        "edge.failover",
        "edge.inference",
        "edge.pipeline",
        "edge.types",
    },
    "systemd.py": set(),
    "importing.py": {"edge.decode", "edge.errors", "edge.inference"},
    "inference": {"edge.types", "edge.errors", "edge.inference"},
    "camera": {"edge.types", "edge.errors", "edge.config", "edge.camera", "edge.skeleton"},
}
# Foreign package -> the only files that may import it.
THIRD_PARTY = {
    "paho": {"mqtt/connection.py", "mqtt/broker.py", "mqtt/subscription.py"},
    "ai_edge_litert": {"inference/runtime.py"},
    "tflite_runtime": {"inference/runtime.py"},
    "pycoral": {"inference/runtime.py"},
    "av": {"camera/video.py", "camera/video_out.py"},  # read, written
    "picamera2": {"camera/picamera.py"},
    "libcamera": {"camera/picamera.py"},
    "iotcore": {"demo.py"},
    "pycocotools": {"coco.py"},
    "typer": {"cli.py"},
}
LIGHT = {
    "types.py": {"numpy"},
    "errors.py": set(),
    "skeleton.py": {"numpy"},
    "filtering.py": {"numpy"},
    "motion.py": {"numpy"},
    "tracking.py": {"numpy"},
    "smoothing.py": {"numpy"},
    "lookout.py": {"numpy"},
    "decode": {"numpy"},
    "inference/decoder_op.py": set(),
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"
    return names


def relative(path: Path) -> str:
    return path.relative_to(ROOT / "edge").as_posix()


def test_there_is_something_to_read() -> None:
    assert {relative(path) for path in FILES} >= {"types.py", "app.py", "camera/feed.py", "mqtt/broker.py"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_one_direction(path: Path) -> None:
    name = relative(path)
    allowed = OURS.get(name, OURS.get(name.split("/")[0]))
    ours = {module for module in imported(path) if module.split(".")[0] == "edge"}
    if allowed is not None:
        assert not {m for m in ours if not any(m == a or m.startswith(a + ".") for a in allowed)}
    if name not in ("cli.py", "annotate.py", "app.py"):
        assert "edge.app" not in ours


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_foreign_packages_stay_in_their_files(path: Path) -> None:
    name = relative(path)
    foreign = {module.split(".")[0] for module in imported(path)} - STDLIB - {"edge"}
    for package in foreign:
        assert name in THIRD_PARTY.get(package, {name}), f"{name} imports {package}"
    light = LIGHT.get(name, LIGHT.get(name.split("/")[0]))
    if light is not None:
        assert foreign <= light


def test_the_runtimes_are_named_in_one_file() -> None:
    """They are imported by name, which no import statement shows."""
    for name in ('"ai_edge_litert', '"tflite_runtime', '"pycoral.'):
        named = [relative(path) for path in FILES if name in path.read_text(encoding="utf-8")]
        assert named == ["inference/runtime.py"]
