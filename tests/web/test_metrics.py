"""What Prometheus gets to read, by prometheus_client's own parser."""

import itertools
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from edge.errors import ReasonCode
from edge.mqtt.events import StateOut, read_state, unknown_state
from edge.mqtt.messages import Health, Info
from edge.mqtt.topics import Topics
from edge.rules.values import EVENT_TYPES
from edge.types import Message
from edge.web.metrics import BUCKETS_S, Metrics
from tests.docs.pages import Page
from tests.support.fakes import blank_frame
from tests.support.pipelines import empty_update

TOPICS = Topics("edge-pose", "hall")
EXAMPLES = {block.mark.removeprefix("message: "): block.text for block in Page("docs/mqtt.md").blocks}
HEALTH = msgspec.json.decode(EXAMPLES["health"], type=Health)
INFO = msgspec.json.decode(EXAMPLES["info"], type=Info)
STATE = read_state(EXAMPLES["state"])


def rendered(
    metrics: Metrics, info: Info | None = INFO, *, connected: bool = True, **health: Any
) -> dict[str, dict[tuple[str, ...], float]]:
    """The metrics by name and then by the values of their labels."""
    text = metrics.render(msgspec.structs.replace(HEALTH, **health), info, connected=connected).decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def state_message(state: StateOut) -> Message:
    return TOPICS.state_message(state, 30)


def event_message(rule: str, kind: str) -> Message:
    fields = msgspec.json.decode(EXAMPLES["event"]) | {"rule": rule, "event_type": kind}
    return Message(TOPICS.event(rule), msgspec.json.encode(fields))


def test_frames_are_counted_by_outcome_as_in_health() -> None:
    frames = msgspec.structs.replace(HEALTH.frames, processed=70, idle=20, dropped=8, unreadable=2)
    assert rendered(Metrics(TOPICS), frames=frames)["edge_pose_frames_total"] == {
        ("processed",): 70, ("idle",): 20, ("dropped",): 8, ("unreadable",): 2,
    }  # fmt: skip


def test_durations_are_in_the_bucket_up_to_their_limit_and_in_all_above() -> None:
    metrics = Metrics(TOPICS, monotonic=lambda: 10.0)
    for inference_s, frame_s in ((0.005, 0.0051), (0.06, 0.08), (9.0, 9.5)):
        metrics.publish(empty_update(blank_frame(0), 10.0 - frame_s, inference_s))
    found = rendered(metrics)
    inference = found["edge_pose_inference_seconds_bucket"]
    assert (inference["0.005",], inference["0.05",], inference["0.075",], inference["5.0",]) == (1, 1, 2, 2)
    assert inference["+Inf",] == found["edge_pose_inference_seconds_count"][()] == 3
    assert round(found["edge_pose_inference_seconds_sum"][()], 6) == 9.065
    frame = found["edge_pose_frame_seconds_bucket"]
    assert (frame["0.005",], frame["0.0075",], frame["0.075",], frame["0.1",]) == (0, 1, 1, 2)
    assert round(found["edge_pose_frame_seconds_sum"][()], 6) == 9.5851


def test_the_buckets_reach_from_an_edge_tpu_to_a_slow_processor() -> None:
    assert (BUCKETS_S[0], BUCKETS_S[-1]) == (0.005, 5.0)
    assert all(1.2 < upper / lower <= 2 for lower, upper in itertools.pairwise(BUCKETS_S))


def test_events_are_counted_by_rule_and_type_and_start_at_0() -> None:
    metrics = Metrics(TOPICS)
    every = {(rule, kind): 0.0 for rule, kinds in EVENT_TYPES.items() for kind in kinds}
    assert rendered(metrics)["edge_pose_events_total"] == every
    for rule, kind in (("fall", "suspected"), ("fall", "confirmed"), ("fall", "suspected"), ("zone", "left")):
        metrics.message(event_message(rule, kind))
    found = rendered(metrics)
    counted = {("fall", "suspected"): 2, ("fall", "confirmed"): 1, ("zone", "left"): 1}
    assert found["edge_pose_events_total"] == every | counted
    assert found["edge_pose_falls_total"] == {(): 1}


def test_messages_on_other_topics_are_not_counted() -> None:
    other = Topics("edge-pose", "event")  # its state ends in event/state
    metrics = Metrics(other)
    metrics.message(other.state_message(STATE, 30))
    metrics.message(other.snapshot_message(b"\x89PNG"))
    metrics.message(other.setting_message("fall", "ON"))
    metrics.message(event_message("fall", "confirmed"))  # of the device hall
    found = rendered(metrics)
    assert found["edge_pose_falls_total"] == {(): 0}
    assert found["edge_pose_people"] == {(): STATE.people}


def test_people_postures_zones_and_falls_are_those_of_the_newest_state() -> None:
    metrics = Metrics(TOPICS)
    metrics.message(state_message(STATE))
    newer = msgspec.structs.replace(STATE, people=3, standing=1, sitting=0, lying=2, fall=True, still_down=False)
    metrics.message(state_message(newer))
    found = rendered(metrics)
    assert found["edge_pose_people"] == {(): 3}
    assert found["edge_pose_people_by_posture"] == {("standing",): 1, ("sitting",): 0, ("lying",): 2}
    assert newer.zones
    assert found["edge_pose_zone_people"] == {(name,): zone.people for name, zone in newer.zones.items()}
    assert (found["edge_pose_fall"], found["edge_pose_still_down"]) == ({(): 1}, {(): 0})


def test_while_the_state_is_unknown_there_are_no_people_and_not_0() -> None:
    metrics = Metrics(TOPICS)
    room = {
        "edge_pose_people", "edge_pose_people_by_posture", "edge_pose_zone_people", "edge_pose_fall",
        "edge_pose_still_down",
    }  # fmt: skip
    assert not room & rendered(metrics).keys()  # before the first frame
    metrics.message(state_message(STATE))
    assert room <= rendered(metrics).keys()
    metrics.message(state_message(unknown_state(0)))
    assert not room & rendered(metrics).keys()


def test_unknown_values_are_absent() -> None:
    unknown = {"edge_pose_temperature_celsius": "soc_temperature_c", "edge_pose_throttled": "throttled",
               "edge_pose_last_frame_age_seconds": "last_frame_age_s",
               "edge_pose_recording_dropped_total": "recording_dropped"}  # fmt: skip
    zeros: dict[str, Any] = dict.fromkeys(unknown.values(), 0)
    known = rendered(Metrics(TOPICS), **zeros)
    assert all(known[name] == {(): 0} for name in unknown)
    text = Metrics(TOPICS).render(
        msgspec.structs.replace(HEALTH, **dict.fromkeys(unknown.values())), INFO, connected=True
    )
    assert not [name for name in unknown if name.encode() in text]


def test_exactly_one_state_of_the_camera_is_1() -> None:
    for camera in ("starting", "ok", "stalled", "blind", "off"):
        states = rendered(Metrics(TOPICS), camera=camera)["edge_pose_camera"]
        assert len(states) == 5
        assert [state for state, value in states.items() if value] == [(camera,)]


def test_a_viewer_of_the_picture_is_reported() -> None:
    assert rendered(Metrics(TOPICS), pictures=True)["edge_pose_pictures_watched"] == {(): 1}
    assert rendered(Metrics(TOPICS), pictures=False)["edge_pose_pictures_watched"] == {(): 0}


def test_broker_backend_and_machine_are_those_of_health() -> None:
    found = rendered(
        Metrics(TOPICS), connected=False, connects=4, messages_dropped=17, camera_reopened=2, backend="edgetpu",
        backend_code=ReasonCode.READY, soc_temperature_c=61.5, throttled=True,
    )  # fmt: skip
    assert found["edge_pose_mqtt_connected"] == {(): 0}
    assert found["edge_pose_mqtt_connects_total"] == {(): 4}
    assert found["edge_pose_messages_dropped_total"] == {(): 17}
    assert found["edge_pose_camera_reopened_total"] == {(): 2}
    assert set(found["edge_pose_backend_info"]) == {("ready", "edgetpu")}
    assert found["edge_pose_temperature_celsius"] == {(): 61.5}
    assert found["edge_pose_throttled"] == {(): 1}


def test_device_and_model_are_absent_before_the_first_frame() -> None:
    found = rendered(Metrics(TOPICS), None)
    assert "edge_pose_build_info" in found
    assert not {"edge_pose_model_info", "edge_pose_device_info"} & found.keys()
    assert {"edge_pose_model_info", "edge_pose_device_info"} <= rendered(Metrics(TOPICS)).keys()


def test_the_process_reports_its_memory_and_its_start() -> None:
    found = rendered(Metrics(TOPICS))
    assert found["process_resident_memory_bytes"][()] > 10_000_000
    assert found["process_start_time_seconds"][()] < time.time()


def test_names_of_zones_are_escaped() -> None:
    metrics = Metrics(TOPICS)
    assert STATE.zones
    zone = next(iter(STATE.zones.values()))
    metrics.message(state_message(msgspec.structs.replace(STATE, zones={'by the "door"\\': zone})))
    assert set(rendered(metrics)["edge_pose_zone_people"]) == {('by the "door"\\',)}


def test_what_is_rendered_while_frames_are_counted_is_consistent_and_never_goes_back() -> None:
    metrics, done = Metrics(TOPICS), threading.Event()

    def count() -> None:
        for n in range(20_000):
            metrics.publish(empty_update(blank_frame(0), time.monotonic() - 0.02, n % 30 / 1e3))
        done.set()

    thread = threading.Thread(target=count)
    thread.start()
    counts = [0.0]
    while not done.is_set():
        found = rendered(metrics)
        assert found["edge_pose_inference_seconds_bucket"]["+Inf",] == found["edge_pose_inference_seconds_count"][()]
        counts.append(found["edge_pose_inference_seconds_count"][()])
    thread.join()
    assert counts == sorted(counts)
    assert rendered(metrics)["edge_pose_inference_seconds_count"] == {(): 20_000}


def test_prometheus_client_is_not_imported_until_it_is_needed() -> None:
    program = "import sys, edge.web.metrics; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
