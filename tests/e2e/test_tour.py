"""The rules report what happens in the tour, through the real network."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.cli.demo_sensor import TOUR, TOUR_SETTINGS
from edge.scenes.tour import FIRST, STOP_FRAMES, STOPS, stop_at
from edge.types import Message
from tests.support.brokers import Mosquitto
from tests.support.sensor import ear, sensor
from tests.support.waiting import LONG_S

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ROUND = STOP_FRAMES * len(STOPS) - FIRST  # frames of the first round


def sequence_of(message: Message) -> int:
    number: int = json.loads(message.payload)["seq"]
    return number


def test_the_rules_report_what_happens_in_the_tour(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    port = mosquitto().port
    settings = {"camera.source": TOUR, "camera.fps": 0, **TOUR_SETTINGS}
    with ear(port) as heard, sensor(tmp_path, port, settings):
        heard.listen(
            lambda message: message.topic.endswith("/keypoints") and sequence_of(message) >= ROUND - 1,
            timeout_s=10 * LONG_S,
        )

    def scene_of(message: Any) -> str:
        return stop_at(message["seq"]).name

    phases: dict[tuple[str, str], list[str]] = defaultdict(list)  # (scene, rule) -> phases in order
    for rule in ("presence", "zone", "line", "fall", "gesture"):
        for event in heard.all(f"event/{rule}"):
            phases[scene_of(event), rule].append(event["event_type"])
    ids: dict[str, set[int]] = defaultdict(set)
    for message in heard.all("keypoints"):
        ids[scene_of(message)] |= {pose["id"] for pose in message["poses"]} - {None}
    states = [state for state in heard.all("state") if state["persons"]]
    postures = {(scene_of(state), person["posture"]) for state in states for person in state["persons"]}

    assert {name: len(found) for name, found in ids.items()} == {"walk": 1, "wave": 1, "cross": 2, "sit": 1, "fall": 1}
    assert {stop.name: phases.pop((stop.name, "presence")) for stop in STOPS} == {
        stop.name: ["arrived", "left"] for stop in STOPS
    }
    assert phases.pop(("fall", "fall")) == ["suspected", "confirmed", "cleared"]
    assert phases.pop(("wave", "gesture"))[-4:] == ["waving", "ended", "left_hand_raised", "ended"]
    assert {scene for scene, posture in postures if posture == "sitting"} >= {"sit"}
    assert {scene for scene, posture in postures if posture == "lying"} == {"fall"}
    assert phases.pop(("sit", "zone")) == ["entered", "left"]
    assert phases.pop(("walk", "zone")) == phases.pop(("cross", "zone")) == ["entered", "left"] * 2
    assert phases.pop(("walk", "line")) == ["crossed_out", "crossed_in", "crossed_out"]
    assert phases.pop(("sit", "line")) == ["crossed_in"]
    assert phases.pop(("fall", "line")) == ["crossed_in", "crossed_out"]
    assert sorted(phases.pop(("cross", "line"))) == ["crossed_in"] * 4 + ["crossed_out"] * 4
    assert not phases, "events that did not happen"
