"""Truth files of rendered clips: `<clip>.truth.json`, with the keypoints of every person in every frame."""

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from edge.evaluation.events_truth import (
    Clip,
    Count,
    Fall,
    FallKind,
    Gesture,
    Seconds,
    TrueFrame,
    TruePerson,
    check_fall,
    check_frames,
    converted,
    media_of,
    read_document,
    true_frame,
    truth_error,
)
from edge.rules.values import Posture

SUFFIX = ".truth.json"
# Postures of the field `detail` before somebody lies down on purpose.
UPRIGHT = ("stand", "walk")


class _Person(Struct, frozen=True):
    kp: tuple[tuple[float, float, float], ...]
    posture: Posture
    detail: str = ""


class _Frame(Struct, frozen=True):
    t: Seconds
    people: tuple[_Person, ...]


class _Scene(Struct, frozen=True):
    """Fields that are not listed here describe how the clip was made."""

    size: tuple[Count, Count]
    persons: Count
    events: tuple[dict[str, Any], ...]
    per_frame: Annotated[tuple[_Frame, ...], Meta(min_length=1)]
    flags: tuple[str, ...] = ()
    media: str | None = None


class _FallEvent(Struct, frozen=True):
    person: Count
    t_start: Seconds
    how: str = ""
    t_down: Seconds | None = None
    t_getup: Seconds | None = None
    t_up: Seconds | None = None


class _GestureEvent(Struct, frozen=True):
    person: Count
    name: str
    t_on: Seconds
    t_off: Seconds
    optional: bool = False


def read_scene(file: Path) -> Clip:
    """Raises UsageError."""
    scene: _Scene = converted(read_document(file), _Scene, file)
    frames = tuple(
        true_frame(
            frame.t,
            tuple(TruePerson(keypoints=person.kp, posture=person.posture) for person in frame.people),
            file,
            f"per_frame[{number}]",
        )
        for number, frame in enumerate(scene.per_frame)
    )
    check_frames(frames, file, "per_frame")
    if len(frames[0].postures) != scene.persons:
        problem = f"is {scene.persons}, but the frames have {len(frames[0].postures)}"
        raise truth_error(file, "persons", problem, "correct the file")
    falls, gestures = _events(scene, file)
    name = file.name.removesuffix(SUFFIX)
    return Clip(
        name,
        media_of(file.parent, name, scene.media, file, "media"),
        scene.persons,
        (*falls, *_deliberate(scene, frames)),
        gestures,
        frames,
        scene.size,
    )


def _events(scene: _Scene, file: Path) -> tuple[tuple[Fall, ...], tuple[Gesture, ...]]:
    kind: FallKind = "slow" if "slow_fall" in scene.flags else "fall"
    falls, gestures = [], []
    for number, event in enumerate(scene.events):
        key = f"events[{number}]"
        match event.get("type"):
            case "fall":
                one: _FallEvent = converted(event, _FallEvent, file, key)
                fall = Fall(
                    start_s=one.t_start,
                    down_s=one.t_down,
                    getup_s=one.t_getup,
                    up_s=one.t_up,
                    kind=kind,
                    how=one.how,
                    person=one.person,
                )
                check_fall(fall, file, key)
                falls.append(fall)
            case "gesture":
                seen: _GestureEvent = converted(event, _GestureEvent, file, key)
                gestures.append(
                    Gesture(
                        name=seen.name, on_s=seen.t_on, off_s=seen.t_off, optional=seen.optional, person=seen.person
                    )
                )
            case other:
                raise truth_error(file, f"{key}.type", f"{other!r} is unknown", 'use "fall" or "gesture"')
        if event["person"] >= scene.persons:
            raise truth_error(file, f"{key}.person", "is not one of the people", f"count from 0 to {scene.persons - 1}")
    return tuple(falls), tuple(gestures)


def _deliberate(scene: _Scene, frames: tuple[TrueFrame, ...]) -> list[Fall]:
    """When people lie down on the floor on purpose. These files have no event for it, only the flag."""
    if "deliberate_lie_on_floor" not in scene.flags:
        return []
    found = []
    for person in range(scene.persons):
        details = [frame.people[person].detail for frame in scene.per_frame]
        lying = [i for i, detail in enumerate(details) if detail == "lying_floor"]
        if not lying:
            continue
        first, last = lying[0], lying[-1]
        start = max((i for i in range(first) if details[i] in UPRIGHT), default=0)
        up = next((i for i in range(last, len(details)) if details[i] in UPRIGHT), None)
        found.append(
            Fall(
                start_s=frames[start].at_s,
                down_s=frames[first].at_s,
                getup_s=None if up is None else frames[last].at_s,
                up_s=None if up is None else frames[up].at_s,
                kind="deliberate",
                person=person,
            )
        )
    return found
