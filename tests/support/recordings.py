"""Recordings for tests."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.pipeline.seams import Update
from edge.recording.record import Recorder
from edge.types import Observation, Person
from tests.support.fakes import blank_frame
from tests.support.people import person
from tests.support.pipelines import empty_update
from tests.support.waiting import LONG_S


def observed(sequence: int, *people: Person, width: int = 640) -> Observation:
    """An observation 1/15 s after the one before, with times as the pipeline rounds them."""
    at_s, wall_s = 100.0004 + sequence / 15, 1_795_370_400.0004 + sequence / 15
    return Observation(sequence, round(at_s, 3), round(wall_s, 3), width, 480, people)


def walking(count: int) -> list[Observation]:
    """A person who moves to the right, in one frame after the other."""
    return [observed(number, person(1, at=(number / 3, 0.1), confidence=0.123)) for number in range(count)]


def update_of(seen: Observation) -> Update:
    return replace(empty_update(blank_frame(seen.sequence), 0.0, 0.01), seen=seen)


def record(
    folder: Path, seen: Sequence[Observation], *, max_bytes: int = 1_000_000, rules: dict[str, Any] | None = None
) -> list[Path]:
    """Record these observations in a run of its own; returns all files in the folder."""
    recorder = Recorder(folder, max_bytes, device="hall", rules=rules or {}, max_waiting=len(seen))
    for one in seen:
        recorder.publish(update_of(one))
    recorder.close(LONG_S)
    return files(folder)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
