"""The payloads of `keypoints`, `info` and `health`. `event` and `state` are in edge/mqtt/events.py.

An unknown value is null, never zero; keypoints that were not detected are left out.
Within `"v": 1`, fields may be added but never removed or changed.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from edge.errors import ReasonCode
from edge.skeleton import PARTS
from edge.types import Backend, Box, Frame, Person

SCHEMA_VERSION: Final = 1

Time = Annotated[str, Meta(description="UTC, ISO 8601 with milliseconds",
                           pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]  # fmt: skip
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Number = Annotated[float, Meta(ge=0)]


Camera: TypeAlias = Literal["starting", "ok", "stalled", "blind", "off"]


class Payload(Struct, frozen=True, kw_only=True):
    """A JSON object. Readers must ignore unknown fields, since fields may be added."""


class Size(Payload, frozen=True):
    width: Annotated[int, Meta(ge=1, description="px")]
    height: Annotated[int, Meta(ge=1, description="px")]


class FrameLatency(Payload, frozen=True):
    inference: Annotated[float, Meta(ge=0, description="ms that the network took")]
    total: Annotated[float, Meta(ge=0, description="ms from receiving the frame to publishing this message")]


class KeypointOut(Payload, frozen=True):
    index: Annotated[int, Meta(ge=0, le=16, description="number of the keypoint, as in COCO")]
    body_part: Annotated[str, Meta(description="name of the keypoint, such as LEFT_WRIST")]
    x: Annotated[float, Meta(description="px of the frame, to the right")]
    y: Annotated[float, Meta(description="px of the frame, downwards")]
    confidence: Share


class PoseOut(Payload, frozen=True):
    id: Annotated[
        int | None,
        Meta(description="stays with a person from frame to frame; null in pictures that are not a video"),
    ]
    score: Share
    box: Annotated[
        tuple[float, float, float, float], Meta(description="x, y, width, height of the visible keypoints, px")
    ]
    keypoints: Annotated[tuple[KeypointOut, ...], Meta(description="only those with enough confidence")]


class Keypoints(Payload, frozen=True):
    v: Literal[1]
    seq: Annotated[
        int,
        Meta(
            ge=0, description="number of the frame; a gap means frames that were dropped, unreadable, idle or not sent"
        ),
    ]
    time: Time
    frame: Annotated[Size, Meta(description="of the frame")]
    latency_ms: FrameLatency
    poses: Annotated[tuple[PoseOut, ...], Meta(description="the people detected in this frame, best first")]


class ModelOut(Payload, frozen=True):
    name: str
    sha256: str
    verified: Annotated[bool, Meta(description="whether the checksum is in the catalogue")]
    input_size: Annotated[tuple[int, int], Meta(description="height, width, px")]


class RuntimeOut(Payload, frozen=True):
    name: str
    threads: Count


class BackendOut(Payload, frozen=True):
    name: Backend
    code: ReasonCode
    reason: Annotated[str, Meta(description="why this backend is in use, and how to get the other one")]


class GrantedOut(Payload, frozen=True):
    model: str | None
    format: Annotated[str, Meta(description="pixel format that the camera delivers")]
    pixels: Annotated[Size, Meta(description="size that the camera delivers, before rotation")]
    fps: Annotated[float | None, Meta(description="null if the camera does not report it")]
    autofocus: Annotated[str | None, Meta(description="continuous, auto or manual; null if the lens does not move")]


class CameraOut(Payload, frozen=True):
    source: str
    frame: Annotated[Size | None, Meta(description="null until the first frame")]
    fps: Annotated[float, Meta(ge=0, description="requested; 0 = as fast as possible")]
    rotation: int
    mirror: bool
    granted: Annotated[
        GrantedOut | None,
        Meta(description="the mode that the camera chose; null until the first frame, and for other sources"),
    ]


class SecondOpinionOut(Payload, frozen=True):
    model: Annotated[str | None, Meta(description="the second network; null if there is none")]
    reason: Annotated[str, Meta(description="the setting, or why there is no second network")]


class Info(Payload, frozen=True):
    v: Literal[1]
    version: str
    device: dict[Literal["id", "name"], str]
    problem: Annotated[
        str | None, Meta(description="why the service stopped, what to do, and what happens next; null while it works")
    ]
    # Null if the service stopped before they were known.
    model: ModelOut | None
    runtime: RuntimeOut | None
    backend: BackendOut | None
    camera: CameraOut | None
    second_opinion: SecondOpinionOut | None
    overrides: Annotated[
        dict[str, bool | float], Meta(description="the settings that were changed, and differ from the file")
    ]
    places_changed: Annotated[
        bool, Meta(description="zones and lines were changed on the page, and differ from the file")
    ]


class Quantiles(Payload, frozen=True):
    median: Number
    p95: Number


class HealthLatency(Payload, frozen=True):
    inference: Quantiles | None
    total: Quantiles | None


class FrameCounts(Payload, frozen=True):
    processed: Annotated[int, Meta(ge=0, description="seen by a network")]
    idle: Annotated[
        int,
        Meta(ge=0, description="looked at, but shown to no network: nothing changed in them, or nothing is visible"),
    ]
    dropped: Annotated[int, Meta(ge=0, description="skipped because a newer frame arrived first")]
    unreadable: Annotated[int, Meta(ge=0, description="pictures that could not be decoded")]


class Health(Payload, frozen=True):
    v: Literal[1]
    time: Time
    uptime_s: Annotated[Number, Meta(description="since the service started")]
    fps: Annotated[float, Meta(ge=0, description="frames looked at per second, recently, including idle ones")]
    latency_ms: Annotated[
        HealthLatency, Meta(description="recent; null before the first frame and while the camera is stalled")
    ]
    frames: FrameCounts
    messages_dropped: Annotated[int, Meta(ge=0, description="not sent because the broker was unreachable or too slow")]
    connects: Annotated[int, Meta(ge=0, description="number of times that the service connected to the broker")]
    recording_dropped: Annotated[
        Count | None, Meta(description="frames that could not be recorded; null while recording is off")
    ]
    last_frame_age_s: Annotated[Number | None, Meta(description="since the last frame; null before the first one")]
    frame_age_ms: Annotated[
        float | None,
        Meta(description="age of the newest frame when it was received; null if the camera reports no time"),
    ]
    idle: Annotated[
        bool, Meta(description="no person is in view, and only frames in which something changes go to a network")
    ]
    camera: Annotated[
        Camera,
        Meta(
            description="stalled: it delivers no frames; blind: nothing can be seen in them, e.g. because it is dark; "
            "off: it is closed"
        ),
    ]
    pictures: Annotated[bool, Meta(description="the page shows the camera's picture now")]
    camera_reopened: Annotated[
        int, Meta(ge=0, description="number of times that the camera was reopened after a failure")
    ]
    backend: Backend
    backend_code: ReasonCode
    backend_reason: Annotated[str, Meta(description="why this backend is in use, and how to get the other one")]
    soc_temperature_c: Annotated[float | None, Meta(description="of the processor; null if it is not reported")]
    throttled: Annotated[
        bool | None, Meta(description="slowed down by heat or a weak power supply; null if it is not a Raspberry Pi")
    ]
    rss_mb: Annotated[Number | None, Meta(description="memory of the main process, MiB")]


# Created at import, because msgspec swallows KeyboardInterrupt while it inspects a new type.
read_keypoints = msgspec.json.Decoder(Keypoints).decode
read_health = msgspec.json.Decoder(Health).decode


def size_out(frame: Frame) -> Size:
    return Size(width=frame.width, height=frame.height)


def pose_out(person: Person) -> PoseOut:
    """A person's visible keypoints and the box around them."""
    return PoseOut(
        id=person.id,
        score=person.score,
        box=box_out(person.box),
        keypoints=tuple(
            KeypointOut(index=k, body_part=PARTS[k], x=point.x, y=point.y, confidence=point.confidence)
            for k, point in enumerate(person.keypoints)
            if point is not None
        ),
    )


def box_out(box: Box) -> tuple[float, float, float, float]:
    """Left, top, width and height."""
    return box.left, box.top, round(box.width, 1), round(box.height, 1)


def timestamp(wall_s: float) -> str:
    """Seconds since the epoch as 2026-11-22T18:00:00.123Z."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
