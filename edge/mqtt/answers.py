"""The answers to requests that have `data`."""

from typing import Annotated, Any

from msgspec import Meta, structs

from edge.mqtt.commands import Response
from edge.mqtt.events import PersonOut, person_out
from edge.mqtt.messages import Camera, Count, Payload, Share, Size, Time, box_out, timestamp
from edge.rules.values import State
from edge.types import Observation


class PersonNow(PersonOut, frozen=True):
    """A person as in `state` and `keypoints`."""

    score: Annotated[Share | None, Meta(description="null if the person was missed in this frame")]
    box: Annotated[
        tuple[float, float, float, float] | None,
        Meta(description="x, y, width, height of the visible keypoints, px; null if the person was missed"),
    ]


class PeopleOut(Payload, frozen=True):
    time: Annotated[Time, Meta(description="of the frame")]
    seq: Annotated[int, Meta(ge=0, description="number of the frame")]
    frame: Size
    persons: Annotated[tuple[PersonNow, ...], Meta(description="by ID")]


class ClearedOut(Payload, frozen=True):
    falls: Annotated[Count, Meta(description="confirmed falls that were cleared")]


class SnapshotOut(Payload, frozen=True):
    time: Annotated[Time, Meta(description="of the frame; while the state is unknown, when it was drawn")]
    seq: Annotated[Count | None, Meta(description="number of the frame; null while the state is unknown")]
    camera: Annotated[Camera, Meta(description="as in health; people are drawn only while it is ok")]
    people: Annotated[Count | None, Meta(description="in the picture; null while the state is unknown")]
    width: Annotated[int, Meta(ge=1, description="px")]
    height: Annotated[int, Meta(ge=1, description="px")]
    bytes: Annotated[int, Meta(ge=1, description="size of the file")]


ANSWERS: dict[str, Any] = {
    "people": Response[PeopleOut],
    "clear_fall": Response[ClearedOut],
    "snapshot": Response[SnapshotOut],
}


def people_out(state: State, seen: Observation) -> PeopleOut:
    """The people after the frame that was `seen`."""
    now = {person.id: person for person in seen.people}
    known = sorted(state.persons, key=lambda one: one.id)
    return PeopleOut(
        time=timestamp(seen.wall_s),
        seq=seen.sequence,
        frame=Size(width=seen.width, height=seen.height),
        persons=tuple(
            PersonNow(
                **structs.asdict(person_out(one)),
                score=now[one.id].score if one.id in now else None,
                box=box_out(now[one.id].box) if one.id in now else None,
            )
            for one in known
        ),
    )
