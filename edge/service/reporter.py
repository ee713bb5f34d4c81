"""The MQTT sink: write updates, `info` and `health` as messages."""

import logging
import time
from collections.abc import Callable, Iterable

from edge.mqtt import messages
from edge.mqtt.events import event_out, in_words
from edge.mqtt.keypoints import keypoints_out
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update
from edge.rules.values import Event

log = logging.getLogger(__name__)


class Reporter:
    """Publishes updates as `keypoints` and `event/<rule>`, and the payloads of `info` and `health`."""

    def __init__(
        self, publisher: Publisher, topics: Topics, *, max_rate_hz: float, wait_for_room: Callable[[], None] | None
    ) -> None:
        """Publish at most `max_rate_hz` keypoint messages per second; 0 means no limit.

        `wait_for_room` blocks until the broker can take a message, so that a file is not played faster than that.
        Without it, messages that the broker cannot take are dropped and counted.
        """
        self._publisher = publisher
        self._topics = topics
        self.max_rate_hz = max_rate_hz
        self._wait_for_room = wait_for_room
        self._next_s = float("-inf")

    def publish(self, update: Update) -> None:
        """Publish the events and the people of a frame. Events are also logged."""
        self.publish_events(update.outcome.events)
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        message = self._topics.keypoints_message(keypoints_out(update, now_s))
        if self._wait_for_room:
            self._wait_for_room()
        self._publisher.publish(message, tapped=False)  # viewers take keypoints at their own rate
        if self.max_rate_hz:
            period_s = 1 / self.max_rate_hz
            # Count from the due time unless a message was missed: otherwise slightly late frames would lower the rate.
            self._next_s = (self._next_s if now_s - self._next_s < period_s else now_s) + period_s

    def publish_events(self, events: Iterable[Event]) -> None:
        """Publish and log events."""
        for event in map(event_out, events):
            self._publisher.publish_kept(self._topics.event_message(event))
            log.info("%s", in_words(event))

    def info(self, info: messages.Info) -> None:
        self._publisher.publish_retained(self._topics.info_message(info))

    def health(self, health: messages.Health, heartbeat_s: float) -> None:
        self._publisher.publish(self._topics.health_message(health, heartbeat_s))
