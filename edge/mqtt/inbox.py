"""What arrives for this device, kept until the main loop takes it."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import suppress

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.types import Message

MAX_WAITING = 64  # messages; more are dropped and counted
MAX_BYTES = 4096  # of a payload; a longer one is cut to one byte more


class Inbox:
    """Subscribes to some topics at every connect. Retained messages are ignored: a command is for now.

    The connection's thread calls `subscribe` and `put`, the main loop calls `take`.
    """

    def __init__(self, filters: Sequence[str]) -> None:
        self.dropped = 0
        self._filters = tuple(filters)
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def subscribe(self, client: Client) -> None:
        if client.protocol == MQTTv5:
            options = SubscribeOptions(1, noLocal=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            client.subscribe([(topic, options) for topic in self._filters])
        else:
            client.subscribe([(topic, 1) for topic in self._filters])

    def put(self, message: MQTTMessage) -> None:
        if message.retain:
            return
        if self._waiting.qsize() >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.put(Message(message.topic, bytes(message.payload[: MAX_BYTES + 1])))

    def take(self) -> Iterator[Message]:
        """What has arrived, oldest first."""
        with suppress(queue.Empty):
            while True:
                yield self._waiting.get_nowait()
