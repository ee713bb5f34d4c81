"""The values that rules read and return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge.rules.body import Body
from edge.types import Observation, Person

Posture: TypeAlias = Literal["standing", "sitting", "lying", "unknown"]

# The rules, and the phases of their events.
EVENT_TYPES: dict[str, tuple[str, ...]] = {
    "presence": ("arrived", "left"),
    "zone": ("entered", "loitering", "left"),
    "line": ("crossed_in", "crossed_out"),
    "fall": ("suspected", "dismissed", "confirmed", "still_down", "cleared"),
    "gesture": ("left_hand_raised", "right_hand_raised", "both_hands_raised", "waving", "ended"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """An observed person, with what the postures and zones say about it in this frame."""

    person: Person
    id: int
    body: Body
    posture: Posture = "unknown"
    zones: tuple[str, ...] = ()  # names of the zones that the person is in, in the order of the configuration


@dataclass(frozen=True, slots=True)
class Moment:
    """What a rule reads of one frame."""

    device_id: str
    seen: Observation
    now_s: float  # time that the sensor has watched: advances with the frames, but hardly during a gap between them
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One phase of an event. All phases of an event have the same `id`."""

    rule: str  # as in EVENT_TYPES
    type: str  # such as "confirmed"
    id: str
    sequence: int  # of the frame that decided
    wall_s: float  # of that frame
    started_wall_s: float  # of the frame in which the event began
    duration_s: float  # since then, on a clock that never jumps
    person: int | None = None
    zone: str | None = None  # of a zone or a line
    confidence: float | None = None  # 0..1; None where a rule cannot be unsure
    reasons: tuple[str, ...] = ()  # in words, with the figures behind the decision


@dataclass(frozen=True, slots=True)
class PersonState:
    id: int
    posture: Posture
    zones: tuple[str, ...]
    since_wall_s: float  # when the person was first observed


@dataclass(frozen=True, slots=True)
class ZoneState:
    occupied: bool
    people: int
    dwell_s: float  # how long the zone has been occupied; 0 if it is not


@dataclass(frozen=True, slots=True)
class State:
    """The state of the room. None means unknown: the rule is disabled."""

    present: bool | None = None
    people: int = 0
    standing: int | None = None
    sitting: int | None = None
    lying: int | None = None
    fall: bool | None = None  # whether a fall is confirmed and not cleared
    still_down: bool | None = None
    moving: bool | None = None
    zones: Mapping[str, ZoneState] = field(default_factory=dict)
    persons: tuple[PersonState, ...] = ()
