"""What arrives for this device, kept until the main loop takes it."""

import logging
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.types import Message

log = logging.getLogger(__name__)

MAX_WAITING = 64  # messages; more are dropped and counted
MAX_BYTES = 4096  # of a payload; a longer one is cut to one byte more
LARGEST_PACKET = 16_384  # bytes with topic and properties; the broker drops larger messages for us, with MQTT 5
# Reading takes the GIL from the frames. If it takes more than this share of a second, or of the time after that, the
# subscription is cancelled for a while.
MAX_SHARE = 0.05
SHORTEST_PAUSE_S = 5.0
LOG_S = 60.0


class Inbox:
    """Subscribes to some topics at every connect, and not during a flood.

    Retained messages are ignored: a command is for now. The connection's thread calls `put`, the main loop calls
    `take`. `subscribe` and `put` need the connection's `lock`.
    """

    def __init__(
        self,
        filters: Sequence[str],
        *,
        others: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
        thread_time: Callable[[], float] = time.thread_time,
    ) -> None:
        """`others` are not for commands: with MQTT 5, a message there may be sent with the retain flag."""
        self.dropped = 0
        self._filters = tuple(filters)
        self._others = tuple(others)
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._monotonic = monotonic
        self._thread_time = thread_time  # of the connection's thread, because only `put` calls it
        self._client: Client | None = None
        self._since_s = self._read_since_s = float("-inf")  # the second, or the pause, that is being measured
        self._read_s = 0.0  # the time for reading in it
        self._paused = False
        self._logged_s = float("-inf")

    def subscribe(self, client: Client) -> None:
        self._client, self._paused, self._since_s = client, False, float("-inf")
        client.on_subscribe = self._subscribed
        if client.protocol == MQTTv5:
            never = SubscribeOptions.RETAIN_DO_NOT_SEND
            command = SubscribeOptions(1, noLocal=True, retainAsPublished=True, retainHandling=never)
            other = SubscribeOptions(1, noLocal=True, retainHandling=never)
            topics = [(one, command) for one in self._filters] + [(one, other) for one in self._others]
            client.subscribe(topics)
        else:
            client.subscribe([(topic, 1) for topic in (*self._filters, *self._others)])

    def _subscribed(
        self, _client: Client, _userdata: Any, _number: int, reasons: Sequence[Any], _properties: Any
    ) -> None:
        topics = (*self._filters, *self._others)
        refused = [topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure]
        if refused:
            remedy = "allow the sensor's login to read them in the broker's access list"
            log.warning("the broker refuses subscriptions to %s; %s", ", ".join(refused), remedy)

    def is_pause_over(self) -> bool:
        """Whether it is time to subscribe again."""
        pause_s = max(self._read_s / MAX_SHARE, SHORTEST_PAUSE_S)
        return self._paused and self._monotonic() - self._since_s > pause_s

    def put(self, message: MQTTMessage) -> None:
        self._measure()
        if message.retain:
            return
        if self._paused or self._waiting.qsize() >= MAX_WAITING:
            self.dropped += 1
            return
        with suppress(UnicodeDecodeError):  # an invalid topic
            self._waiting.put(Message(message.topic, bytes(message.payload[: MAX_BYTES + 1])))

    def take(self) -> Iterator[Message]:
        """What has arrived, oldest first."""
        with suppress(queue.Empty):
            while True:
                yield self._waiting.get_nowait()

    def _measure(self) -> None:
        """Notice a flood, by the processor time of this thread, and pause."""
        now_s, thread_s = self._monotonic(), self._thread_time()
        if not self._paused and now_s - self._since_s > 1:
            self._since_s, self._read_since_s = now_s, thread_s
        self._read_s = thread_s - self._read_since_s
        if self._paused or self._client is None or self._read_s <= MAX_SHARE:
            return
        self._paused = True
        self._client.unsubscribe([*self._filters, *self._others])
        if now_s - self._logged_s >= LOG_S:
            self._logged_s = now_s
            log.warning("too many messages on %s; no commands are taken for some seconds", ", ".join(self._filters))
