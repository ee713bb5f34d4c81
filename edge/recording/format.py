"""The format of recordings: JSON Lines, one Struct per kind of line. docs/recording.md explains it.

The first line of a file is a `header`. Within `"v": 1`, fields may be added but never removed or changed.
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from edge.mqtt.messages import Count, PoseOut, Size, Time, pose_out, timestamp
from edge.rules.episode import OpenEvent
from edge.rules.falling import OpenFall
from edge.types import Observation, Person, Point, box_around

FORMAT_VERSION: Final = 1
KEYPOINTS = 17


class Line(Struct, frozen=True, kw_only=True, tag_field="line"):
    """A line of a recording. Readers must ignore unknown fields, since fields may be added."""


class Header(Line, frozen=True, tag="header"):
    v: Annotated[int, Meta(ge=1, description="version of this format")]
    version: Annotated[str, Meta(description="version of edge-pose")]
    device: Annotated[str, Meta(description="ID in topics; IDs of events depend on it")]
    run: Annotated[str, Meta(description="the same in all files that one run of the service has written")]
    part: Annotated[Count, Meta(description="number of this header in the run, from 0")]
    time: Annotated[Time, Meta(description="of the first frame in this file")]
    frame: Annotated[Size, Meta(description="of all frames in this file")]
    rules: Annotated[dict[str, Any], Meta(description="the tables of the configuration that set up the rules")]


class FrameLine(Line, frozen=True, tag="frame"):
    seq: Annotated[int, Meta(ge=0, description="number of the frame, as in keypoints")]
    time: Time
    monotonic_s: Annotated[float, Meta(description="when the frame was taken, on a clock that never jumps")]
    poses: Annotated[tuple[PoseOut, ...], Meta(description="as in keypoints")]


class Gap(Line, frozen=True, tag="gap"):
    frames: Annotated[Count, Meta(description="frames that could not be recorded here")]


class End(Line, frozen=True, tag="end"):
    reason: Annotated[str, Meta(description="why no picture followed for a while, as in the events that ended here")]
    stopped: Annotated[bool, Meta(description="whether the service stopped, which also ends suspected falls")]


class Cleared(Line, frozen=True, tag="cleared"):
    reason: Annotated[str, Meta(description="why all confirmed falls ended here, as in their events")]


class Resumed(Line, frozen=True, tag="resumed"):
    falls: Annotated[tuple[OpenFall, ...], Meta(description="confirmed falls from before a restart, which go on")]
    events: Annotated[tuple[OpenEvent, ...], Meta(description="other events, which end with the first frame")]


AnyLine = Header | FrameLine | Gap | End | Cleared | Resumed

# Created at import, because msgspec swallows KeyboardInterrupt while it inspects a new type.
_decoder = msgspec.json.Decoder(AnyLine)
_encoder = msgspec.json.Encoder()


def encode(line: AnyLine) -> bytes:
    """A line with its end."""
    return _encoder.encode(line) + b"\n"


def decode(line: bytes) -> AnyLine:
    """Raises msgspec.DecodeError, also if fields are missing or out of range."""
    return _decoder.decode(line)


def schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    return msgspec.json.schema(AnyLine)


def frame_line(seen: Observation) -> FrameLine:
    return FrameLine(
        seq=seen.sequence,
        time=timestamp(seen.wall_s),
        monotonic_s=seen.monotonic_s,
        poses=tuple(map(pose_out, seen.people)),
    )


def observation(line: FrameLine, frame: Size) -> Observation:
    """The observation that `frame_line` has written, exactly. Raises ValueError if a pose has no keypoints."""
    return Observation(
        line.seq,
        line.monotonic_s,
        datetime.fromisoformat(line.time).timestamp(),
        frame.width,
        frame.height,
        tuple(map(_person, line.poses)),
    )


def _person(pose: PoseOut) -> Person:
    keypoints: list[Point | None] = [None] * KEYPOINTS
    for keypoint in pose.keypoints:
        keypoints[keypoint.index] = Point(keypoint.x, keypoint.y, keypoint.confidence)
    # Width and height in `box` are rounded once more, so its corners would not be the same.
    box = box_around(point[:2] for point in keypoints if point is not None)
    return Person(pose.id, pose.score, box, tuple(keypoints))
