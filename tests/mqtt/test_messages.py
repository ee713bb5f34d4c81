"""The wire contract: topics, payloads and schemas."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

from edge.errors import ReasonCode
from edge.mqtt import messages
from edge.mqtt.messages import pose_out, timestamp
from edge.mqtt.topics import Topics, schemas
from edge.people.observing import rounded
from edge.types import Pose, Track
from tests.support.contract import content

TOPICS = Topics("edge-pose", "edge-0a1b2c")


def pose() -> Pose:
    xy = np.arange(34, dtype=np.float32).reshape(17, 2) * 10 + 0.04
    confidence = np.linspace(0.2, 0.99, 17, dtype=np.float32)
    return Pose(xy, confidence, confidence >= 0.5, 0.61234)


def person(id_: int | None = 3) -> Track:
    return Track(id_, pose(), 100.0, 101.0)


def keypoints(*people: Track) -> messages.Keypoints:
    return messages.Keypoints(
        v=messages.SCHEMA_VERSION,
        seq=1234,
        time=timestamp(1_795_370_400.1234),
        frame=messages.Size(width=640, height=480),
        latency_ms=messages.FrameLatency(inference=10.4, total=12.1),
        poses=tuple(map(pose_out, map(rounded, people))),
    )


def test_a_keypoints_message_follows_the_contract() -> None:
    message = TOPICS.keypoints_message(keypoints(person()))
    assert (message.topic, message.qos, message.retain, message.expiry_s) == (
        "edge-pose/edge-0a1b2c/keypoints",
        0,
        False,
        5,
    )
    document = content(message)
    assert document["v"] == 1
    assert document["seq"] == 1234
    assert document["time"] == "2026-11-22T18:00:00.123Z"
    assert document["frame"] == {"width": 640, "height": 480}
    (one,) = document["poses"]
    assert one["id"] == 3
    assert one["score"] == 0.612
    seen = [k for k in range(17) if pose().visible[k]]
    assert [keypoint["index"] for keypoint in one["keypoints"]] == seen
    first = one["keypoints"][0]
    assert first == {"index": 7, "body_part": "LEFT_ELBOW", "x": 140.0, "y": 150.0, "confidence": 0.546}
    assert one["box"] == [140.0, 150.0, 180.0, 180.0]


def test_numbers_are_rounded_to_their_precision() -> None:
    """97.6 instead of 97.5999984741211, for example."""
    payload = TOPICS.keypoints_message(keypoints(person(), person())).payload
    numbers = re.findall(r"\d+\.\d+", payload.decode())
    longest = max(map(len, numbers))
    assert longest <= len("1234.5")


def test_the_id_of_an_unconfirmed_person_is_null() -> None:
    document = content(TOPICS.keypoints_message(keypoints(person(None), person(8))))
    assert [one["id"] for one in document["poses"]] == [None, 8]


def test_a_frame_without_people_gives_a_message_without_poses() -> None:
    assert content(TOPICS.keypoints_message(keypoints()))["poses"] == []


def test_status_is_retained_and_never_expires() -> None:
    for online, payload in ((True, b"online"), (False, b"offline")):
        message = TOPICS.status_message(online=online)
        assert (message.topic, message.payload, message.qos, message.retain, message.expiry_s) == (
            "edge-pose/edge-0a1b2c/status",
            payload,
            1,
            True,
            None,
        )


def test_health_expires_after_three_heartbeats() -> None:
    health = messages.Health(
        v=messages.SCHEMA_VERSION,
        time=timestamp(0),
        uptime_s=1,
        fps=0,
        latency_ms=messages.HealthLatency(inference=None, total=None),
        frames=messages.FrameCounts(processed=0, idle=0, dropped=0, unreadable=0),
        frame_age_ms=None,
        camera_reopened=0,
        pictures=False,
        messages_dropped=0,
        connects=0,
        recording_dropped=None,
        last_frame_age_s=None,
        idle=False,
        camera="starting",
        backend="cpu",
        backend_code=ReasonCode.CONFIGURED,
        backend_reason="inference.device = cpu",
        soc_temperature_c=None,
        throttled=None,
        rss_mb=None,
    )
    message = TOPICS.health_message(health, heartbeat_s=20)
    assert (message.qos, message.retain, message.expiry_s) == (1, True, 60)
    document = content(message)
    assert document["last_frame_age_s"] is None  # unknown values are null, not left out


def test_the_schema_rejects_breaches_of_the_contract() -> None:
    document = json.loads(TOPICS.keypoints_message(keypoints(person())).payload)
    breaches: list[dict[str, Any]] = [{"v": 2}, {"time": "yesterday"}, {"seq": -1}, {"poses": [{}]}]
    for breach in breaches:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | breach, schemas()["keypoints"])
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(document | breach), type=messages.Keypoints)


def test_readers_ignore_fields_that_a_later_version_adds() -> None:
    document = json.loads(TOPICS.keypoints_message(keypoints(person())).payload)
    document["added"] = document["poses"][0]["added"] = 1
    assert msgspec.json.decode(json.dumps(document), type=messages.Keypoints).seq == 1234
    jsonschema.validate(document, schemas()["keypoints"])
