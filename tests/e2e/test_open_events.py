"""Open events over restarts: the whole daemon with a real broker and a painted fall."""

import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.topics import Topics
from edge.types import Message
from tests.support.brokers import Mosquitto
from tests.support.sensor import Ear, ear, run_edge, sensor
from tests.support.waiting import until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

TOPICS = Topics("edge-pose", "test")
# The painted person falls two seconds after the start, and gets up again.
FALL = {"camera.source": "synthetic:fall", "camera.fps": 15, "fall.confirm_s": 0.5, "mqtt.heartbeat_s": 5}


def event(heard: Ear, rule: str, type_: str) -> dict[str, Any]:
    """The next event of a rule and type."""
    message = heard.listen(
        lambda one: one.topic.endswith(f"/event/{rule}") and json.loads(one.payload)["event_type"] == type_
    )
    return json.loads(message.payload)  # type: ignore[no-any-return]


def next_state(heard: Ear) -> dict[str, Any]:
    """The next state that is known."""
    message = heard.listen(lambda one: one.topic == TOPICS.state and json.loads(one.payload)["people"] is not None)
    return json.loads(message.payload)  # type: ignore[no-any-return]


def test_a_fall_outlasts_a_killed_service_and_is_cleared_when_the_person_stands(
    mosquitto: Start, tmp_path: Path
) -> None:
    port, recordings = mosquitto().port, tmp_path / "recordings"
    settings = FALL | {"recording.enabled": True, "recording.folder": recordings}
    with ear(port) as heard:
        with sensor(tmp_path, port, settings) as daemon:
            arrived, confirmed = event(heard, "presence", "arrived"), event(heard, "fall", "confirmed")
            file = tmp_path / "state/test.open_events.json"
            until(lambda: file.exists() and '"still_down"' in file.read_text())
            daemon.stop(signal.SIGKILL)
            heard.topic("status", b"offline")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        before = len(heard.heard)
        with sensor(tmp_path, port, settings) as daemon:
            left = event(heard, "presence", "left")
            assert (left["id"], left["reasons"]) == (arrived["id"], ["restarted"])
            assert next_state(heard)["fall"] is True
            cleared = event(heard, "fall", "cleared")
            assert (cleared["id"], cleared["started"]) == (confirmed["id"], confirmed["started"])
            assert cleared["duration_s"] > confirmed["duration_s"] + 1
            again = event(heard, "fall", "confirmed")
            assert again["id"] != confirmed["id"]
            daemon.assert_stops()
        heard.topic("status", b"offline")
    published = [json.loads(one.payload) for one in heard.heard[before:] if "/event/" in one.topic]
    replayed = [json.loads(line) for line in run_edge("replay", "--json", str(recordings)).stdout.splitlines()]
    assert replayed[-len(published) :] == published
    assert heard.all("event/fall")[-1]["event_type"] in {"confirmed", "still_down"}, "a stop ends no confirmed fall"


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGTERM, "stopped"), (signal.SIGHUP, "restarted")])
def test_events_end_before_the_service_goes_offline(
    mosquitto: Start, tmp_path: Path, number: signal.Signals, reason: str
) -> None:
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text("")
    with ear(port) as heard, sensor(tmp_path, port, FALL, config=config) as daemon:
        confirmed = event(heard, "fall", "confirmed")
        daemon.process.send_signal(number)
        offline = heard.topic("status", b"offline")
        assert [(one["rule"], one["event_type"], one["reasons"]) for one in events_before(heard, offline)][-1:] == [
            ("presence", "left", [reason])
        ]
        assert json.loads(last(heard, TOPICS.state))["people"] is None
        if number == signal.SIGHUP:
            assert next_state(heard)["fall"] is True
            assert event(heard, "fall", "cleared")["id"] == confirmed["id"]
            daemon.assert_stops()


def events_before(heard: Ear, message: Message) -> list[dict[str, Any]]:
    before = heard.heard[: heard.heard.index(message)]
    return [json.loads(one.payload) for one in before if "/event/" in one.topic]


def last(heard: Ear, topic: str) -> bytes:
    return next(one.payload for one in reversed(heard.heard) if one.topic == topic)
