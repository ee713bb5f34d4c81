"""Clips that were never filmed: their truth, and what a sensor says about them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, TrueFrame
from edge.rules.rules import Outcome
from edge.rules.values import Event, PersonState, Posture, State
from edge.skeleton import INDEX, KEYPOINT_COUNT
from edge.types import Person
from tests.support.people import STANDING, observation, person

FPS = 10.0
OUTSIDE = (-500.0, -500.0)


def true_frame(
    at_s: float,
    *places: tuple[float, float] | None,
    hidden: int = 0,
    postures: Sequence[Posture] | None = None,
) -> TrueFrame:
    """A frame with a standing person at each of these places, px; None is a person outside the picture.

    `hidden` is how many keypoints of each are covered.
    """
    xy = np.zeros((len(places), KEYPOINT_COUNT, 2), np.float32)
    v = np.full((len(places), KEYPOINT_COUNT), 2, np.float32)
    v[:, :hidden] = 1
    for number, place in enumerate(places):
        for part, at in STANDING.items():
            xy[number, INDEX[part]] = np.add(at, place or OUTSIDE)
        if place is None:
            v[number] = 0
    return TrueFrame(at_s, xy, v, tuple(postures or ["standing"] * len(places)))


def clip(frames: Iterable[TrueFrame] = (), **more: Any) -> Clip:
    """A clip with these true frames."""
    frames = tuple(frames)
    people = len(frames[0].postures) if frames else None
    return Clip(**{"name": "clip", "file": Path("clip.mp4"), "people": people, "frames": frames, **more})


def said(
    at_s: float,
    people: Mapping[int, tuple[float, float]] | Sequence[Person] = (),
    *events: Event,
    postures: Mapping[int, Posture] | None = None,
    fall: bool | None = False,
) -> Played:
    """What a sensor says about a frame: people by ID with their places, and events.

    Without `postures` it reports none; with `fall=None` it does not report falls.
    """
    if isinstance(people, Mapping):
        people = [person(id_, at=place) for id_, place in people.items()]
    persons = tuple(PersonState(id_, posture, (), 0.0) for id_, posture in (postures or {}).items())
    state = State(people=len(people), standing=None if postures is None else 0, fall=fall, persons=persons)
    return Played(at_s, observation(round(at_s * FPS), *people, at_s=at_s), Outcome(events, state))


def event(rule: str, type_: str, id_: str = "a", *, person: int | None = None) -> Event:
    return Event(rule, type_, id_, 0, 0.0, 0.0, 0.0, person, reasons=("because",))


def times(seconds: float) -> list[float]:
    """The times of the frames of a clip of this length."""
    return [number / FPS for number in range(round(seconds * FPS))]
