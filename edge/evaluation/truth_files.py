"""Read truth files strictly: every error names the file, the key, the problem and the remedy."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from edge.config import Config, Line, Zone
from edge.config.checks import check
from edge.config.validation import explain
from edge.errors import ConfigError, UsageError

OPTION = "--truth"
VIDEOS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")
RECORDINGS = (".jsonl", ".jsonl.gz")
LONGEST = 100  # characters of a problem, which quotes the wrong value
Table = TypeVar("Table", bound=Struct)


def truth_error(file: Path, key: str, problem: str, remedy: str) -> UsageError:
    return UsageError(key, problem, remedy, origin=str(file))


def read_document(file: Path) -> dict[str, Any]:
    """A JSON or TOML file with a table at the top. Raises UsageError."""
    kind = "TOML" if file.suffix == ".toml" else "JSON"
    try:
        content = file.read_bytes()
        document = tomllib.loads(content.decode()) if kind == "TOML" else msgspec.json.decode(content)
    except OSError as exc:
        raise truth_error(file, "", f"cannot be read ({exc.strerror})", "make it readable") from exc
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise truth_error(file, "", f"is not {kind}: {exc}", "correct the file") from exc
    if not isinstance(document, dict):
        raise truth_error(file, "", "has no table at the top", "see docs/evaluate-events.md")
    return document


def converted(value: Any, table: type[Table], file: Path, key: str) -> Table:
    """`value`, which the file has at `key`, as a Struct. Raises UsageError."""
    try:
        return msgspec.convert(value, table)
    except msgspec.ValidationError as exc:
        if not isinstance(value, dict):
            raise truth_error(file, key, "is not a table", "see docs/evaluate-events.md") from exc
        below, problem, remedy = explain(exc, value, table)
        problem = problem if len(problem) <= LONGEST else f"{problem[:LONGEST]}..."
        raise truth_error(file, ".".join(filter(None, (key, below))), problem, remedy) from exc


def check_zones(zones: Sequence[Zone], lines: Sequence[Line], file: Path, key: str) -> None:
    """Check zones and lines like those of the configuration. Raises UsageError."""
    try:
        check(Config(zones=tuple(zones), lines=tuple(lines)))
    except ConfigError as exc:
        raise truth_error(file, ".".join(filter(None, (key, exc.key))), exc.problem, exc.remedy) from exc


def media_of(folder: Path, name: str, given: str | None, file: Path, key: str) -> Path:
    """The given file of a clip, or the video or recording with its name. Raises UsageError if there is none."""
    candidates = [folder / given] if given else [folder / f"{name}{suffix}" for suffix in (*VIDEOS, *RECORDINGS)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    remedy = "correct the name" if given else "name the video or recording"
    raise truth_error(file, key, f"there is no {candidates[0].name} beside the truth file", remedy)
