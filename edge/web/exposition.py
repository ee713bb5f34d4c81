"""Write readings in the text format of Prometheus. An unknown value is left out, never 0."""

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from edge import __version__
from edge.mqtt.events import StateOut
from edge.mqtt.messages import Camera, Health, Info
from edge.web.metrics import Histogram, Readings


def exposition(readings: Readings) -> bytes:
    """All metrics of the sensor, and those of its process: memory, processor time, and its start."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Readings(readings))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Readings(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        """The metrics that have a value."""
        return (metric for metric in _metrics(self._readings) if metric.samples)


def _metrics(readings: Readings) -> Iterator[Metric]:
    health = readings.health
    yield from _frames(health)
    yield _histogram("inference", "Time that the network took for a frame.", readings.inference)
    yield _histogram("frame", "Time from receiving a frame until its results were published.", readings.frame)
    yield from _camera(health)
    yield from _room(readings.state)
    yield from _events(readings.events)
    yield from _broker(health, connected=readings.connected)
    yield _gauge("temperature_celsius", "Temperature of the processor.", health.soc_temperature_c)
    yield _gauge("throttled", "Whether heat or a weak power supply slows the processor down.", health.throttled)
    yield from _facts(health, readings.info)


def _frames(health: Health) -> Iterator[Metric]:
    frames = health.frames
    outcomes = {
        "processed": frames.processed,
        "idle": frames.idle,
        "dropped": frames.dropped,
        "unreadable": frames.unreadable,
    }
    family = CounterMetricFamily("edge_pose_frames", "Frames of the camera by outcome.", labels=["outcome"])
    for outcome, count in outcomes.items():
        family.add_metric([outcome], count)
    yield family
    yield _gauge("frames_per_second", "Frames looked at per second over the last 5 s, including idle ones.", health.fps)
    yield _gauge("last_frame_age_seconds", "Time since the last frame.", health.last_frame_age_s)
    yield _gauge("idle", "Whether only frames in which something changes go to a network.", health.idle)


def _camera(health: Health) -> Iterator[Metric]:
    states = {state: state == health.camera for state in get_args(Camera)}
    yield _gauges("camera", "State of the camera: 1 for the current state.", "state", states)
    yield _gauge("pictures_watched", "Whether the page shows the picture of the camera now.", health.pictures)
    yield _counter("camera_reopened", "Times that the camera was reopened after a failure.", health.camera_reopened)


def _room(state: StateOut | None) -> Iterator[Metric]:
    """People and falls; nothing while the state of the room is unknown."""
    if state is None:
        return
    postures = {"standing": state.standing, "sitting": state.sitting, "lying": state.lying}
    zones = {name: zone.people for name, zone in (state.zones or {}).items()}
    yield _gauge("people", "People in view.", state.people)
    yield _gauges("people_by_posture", "People in view, by posture.", "posture", postures)
    yield _gauges("zone_people", "People in a zone.", "zone", zones)
    yield _gauge("fall", "Whether a fall is confirmed and not cleared.", state.fall)
    yield _gauge("still_down", "Whether a fallen person is still on the floor.", state.still_down)


def _events(counts: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    family = CounterMetricFamily("edge_pose_events", "Phases of events, by rule and type.", labels=["rule", "type"])
    for labels, count in counts.items():
        family.add_metric(labels, count)
    yield family
    yield _counter("falls", "Confirmed falls.", counts["fall", "confirmed"])


def _broker(health: Health, *, connected: bool) -> Iterator[Metric]:
    yield _gauge("mqtt_connected", "Whether the broker is connected.", connected)
    yield _counter("mqtt_connects", "Connections to the broker.", health.connects)
    dropped = "Messages not sent because the broker was unreachable or too slow."
    yield _counter("messages_dropped", dropped, health.messages_dropped)
    yield _counter("recording_dropped", "Frames that could not be recorded.", health.recording_dropped)


def _facts(health: Health, info: Info | None) -> Iterator[Metric]:
    backend = {"name": health.backend, "code": health.backend_code.value}
    yield InfoMetricFamily("edge_pose_backend", "What runs the network, and why.", backend)
    yield InfoMetricFamily("edge_pose_build", "The version of edge-pose.", {"version": __version__})
    if info is None:
        return
    device = {"id": info.device["id"], "name": info.device["name"]}
    yield InfoMetricFamily("edge_pose_device", "The sensor.", device)
    if info.model is not None and info.runtime is not None:
        second = (info.second_opinion and info.second_opinion.model) or ""
        model = {"name": info.model.name, "runtime": info.runtime.name, "second": second}
        yield InfoMetricFamily("edge_pose_model", "The network, and the second one if there is one.", model)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(f"edge_pose_{name}", text)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, int | None]) -> Metric:
    """A gauge with a sample for each value that is known, by its label."""
    family = GaugeMetricFamily(f"edge_pose_{name}", text, labels=[label])
    for of, value in values.items():
        if value is not None:
            family.add_metric([of], float(value))
    return family


def _counter(name: str, text: str, value: int | None) -> Metric:
    """A counter, to whose name the library adds _total."""
    family = CounterMetricFamily(f"edge_pose_{name}", text)
    if value is not None:
        family.add_metric([], value)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(f"edge_pose_{name}_seconds", text)
    family.add_metric([], histogram.buckets(), sum_value=histogram.sum_s)
    return family
