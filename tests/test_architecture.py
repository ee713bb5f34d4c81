"""What import-linter and ruff cannot see: names that are imported as text, and how long files and functions are."""

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

FILES = sorted((ROOT / "edge").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 60  # lines
LOOSE = {"__init__.py", "__main__.py", "errors.py", "geometry.py", "skeleton.py", "types.py"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT / "edge").as_posix()


def test_only_the_ground_floor_is_loose() -> None:
    assert {path.name for path in (ROOT / "edge").glob("*.py")} == LOOSE


def test_the_runtimes_are_named_in_one_file() -> None:
    """They are imported by name, which no import statement shows."""
    for name in ('"ai_edge_litert', '"tflite_runtime', '"pycoral.'):
        named = [relative(path) for path in FILES if name in path.read_text(encoding="utf-8")]
        assert named == ["inference/tflite.py"]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{relative(path)}: {node.name}"


def test_every_room_says_what_it_is_for() -> None:
    for folder in sorted(path for path in (ROOT / "edge").iterdir() if (path / "__init__.py").exists()):
        assert (folder / "__init__.py").read_text(encoding="utf-8").startswith('"""'), folder.name
