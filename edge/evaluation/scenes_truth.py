"""Truth files of rendered clips: `<clip>.truth.json`, with the keypoints of every person in every frame."""

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from edge.config import Line, Zone
from edge.evaluation.events_truth import (
    Clip,
    Count,
    Fall,
    FallKind,
    Gesture,
    Keypoints,
    MaybeSeconds,
    Seconds,
    Size,
    TrueFrame,
    TruePerson,
    check_fall,
    check_frames,
    check_gesture,
    true_frame,
)
from edge.evaluation.truth_files import check_zones, converted, media_of, read_document, truth_error
from edge.rules.values import Posture

SUFFIX = ".truth.json"
UPRIGHT = ("stand", "walk")  # values of `detail` before a person lies down on purpose, and afterwards


class _Person(Struct, frozen=True):
    kp: Keypoints
    posture: Posture
    detail: str = ""


class _Frame(Struct, frozen=True):
    t: Seconds
    people: tuple[_Person, ...]


class _Scene(Struct, frozen=True):
    """A file. Other fields describe how the clip was made, and are ignored."""

    size: Size
    persons: Count
    events: tuple[dict[str, Any], ...]
    per_frame: Annotated[tuple[_Frame, ...], Meta(min_length=1, description="a table for each frame")]
    flags: tuple[str, ...] = ()
    media: Annotated[str | None, Meta(description="the name of a file in this folder")] = None
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()


class _Fall(Struct, frozen=True):
    person: Count
    t_start: Seconds
    how: str = ""
    t_down: MaybeSeconds = None
    t_getup: MaybeSeconds = None
    t_up: MaybeSeconds = None


class _Gesture(Struct, frozen=True):
    person: Count
    name: str
    t_on: Seconds
    t_off: Seconds
    optional: bool = False


def read_scene(file: Path) -> Clip:
    """Raises UsageError."""
    scene = converted(read_document(file), _Scene, file, "")
    frames = tuple(
        true_frame(frame.t, tuple(TruePerson(keypoints=one.kp, posture=one.posture) for one in frame.people))
        for frame in scene.per_frame
    )
    check_frames(frames, file, "per_frame")
    if len(frames[0].postures) != scene.persons:
        problem = f"is {scene.persons}, but the frames have {len(frames[0].postures)}"
        raise truth_error(file, "persons", problem, "correct the file")
    check_zones(scene.zones, scene.lines, file, "")
    falls, gestures = _events(scene, file)
    name = file.name.removesuffix(SUFFIX)
    return Clip(
        name,
        media_of(file.parent, name, scene.media, file, "media"),
        scene.persons,
        (*falls, *_deliberate(scene, frames)),
        gestures,
        {},
        scene.zones,
        scene.lines,
        frames,
        scene.size,
    )


def _events(scene: _Scene, file: Path) -> tuple[tuple[Fall, ...], tuple[Gesture, ...]]:
    kind: FallKind = "slow" if "slow_fall" in scene.flags else "fall"
    falls, gestures = [], []
    for number, event in enumerate(scene.events, 1):
        key = f"events[{number}]"
        match event.get("type"):
            case "fall":
                one = converted(event, _Fall, file, key)
                fall = Fall(
                    start_s=one.t_start,
                    down_s=one.t_down,
                    getup_s=one.t_getup,
                    up_s=one.t_up,
                    kind=kind,
                    how=one.how,
                    person=one.person,
                )
                check_fall(fall, scene.persons, file, key)
                falls.append(fall)
            case "gesture":
                it = converted(event, _Gesture, file, key)
                gesture = Gesture(name=it.name, on_s=it.t_on, off_s=it.t_off, optional=it.optional, person=it.person)
                check_gesture(gesture, scene.persons, file, key)
                gestures.append(gesture)
            case other:
                raise truth_error(file, f"{key}.type", f"invalid value {other!r}", 'use "fall" or "gesture"')
    return tuple(falls), tuple(gestures)


def _deliberate(scene: _Scene, frames: tuple[TrueFrame, ...]) -> list[Fall]:
    """When people lie down on the floor on purpose. These files have a flag for it, but no event."""
    if "deliberate_lie_on_floor" not in scene.flags:
        return []
    found = []
    for person in range(scene.persons):
        details = [frame.people[person].detail for frame in scene.per_frame]
        lying = [i for i, detail in enumerate(details) if detail == "lying_floor"]
        if not lying:
            continue
        start = max((i for i in range(lying[0]) if details[i] in UPRIGHT), default=0)
        up = next((i for i in range(lying[-1], len(details)) if details[i] in UPRIGHT), None)
        found.append(
            Fall(
                start_s=frames[start].at_s,
                down_s=frames[lying[0]].at_s,
                getup_s=None if up is None else frames[lying[-1]].at_s,
                up_s=None if up is None else frames[up].at_s,
                kind="deliberate",
                person=person,
            )
        )
    return found
