"""Messages of a sensor that watches a room, as the page gets them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from edge import __version__
from edge.skeleton import PARTS
from edge.types import Person
from tests.support.people import person

Json = dict[str, Any]
START_TIME = datetime(2026, 12, 1, 18, tzinfo=UTC)
ZONES = [{"name": "bed", "points": [[0.05, 0.6], [0.4, 0.6], [0.4, 0.95], [0.05, 0.95]], "kind": "bed"}]
LINES = [{"name": "door", "from": [0.7, 0.95], "to": [0.7, 0.5]}]


def timestamp(after_s: float = 0, start: datetime = START_TIME) -> str:
    time = start + timedelta(seconds=after_s)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return timestamp(start=datetime.now(UTC))


def info(name: str = "Hall", **changes: Any) -> Json:
    return {
        "v": 1, "version": __version__, "device": {"id": "hall", "name": name}, "problem": None,
        "model": {"name": "posenet", "sha256": "00", "verified": True, "input_size": [353, 481]},
        "runtime": {"name": "litert", "threads": 1},
        "backend": {"name": "cpu", "code": "configured", "reason": "inference.device = cpu"},
        "camera": {
            "source": "picamera2", "frame": {"width": 640, "height": 480}, "fps": 15.0, "rotation": 0, "mirror": False,
            "granted": None,
        },
        "second_opinion": None, "overrides": {}, **changes,
    }  # fmt: skip


def state(*persons: tuple[int, str], time: str | None = None, **changes: Any) -> Json:
    """The state with these people: ID and posture."""
    count = {name: sum(posture == name for _, posture in persons) for name in ("standing", "sitting", "lying")}
    return {
        "v": 1, "time": time or now(), "seq": 1, "present": bool(persons), "people": len(persons), **count,
        "fall": False, "still_down": False, "moving": True, "zones": {},
        "persons": [{"id": id_, "posture": posture, "zones": [], "since": now()} for id_, posture in persons],
        **changes,
    }  # fmt: skip


def unknown_state() -> Json:
    return {"v": 1, "time": now()} | dict.fromkeys(state().keys() - {"v", "time"})


def health(camera: str = "ok", **changes: Any) -> Json:
    return {
        "v": 1, "time": now(), "uptime_s": 86400.5, "fps": 14.9,
        "latency_ms": {"inference": {"median": 10.4, "p95": 11.9}, "total": {"median": 12.1, "p95": 14.2}},
        "frames": {"processed": 209114, "idle": 0, "dropped": 12, "unreadable": 0}, "messages_dropped": 0,
        "connects": 1, "recording_dropped": None, "last_frame_age_s": 0.04, "frame_age_ms": 31.5, "idle": False,
        "camera": camera, "camera_reopened": 0, "backend": "cpu", "backend_code": "configured",
        "backend_reason": "inference.device = cpu", "soc_temperature_c": 54.2, "throttled": False, "rss_mb": 141.3,
        "pictures": False,
        **changes,
    }  # fmt: skip


def event(number: int, rule: str, phase: str, person_: int | None = 3, **changes: Any) -> Json:
    return {
        "v": 1, "id": f"{number:016x}", "event_type": phase, "rule": rule, "person": person_, "zone": None, "seq": 1,
        "time": timestamp(number), "started": timestamp(number), "duration_s": 0.5, "confidence": 0.9, "reasons": [],
        **changes,
    }  # fmt: skip


def people(count: int) -> list[Person]:
    """People side by side, in rows of ten."""
    return [person(n + 1, at=(n % 10 * 60 - 40, n // 10 * 110 + 10), scale=0.45) for n in range(count)]


def keypoints(number: int, count: int) -> Json:
    """The message of frame `number`: people who walk to and fro."""
    poses = []
    for one in people(count):
        shift = abs(number % 200 - 100) * 2.0
        points = [
            {"index": k, "body_part": PARTS[k], "x": point.x + shift, "y": point.y, "confidence": point.confidence}
            for k, point in enumerate(one.keypoints)
            if point is not None
        ]
        box = [one.box.left + shift, one.box.top, one.box.width, one.box.height]
        poses.append({"id": one.id, "score": one.score, "box": box, "keypoints": points})
    return {
        "v": 1, "seq": number, "time": timestamp(number / 15), "frame": {"width": 640, "height": 480},
        "latency_ms": {"inference": 10.4, "total": 12.1}, "poses": poses,
    }  # fmt: skip


SETTINGS = {
    "enabled": "ON", "min_confidence": "0.3", "max_rate_hz": "0", "presence": "ON", "posture": "ON", "fall": "ON",
    "gestures": "ON", "fall_confirm_s": "2", "presence_leave_s": "5",
}  # fmt: skip
LIMITS = {
    "min_confidence": [0, 1],
    "max_rate_hz": [0, 1000],
    "fall_confirm_s": [0.5, 10],
    "presence_leave_s": [1, 3600],
}
START: list[tuple[str, Json]] = [
    ("status", {"connected": True}),
    ("info", info()),
    ("settings", {"values": SETTINGS, "limits": LIMITS}),
    ("places", {"zones": ZONES, "lines": LINES, "changed": False, "toml": ""}),
    ("pictures", {"allowed": False, "watched": False}),
]


def second(number: int) -> list[tuple[str, Json]]:
    """What comes in second `number` besides keypoints: each kind of message at its usual rate."""
    persons = [(1 + (number // 60 + one) % 50, "standing") for one in range(3)]  # people come and go
    messages: list[tuple[str, Json]] = [("state", state(*persons, time=timestamp(number)))]
    if number % 2 == 0:
        texts = ("Feet are visible.", "People are far away.")
        verdict = {"code": "good", "level": "good", "text": texts[number // 60 % 2], "remedy": ""}
        messages.append(("aim", {"watched_s": 60.0, "verdicts": [verdict]}))
    if number % 5 == 0:
        readings = [(number + one) % 15 + 0.5 for one in range(120)]
        series = dict.fromkeys(("fps", "inference_ms", "temperature_c", "dropped"), readings)
        messages += [("history", {"period_s": 5, **series}), ("health", health(time=timestamp(number)))]
    if number % 10 == 0:
        messages.append(("event", event(number, "zone", "entered", number % 50, zone="bed", reasons=["a reason"])))
    return messages
