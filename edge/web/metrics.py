"""Count for Prometheus what the sensor does. The main thread counts, and a frame costs it a few microseconds.

Everything else happens when Prometheus asks. docs/monitoring.md lists the metrics.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from edge.mqtt.events import StateOut, read_event, read_state
from edge.mqtt.messages import Health, Info
from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update
from edge.rules.values import EVENT_TYPES
from edge.types import Message

# Upper limits in seconds, from an Edge TPU to a large model on an old board.
BUCKETS_S = (
    *(0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0),
)


class Histogram:
    """Durations by bucket. One thread counts, others may read."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Each upper limit as text, and the number of durations up to it."""
        limits = [*map(str, BUCKETS_S), "+Inf"]
        return [(limit, float(count)) for limit, count in zip(limits, accumulate(self._counts), strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Everything that becomes a metric."""

    health: Health
    info: Info | None  # None before the first frame
    state: StateOut | None  # the newest one; None before the first one
    connected: bool  # to the broker
    inference: Histogram
    frame: Histogram  # from receiving a frame until its results were published
    events: Mapping[tuple[str, str], int]  # rule and type -> number


class Metrics:
    """A sink that counts frames, and a tap of the publisher that counts events."""

    def __init__(self, topics: Topics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._topics = topics
        self._monotonic = monotonic
        self._inference = Histogram()
        self._frame = Histogram()
        self._events = {(rule, kind): 0 for rule, kinds in EVENT_TYPES.items() for kind in kinds}
        self._state = b""  # the payload of the newest state

    def publish(self, update: Update) -> None:
        """Count a frame that a network saw."""
        self._inference.observe(update.inference_s)
        self._frame.observe(self._monotonic() - update.started_s)

    def message(self, message: Message) -> None:
        """Count an event when it is published, and keep the newest state. Other messages are ignored."""
        if message.topic == self._topics.state:
            self._state = message.payload
        elif message.topic.startswith(self._topics.event("")):
            event = read_event(message.payload)
            key = event.rule, event.event_type
            self._events[key] = self._events.get(key, 0) + 1

    def render(self, health: Health, info: Info | None, *, connected: bool) -> bytes:
        """All metrics in the text format of Prometheus. Any thread may call it."""
        from edge.web.exposition import exposition  # noqa: PLC0415 - prometheus_client takes time and memory

        state = read_state(self._state) if self._state else None
        events = dict(self._events)
        return exposition(Readings(health, info, state, connected, self._inference, self._frame, events))
