"""What happens in a clip, as the file `truth.json` or `truth.toml` beside the clips describes it.

docs/evaluate-events.md documents the format. Rendered clips may have a file each: `edge.evaluation.scenes_truth`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from msgspec import field as default

from edge.config import Line, Zone
from edge.evaluation.truth_files import check_zones, converted, media_of, read_document, truth_error
from edge.rules.values import Posture
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Floats

FallKind: TypeAlias = Literal["fall", "slow", "deliberate", "bed"]
RuleName: TypeAlias = Literal["presence", "zone", "line"]
RULES: tuple[RuleName, ...] = ("presence", "zone", "line")  # whose events a truth file may list
Seconds = Annotated[float, Meta(ge=0, description="seconds from the first frame")]
MaybeSeconds = Annotated[Seconds | None, Meta(description="seconds from the first frame, or leave it out")]
Count = Annotated[int, Meta(ge=0)]
MaybeCount = Annotated[Count | None, Meta(description="a whole number, or leave it out")]
MaybePerson = Annotated[Count | None, Meta(description="the number of a person in `frames`, from 0")]
Size = Annotated[tuple[int, int], Meta(description="[width, height] of the picture, px")]
Keypoint = Annotated[
    tuple[float, float, float], Meta(description="[x, y, v] in px, with v = 2 for seen, 1 for covered, 0 for outside")
]
Keypoints = Annotated[
    tuple[Keypoint, ...],
    Meta(min_length=KEYPOINT_COUNT, max_length=KEYPOINT_COUNT, description="17 keypoints [x, y, v] in COCO's order"),
]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of our own format."""


class Fall(Strict, frozen=True):
    """A fall. Only those of kind "fall" count as falls; others are reported apart."""

    start_s: Seconds  # loss of balance
    down_s: MaybeSeconds = None  # body on the floor
    getup_s: MaybeSeconds = None  # begins to get up
    up_s: MaybeSeconds = None  # upright again
    kind: Annotated[FallKind | None, Meta(description='"fall", "slow", "deliberate" or "bed"')] = None
    how: str = ""
    person: MaybePerson = None

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
    person: MaybePerson = None


class Expected(Strict, frozen=True):
    """An event of the rules presence, zone or line."""

    type: str
    at_s: Seconds  # when it should be reported
    zone: Annotated[str | None, Meta(description="the name of a zone or a line")] = None


MaybeExpected = Annotated[tuple[Expected, ...] | None, Meta(description="a table for each event")]


class EventsTable(Strict, frozen=True):
    """All events of each rule; None if they are not known."""

    presence: MaybeExpected = None
    zone: MaybeExpected = None
    line: MaybeExpected = None


class TruePerson(Strict, frozen=True):
    """A person in a frame."""

    keypoints: Keypoints
    posture: Posture = "unknown"


class FrameTable(Strict, frozen=True):
    at_s: Seconds
    people: tuple[TruePerson, ...]


class ClipTable(Strict, frozen=True):
    """What the file says about one clip."""

    file: Annotated[str | None, Meta(description="the name of a file in this folder")] = None
    what: str = ""
    people: MaybeCount = None
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    falls: tuple[Fall, ...] = ()
    gestures: Annotated[tuple[Gesture, ...] | None, Meta(description="a table for each: [[gestures]]")] = None
    events: EventsTable = default(default_factory=EventsTable)
    size: Annotated[Size | None, Meta(description="[width, height] of the picture, px")] = None
    frames: tuple[FrameTable, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrueFrame:
    """The people of a frame. A person has the same index in all frames of a clip."""

    at_s: float
    xy: Floats  # (P, 17, 2) px of the picture
    v: Floats  # (P, 17): 2 seen, 1 covered, 0 outside the picture
    postures: tuple[Posture, ...]  # (P)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip with its truth."""

    name: str
    file: Path
    people: int | None  # None: unknown
    falls: tuple[Fall, ...] = ()
    gestures: tuple[Gesture, ...] | None = None  # None: unknown
    events: Mapping[RuleName, tuple[Expected, ...]] = field(default_factory=dict)  # of each rule that is known
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    frames: tuple[TrueFrame, ...] = ()  # empty: keypoints are not known
    size: tuple[int, int] | None = None  # of the picture in which `frames` are given, px


def read_clips(file: Path) -> list[Clip]:
    """The clips of `truth.json` or `truth.toml`. Raises UsageError."""
    document = read_document(file)
    clips = document.pop("clips", None)
    if document:
        raise truth_error(file, next(iter(document)), "unknown key", "put everything under clips")
    if not isinstance(clips, dict) or not clips:
        raise truth_error(file, "clips", "is not a table of clips", "give each clip a table: [clips.<name>]")
    return [_clip(name, converted(table, ClipTable, file, f"clips.{name}"), file) for name, table in clips.items()]


def _clip(name: str, given: ClipTable, file: Path) -> Clip:
    key = f"clips.{name}"
    frames = tuple(true_frame(frame.at_s, frame.people) for frame in given.frames)
    check_frames(frames, file, f"{key}.frames")
    if frames and given.size is None:
        raise truth_error(file, f"{key}.size", "is missing", "give width and height of the picture in px")
    people = len(frames[0].postures) if frames else given.people
    if given.people is not None and given.people != people:
        raise truth_error(file, f"{key}.people", f"is {given.people}, but the frames have {people}", "leave it out")
    for number, fall in enumerate(given.falls, 1):
        check_fall(fall, people, file, f"{key}.falls[{number}]")
    for number, gesture in enumerate(given.gestures or (), 1):
        check_gesture(gesture, people, file, f"{key}.gestures[{number}]")
    check_zones(given.zones, given.lines, file, key)
    return Clip(
        name,
        media_of(file.parent, name, given.file, file, f"{key}.file"),
        people,
        given.falls,
        given.gestures,
        {rule: expected for rule in RULES if (expected := getattr(given.events, rule)) is not None},
        given.zones,
        given.lines,
        frames,
        given.size,
    )


def true_frame(at_s: float, people: tuple[TruePerson, ...]) -> TrueFrame:
    points = np.array([person.keypoints for person in people], np.float32).reshape(-1, KEYPOINT_COUNT, 3)
    return TrueFrame(at_s, points[..., :2], points[..., 2], tuple(person.posture for person in people))


def check_frames(frames: tuple[TrueFrame, ...], file: Path, key: str) -> None:
    """Raises UsageError if times do not increase, or the number of people changes."""
    for number, (before, frame) in enumerate(pairwise(frames), 2):
        if frame.at_s <= before.at_s:
            raise truth_error(file, f"{key}[{number}]", "is not later than the frame before", "correct the times")
        if len(frame.postures) != len(before.postures):
            remedy = "list every person in every frame, with v = 0 while out of view"
            raise truth_error(file, f"{key}[{number}].people", "has another number of people than before", remedy)


def check_fall(fall: Fall, people: int | None, file: Path, key: str) -> None:
    """Raises UsageError if the times are not in order, or there is no such person."""
    times = {"start_s": fall.start_s, "down_s": fall.down_s, "getup_s": fall.getup_s, "up_s": fall.up_s}
    _check_order({name: value for name, value in times.items() if value is not None}, file, key)
    _check_person(fall.person, people, file, key)


def check_gesture(gesture: Gesture, people: int | None, file: Path, key: str) -> None:
    """Raises UsageError if the times are not in order, or there is no such person."""
    _check_order({"on_s": gesture.on_s, "off_s": gesture.off_s}, file, key)
    _check_person(gesture.person, people, file, key)


def _check_order(times: dict[str, float], file: Path, key: str) -> None:
    names = list(times)
    for before, name in pairwise(names):
        if times[name] < times[before]:
            problem = f"{times[name]:g} is before {before}, which is {times[before]:g}"
            raise truth_error(file, f"{key}.{name}", problem, "correct the times")


def _check_person(person: int | None, people: int | None, file: Path, key: str) -> None:
    if person is not None and people is not None and person >= people:
        remedy = f"count from 0 to {people - 1}" if people else "leave it out"
        raise truth_error(file, f"{key}.person", f"there is no person {person}", remedy)
