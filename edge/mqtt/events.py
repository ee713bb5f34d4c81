"""The payloads of `event/<rule>` and `state`."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edge.mqtt.messages import SCHEMA_VERSION, Count, Payload, Share, Time, timestamp
from edge.rules.values import Event, PersonState, Posture, State
from edge.types import Observation


class EventOut(Payload, frozen=True):
    v: Literal[1]
    id: Annotated[str, Meta(description="the same in all phases of one event")]
    event_type: Annotated[str, Meta(description="the phase, such as confirmed")]
    rule: Annotated[str, Meta(pattern="^[a-z_]+$", description="the last part of the topic")]
    person: Annotated[int | None, Meta(description="ID, as in keypoints")]
    zone: Annotated[str | None, Meta(description="name of the zone or line")]
    seq: Annotated[int, Meta(ge=0, description="number of the frame that decided")]
    time: Annotated[Time, Meta(description="of that frame")]
    started: Annotated[Time, Meta(description="of the frame in which the event began")]
    duration_s: Annotated[float, Meta(ge=0, description="since the event began")]
    confidence: Annotated[Share | None, Meta(description="null where a rule cannot be unsure")]
    reasons: Annotated[tuple[str, ...], Meta(description="in words, with the figures behind the decision")]


class ZoneOut(Payload, frozen=True):
    occupied: bool
    people: Count
    dwell_s: Annotated[float, Meta(ge=0, description="how long the zone has been occupied; 0 if it is not")]


class PersonOut(Payload, frozen=True):
    id: int
    posture: Posture
    zones: Annotated[tuple[str, ...], Meta(description="names of the zones that the person is in")]
    since: Annotated[Time, Meta(description="when the person was first seen")]


class StateOut(Payload, frozen=True):
    """While the state of the room is unknown, everything but `v` and `time` is null."""

    v: Literal[1]
    time: Annotated[Time, Meta(description="of the frame; while the state is unknown, when this was sent")]
    seq: Annotated[Count | None, Meta(description="number of the frame")]
    present: Annotated[bool | None, Meta(description="whether a person is present; null if that is unknown")]
    people: Annotated[Count | None, Meta(description="number of people with an ID")]
    standing: Annotated[Count | None, Meta(description="how many of them stand; null also without the rule posture")]
    sitting: Count | None
    lying: Count | None
    fall: Annotated[bool | None, Meta(description="whether a fall is confirmed and not cleared")]
    still_down: Annotated[bool | None, Meta(description="whether a fallen person is still on the floor")]
    moving: Annotated[bool | None, Meta(description="whether a person moves")]
    zones: Annotated[dict[str, ZoneOut] | None, Meta(description="each zone by name")]
    persons: Annotated[tuple[PersonOut, ...] | None, Meta(description="by ID")]


# Created at import, because msgspec swallows KeyboardInterrupt while it inspects a new type.
read_event = msgspec.json.Decoder(EventOut).decode
read_state = msgspec.json.Decoder(StateOut).decode


def event_out(event: Event) -> EventOut:
    return EventOut(
        v=SCHEMA_VERSION,
        id=event.id,
        event_type=event.type,
        rule=event.rule,
        person=event.person,
        zone=event.zone,
        seq=event.sequence,
        time=timestamp(event.wall_s),
        started=timestamp(event.started_wall_s),
        duration_s=event.duration_s,
        confidence=event.confidence,
        reasons=event.reasons,
    )


def in_words(event: EventOut) -> str:
    """The event on one line, such as "fall confirmed, person 3, after 2.1 s: torso 78 degrees from upright"."""
    zone = () if event.zone is None else (event.zone,)
    parts = [" ".join((event.rule, *zone, event.event_type.replace("_", " ")))]
    if event.person is not None:
        parts.append(f"person {event.person}")
    if event.duration_s:
        parts.append(f"after {event.duration_s:.1f} s")
    return ": ".join(filter(None, (", ".join(parts), ", ".join(event.reasons))))


def state_out(state: State, seen: Observation) -> StateOut:
    """The state after the frame that was `seen`."""
    return StateOut(
        v=SCHEMA_VERSION,
        time=timestamp(seen.wall_s),
        seq=seen.sequence,
        present=state.present,
        people=state.people,
        standing=state.standing,
        sitting=state.sitting,
        lying=state.lying,
        fall=state.fall,
        still_down=state.still_down,
        moving=state.moving,
        zones={
            name: ZoneOut(occupied=zone.occupied, people=zone.people, dwell_s=round(zone.dwell_s, 1))
            for name, zone in state.zones.items()
        },
        persons=tuple(person_out(one) for one in sorted(state.persons, key=lambda one: one.id)),
    )


def person_out(person: PersonState) -> PersonOut:
    return PersonOut(id=person.id, posture=person.posture, zones=person.zones, since=timestamp(person.since_wall_s))


def unknown_state(wall_s: float) -> StateOut:
    """The state while the camera shows nothing."""
    nothing: dict[str, Any] = dict.fromkeys(StateOut.__struct_fields__)
    return StateOut(**nothing | {"v": SCHEMA_VERSION, "time": timestamp(wall_s)})
