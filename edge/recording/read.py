"""Read recordings, compressed with gzip or not."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import msgspec

from edge.errors import UsageError
from edge.mqtt.messages import Size
from edge.recording.format import (
    FORMAT_VERSION,
    AnyLine,
    Cleared,
    End,
    FrameLine,
    Gap,
    Header,
    Resumed,
    decode,
    observation,
)
from edge.types import Observation

LONGEST_LINE = 1_000_000  # bytes; several times as long as a frame with 100 people
GZIP_MAGIC = b"\x1f\x8b"
REMEDY = "name a file that the sensor has recorded"

Open: TypeAlias = Callable[[Path], BinaryIO]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A line that was skipped, or something that is missing in a recording."""

    path: Path
    line: int  # from 1
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: line {self.line}: {self.problem}"


Entry: TypeAlias = Header | Observation | Gap | End | Cleared | Resumed
Report: TypeAlias = Callable[[Flaw], None]


def observations(path: Path, report: Report = lambda _flaw: None) -> Iterator[Observation]:
    """The observations in a file, in order. Damaged lines are reported and skipped. Raises UsageError."""
    for entry in entries(path, report):
        if isinstance(entry, Observation):
            yield entry


def header_of(path: Path) -> Header | None:
    """The header of a file, or None if it is damaged. Raises UsageError if the file cannot be opened."""
    with _opened(path, _open) as file:
        try:
            line = decode(file.readline(LONGEST_LINE))
        except (*_DAMAGED, *_UNREADABLE):
            return None
    return line if isinstance(line, Header) else None


def entries(path: Path, report: Report, *, frame: Size | None = None, open_file: Open | None = None) -> Iterator[Entry]:
    """The lines of a file, or of several files in one, with observations for frames.

    Flaws are reported; damaged lines are skipped, and so are lines of other kinds.

    `frame` is the size of the frames if the header is damaged: that of the file before. Without it, raises UsageError
    if there is no header; and if the file cannot be opened.
    """
    number = 0
    early: list[Flaw] = []  # of the lines before the header: in another kind of file, every line is damaged
    with _opened(path, open_file or _open) as file:
        try:
            while line := file.readline(LONGEST_LINE):
                number += 1
                try:
                    entry = _entry(line, frame)
                except _DAMAGED as exc:
                    torn = not line.endswith(b"\n")
                    problem = "incomplete; the recording broke off here" if torn else f"skipped, damaged ({exc})"
                    (early.append if frame is None else report)(Flaw(path, number, problem))
                    continue
                if isinstance(entry, FrameLine):
                    break
                if isinstance(entry, Gap):
                    report(Flaw(path, number, f"{entry.frames} frames before the next one were not recorded"))
                if isinstance(entry, Header):
                    frame = _checked(entry, path).frame
                    for flaw in early:
                        report(flaw)
                    early.clear()
                yield entry
        except _UNREADABLE as exc:
            report(Flaw(path, number + 1, f"the rest of the file cannot be read ({exc})"))
    if frame is None:
        raise UsageError(str(path), "has no readable header", REMEDY)


# What reading raises, the last two for damaged gzip files.
_UNREADABLE = (OSError, EOFError, zlib.error)
# What msgspec and `observation` raise for a damaged line.
_DAMAGED = (msgspec.DecodeError, ValueError, RecursionError)


def _entry(line: bytes, frame: Size | None) -> AnyLine | Observation:
    entry = decode(line)
    return observation(entry, frame) if isinstance(entry, FrameLine) and frame is not None else entry


def _checked(header: Header, path: Path) -> Header:
    if header.v != FORMAT_VERSION:
        problem = f"has version {header.v} of the format, and this program reads version {FORMAT_VERSION}"
        raise UsageError(str(path), problem, f"use edge-pose {header.version} or later")
    return header


@contextmanager
def _opened(path: Path, open_file: Open) -> Iterator[BinaryIO]:
    """The uncompressed content of a file. Raises UsageError if it cannot be opened."""
    try:
        file = open_file(path)
        magic = file.read(len(GZIP_MAGIC))
        file.seek(0)
    except OSError as exc:
        raise UsageError(str(path), f"cannot be read ({exc.strerror})", REMEDY) from exc
    with file:
        yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if magic == GZIP_MAGIC else file


def _open(path: Path) -> BinaryIO:
    return path.open("rb")
