"""What really happens in the clips of a folder, read from the truth files beside them.

`truth.json` or `truth.toml` describes several clips: docs/evaluate-events.md documents the format. `<clip>.truth.json`
describes one rendered clip, with the keypoints of every person in every frame: see `edge.evaluation.scenes_truth`.
"""

import re
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Struct

from edge.errors import UsageError
from edge.rules.values import Posture
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Floats

FallKind: TypeAlias = Literal["fall", "slow", "deliberate", "bed"]
MEDIA = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")
OPTION = "--truth"
HELP = "docs/evaluate-events.md describes the format"

Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Size: TypeAlias = tuple[int, int]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of our own format."""


class Fall(Strict, frozen=True):
    """A fall, in seconds from the first frame. Only those of kind "fall" count as falls; others are reported apart."""

    start_s: Seconds  # loss of balance
    down_s: Seconds | None = None  # body on the floor
    getup_s: Seconds | None = None  # begins to get up
    up_s: Seconds | None = None  # upright again
    kind: FallKind | None = None
    how: str = ""
    person: Count | None = None  # number of the person in `frames`, from 0

    @property
    def counted_as(self) -> FallKind:
        """The kind; `how` may say it too, as in "backward onto the bed"."""
        return self.kind or ("bed" if re.search(r"\bonto (the|a) bed\b", self.how) else "fall")


class Gesture(Strict, frozen=True):
    """A gesture. An optional one may be reported or not."""

    name: str
    on_s: Seconds
    off_s: Seconds
    optional: bool = False
    person: Count | None = None


class TruePerson(Strict, frozen=True):
    """A person in a frame."""

    keypoints: tuple[tuple[float, float, float], ...]  # 17 x (x, y, v) in px; v: 2 seen, 1 hidden, 0 outside
    posture: Posture = "unknown"


class _Frame(Strict, frozen=True):
    at_s: Seconds
    people: tuple[TruePerson, ...]


class _Clip(Strict, frozen=True):
    file: str | None = None
    what: str = ""
    people: Count | None = None
    falls: tuple[Fall, ...] = ()
    gestures: tuple[Gesture, ...] | None = None
    size: tuple[Count, Count] | None = None
    frames: tuple[_Frame, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrueFrame:
    """The people of a frame. A person has the same index in all frames of a clip."""

    at_s: float
    xy: Floats  # (P, 17, 2) px of the picture
    v: Floats  # (P, 17): 2 seen, 1 hidden, 0 outside the picture
    postures: tuple[Posture, ...]  # (P)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip with its truth."""

    name: str
    file: Path
    people: int | None  # None: unknown
    falls: tuple[Fall, ...] = ()
    gestures: tuple[Gesture, ...] | None = None  # None: unknown
    frames: tuple[TrueFrame, ...] = ()  # empty: keypoints are not known
    size: Size | None = None  # of the picture in which `frames` are given, px


def truth_error(file: Path, key: str, problem: str, remedy: str = HELP) -> UsageError:
    return UsageError(key or OPTION, problem, remedy, origin=str(file))


def read_document(file: Path) -> dict[str, Any]:
    """A JSON or TOML file with a table at the top. Raises UsageError."""
    try:
        content = file.read_bytes()
        document = tomllib.loads(content.decode()) if file.suffix == ".toml" else msgspec.json.decode(content)
    except OSError as exc:
        raise truth_error(file, "", f"cannot be read ({exc.strerror})", "check the file") from exc
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        kind = file.suffix[1:].upper()
        raise truth_error(file, "", f"is not {kind}: {exc}", "correct the file") from exc
    if not isinstance(document, dict):
        raise truth_error(file, "", "has no table at the top")
    return document


def converted(value: Any, kind: Any, file: Path, key: str = "") -> Any:
    """`value` as a Struct. Raises UsageError that names the key below `key`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        message, _, place = str(exc).partition(" - at `$")
        path = ".".join(filter(None, (key, place.rstrip("`").lstrip("."))))
        if unknown := re.match(r"Object contains unknown field `(.*)`", message):
            path, message = ".".join(filter(None, (path, unknown[1]))), "unknown key"
        raise truth_error(file, path, message[0].lower() + message[1:]) from exc


def read_clips(file: Path) -> list[Clip]:
    """The clips of `truth.json` or `truth.toml`. Raises UsageError."""
    document = read_document(file)
    clips = document.pop("clips", None)
    if not isinstance(clips, dict) or not clips:
        raise truth_error(file, "clips", "is missing or empty")
    if document:
        raise truth_error(file, next(iter(document)), "unknown key")
    return [_clip(name, converted(clips[name], _Clip, file, f"clips.{name}"), file) for name in clips]


def _clip(name: str, given: _Clip, file: Path) -> Clip:
    key = f"clips.{name}"
    for number, fall in enumerate(given.falls):
        check_fall(fall, file, f"{key}.falls[{number}]")
    for number, gesture in enumerate(given.gestures or ()):
        if gesture.off_s <= gesture.on_s:
            raise truth_error(file, f"{key}.gestures[{number}].off_s", "is not after on_s", "correct the times")
    frames = tuple(
        true_frame(frame.at_s, frame.people, file, f"{key}.frames[{number}]")
        for number, frame in enumerate(given.frames)
    )
    check_frames(frames, file, f"{key}.frames")
    if frames and given.size is None:
        raise truth_error(file, f"{key}.size", "is missing", "give width and height of the picture in px")
    people = frames[0].xy.shape[0] if frames else given.people
    if frames and given.people is not None and given.people != people:
        raise truth_error(file, f"{key}.people", f"is {given.people}, but the frames have {people}", "omit it")
    return Clip(
        name,
        media_of(file.parent, name, given.file, file, f"{key}.file"),
        people,
        given.falls,
        given.gestures,
        frames,
        given.size,
    )


def check_fall(fall: Fall, file: Path, key: str) -> None:
    """Raises UsageError if the times are not in order."""
    times = {"start_s": fall.start_s, "down_s": fall.down_s, "getup_s": fall.getup_s, "up_s": fall.up_s}
    known = [(name, value) for name, value in times.items() if value is not None]
    for (before, earlier), (name, later) in pairwise(known):
        if later < earlier:
            raise truth_error(file, f"{key}.{name}", f"{later:g} is before {before}, {earlier:g}", "correct the times")


def true_frame(at_s: float, people: tuple[TruePerson, ...], file: Path, key: str) -> TrueFrame:
    """Raises UsageError if a person does not have 17 keypoints."""
    for number, person in enumerate(people):
        if len(person.keypoints) != KEYPOINT_COUNT:
            problem = f"has {len(person.keypoints)} values instead of {KEYPOINT_COUNT}"
            raise truth_error(file, f"{key}.people[{number}].keypoints", problem, "list all of COCO in COCO's order")
    points = np.array([person.keypoints for person in people], np.float32).reshape(-1, KEYPOINT_COUNT, 3)
    return TrueFrame(at_s, points[..., :2], points[..., 2], tuple(person.posture for person in people))


def check_frames(frames: tuple[TrueFrame, ...], file: Path, key: str) -> None:
    """Raises UsageError if times do not increase, or the number of people changes."""
    for number, (before, frame) in enumerate(pairwise(frames), 1):
        if frame.at_s <= before.at_s:
            raise truth_error(file, f"{key}[{number}]", "is not later than the frame before", "correct the times")
        if len(frame.postures) != len(before.postures):
            remedy = "list every person in every frame, with v = 0 while out of view"
            raise truth_error(file, f"{key}[{number}].people", "has another number of people than before", remedy)


def media_of(folder: Path, name: str, given: str | None, file: Path, key: str) -> Path:
    """The file of a clip: the given one, or the one of that name. Raises UsageError if there is none."""
    candidates = [folder / given] if given else [folder / f"{name}{suffix}" for suffix in MEDIA]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise truth_error(file, key, f"there is no clip {candidates[0].name}", "put it beside the truth file")
