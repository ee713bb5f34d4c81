"""The wire contract: every topic, every payload, how it is sent, and its JSON Schema. Nothing else spells a topic.

Unknown is null and never zero; what was not seen is left out. Within `"v": 1` fields are only ever added.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from edge.errors import ReasonCode
from edge.skeleton import PARTS
from edge.types import Backend, Frame, Message, Track

SCHEMA_VERSION: Final = 1
KEYPOINTS_EXPIRY_S = 5
MISSED_HEARTBEATS = 3

Time = Annotated[str, Meta(description="UTC, ISO 8601 with milliseconds",
                           pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]  # fmt: skip
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Number = Annotated[float, Meta(ge=0)]


class Payload(Struct, frozen=True, kw_only=True):
    """A JSON object. Those who read it pass over what they do not know, since fields may be added."""


class Size(Payload, frozen=True):
    width: Annotated[int, Meta(ge=1, description="px")]
    height: Annotated[int, Meta(ge=1, description="px")]


class FrameLatency(Payload, frozen=True):
    inference: Annotated[float, Meta(ge=0, description="the network alone")]
    total: Annotated[float, Meta(ge=0, description="from the frame in hand to this message")]


class KeypointOut(Payload, frozen=True):
    index: Annotated[int, Meta(ge=0, le=16)]
    body_part: str
    x: Annotated[float, Meta(description="px of the frame, to the right")]
    y: Annotated[float, Meta(description="px of the frame, downwards")]
    confidence: Share


class PoseOut(Payload, frozen=True):
    id: Annotated[int | None, Meta(description="the same person keeps it, nobody else gets it; null for newcomers")]
    score: Share
    box: Annotated[
        tuple[float, float, float, float], Meta(description="x, y, width, height of the visible keypoints, px")
    ]
    keypoints: Annotated[tuple[KeypointOut, ...], Meta(description="only those that are sure enough")]


class Keypoints(Payload, frozen=True):
    v: Literal[1]
    seq: Annotated[
        int,
        Meta(
            ge=0,
            description="number of the frame; a gap is one that was dropped, unreadable or held back",
        ),
    ]
    time: Time
    frame: Size
    latency_ms: FrameLatency
    poses: tuple[PoseOut, ...]


class ModelOut(Payload, frozen=True):
    name: str
    sha256: str
    verified: Annotated[bool, Meta(description="whether the checksum is one of the catalogue")]
    input_size: Annotated[tuple[int, int], Meta(description="height, width, px")]


class RuntimeOut(Payload, frozen=True):
    name: str
    threads: Count


class BackendOut(Payload, frozen=True):
    name: Backend
    code: ReasonCode
    reason: Annotated[str, Meta(description="why this one, and what to do if it should be another")]


class GrantedOut(Payload, frozen=True):
    model: str | None
    format: Annotated[str, Meta(description="of the pixels as they come")]
    pixels: Annotated[Size, Meta(description="that come for the whole frame, before it is turned")]
    fps: Annotated[float | None, Meta(description="null where the camera does not tell")]
    autofocus: Annotated[str | None, Meta(description="continuous, auto or manual; null where the lens is fixed")]


class CameraOut(Payload, frozen=True):
    source: str
    frame: Annotated[Size | None, Meta(description="null until the first frame")]
    fps: Annotated[float, Meta(ge=0, description="asked for; 0 = as fast as it goes")]
    rotation: int
    mirror: bool
    granted: Annotated[
        GrantedOut | None, Meta(description="what the camera really does; null until a frame, and where none tells")
    ]


class Info(Payload, frozen=True):
    v: Literal[1]
    version: str
    device: dict[Literal["id", "name"], str]
    problem: Annotated[
        str | None, Meta(description="what has ended it, what to do, and what happens next; null while it works")
    ]
    # Null is what was not known yet when the problem came.
    model: ModelOut | None
    runtime: RuntimeOut | None
    backend: BackendOut | None
    camera: CameraOut | None


class Quantiles(Payload, frozen=True):
    median: Number
    p95: Number


class HealthLatency(Payload, frozen=True):
    inference: Quantiles | None
    total: Quantiles | None


class FrameCounts(Payload, frozen=True):
    processed: Count
    dropped: Annotated[int, Meta(ge=0, description="newer ones were there before they could be processed")]
    unreadable: Annotated[int, Meta(ge=0, description="pictures that could not be decoded")]


class Health(Payload, frozen=True):
    v: Literal[1]
    time: Time
    uptime_s: Number
    fps: Annotated[float, Meta(ge=0, description="frames processed a second, of late")]
    latency_ms: Annotated[HealthLatency, Meta(description="of late; null before the first frame, and without frames")]
    frames: FrameCounts
    messages_dropped: Annotated[int, Meta(ge=0, description="while the broker could not be reached")]
    connects: Annotated[int, Meta(ge=0, description="times the broker accepted us")]
    last_frame_age_s: Number | None
    frame_age_ms: Annotated[
        float | None,
        Meta(description="of the newest frame when it was taken in hand; null if the camera tells no time"),
    ]
    camera: Literal["starting", "ok", "stalled"]
    camera_reopened: Annotated[int, Meta(ge=0, description="times that a camera which had failed could be opened")]
    backend: Backend
    backend_code: ReasonCode
    backend_reason: Annotated[str, Meta(description="why this one, and what to do if it should be another")]
    soc_temperature_c: float | None
    throttled: bool | None
    rss_mb: Number | None


# Made at once: while it reads a type for the first time, msgspec swallows what signal handlers raise, e.g. at Ctrl-C.
read_keypoints = msgspec.json.Decoder(Keypoints).decode

PAYLOADS: dict[str, type[Payload]] = {"keypoints": Keypoints, "info": Info, "health": Health}


def schemas() -> dict[str, dict[str, Any]]:
    """Topic name -> JSON Schema of its payload. `status` is plain text: online or offline."""
    return {name: msgspec.json.schema(payload) for name, payload in PAYLOADS.items()}


class Topics:
    """The topics of one device, and the messages on them."""

    def __init__(self, base_topic: str, device_id: str) -> None:
        self.root = f"{base_topic}/{device_id}"
        self.status = f"{self.root}/status"
        self.info = f"{self.root}/info"
        self.keypoints = f"{self.root}/keypoints"
        self.health = f"{self.root}/health"

    def status_message(self, *, online: bool) -> Message:
        return Message(self.status, b"online" if online else b"offline", qos=1, retain=True)

    def info_message(self, info: Info) -> Message:
        return Message(self.info, msgspec.json.encode(info), qos=1, retain=True)

    def keypoints_message(self, keypoints: Keypoints) -> Message:
        return Message(self.keypoints, msgspec.json.encode(keypoints), expiry_s=KEYPOINTS_EXPIRY_S)

    def health_message(self, health: Health, heartbeat_s: float) -> Message:
        expiry_s = max(round(MISSED_HEARTBEATS * heartbeat_s), 1)
        return Message(self.health, msgspec.json.encode(health), qos=1, retain=True, expiry_s=expiry_s)


def size_out(frame: Frame) -> Size:
    return Size(width=frame.width, height=frame.height)


def pose_out(person: Track) -> PoseOut:
    """A person with the visible keypoints alone; the box is around those."""
    pose = person.pose
    seen = pose.visible.nonzero()[0]
    # In float64, where 97.6 is 97.6; in float32 it would go out as 97.5999984741211.
    xy = pose.xy[seen].astype(np.float64).round(1).tolist()
    xs, ys = zip(*xy, strict=True)
    left, top = min(xs), min(ys)
    confidences = pose.confidence[seen].astype(np.float64).round(3).tolist()
    return PoseOut(
        id=person.id,
        score=round(pose.score, 3),
        box=(left, top, round(max(xs) - left, 1), round(max(ys) - top, 1)),
        keypoints=tuple(
            KeypointOut(index=k, body_part=PARTS[k], x=x, y=y, confidence=confidence)
            for k, (x, y), confidence in zip(seen.tolist(), xy, confidences, strict=True)
        ),
    )


def timestamp(wall_s: float) -> str:
    """Seconds of the epoch as 2026-11-22T18:00:00.123Z."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
