"""Receive the messages of sensors."""

import queue
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from edge.config import Mqtt
from edge.mqtt.connection import Connection, send
from edge.types import Message

MAX_UNREAD = 1000  # messages
MAX_UNCONFIRMED = 20  # messages; paho would queue more


class Subscription:
    """Receives the messages on some topics. Connects at once, and again whenever the connection is lost."""

    def __init__(self, mqtt: Mqtt, topics: Sequence[str]) -> None:
        self.broker = f"{mqtt.host}:{mqtt.port}"
        self._topics = [(topic, 1) for topic in topics]
        # Ctrl-C can interrupt Queue while it holds its lock. SimpleQueue is written in C and not affected.
        self._arrived: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.connection = Connection(mqtt, "")
        self.connection.on_connected = self._subscribe
        self.connection.on_message = self._keep
        self.connection.open()

    def next(self, timeout_s: float) -> Message | None:
        """The next message, or None if none came in time."""
        try:
            return self._arrived.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def clear(self, topics: Sequence[str], timeout_s: float = 1.0) -> list[str]:
        """Delete the retained messages on `topics`; returns those that the broker did not confirm in `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        left: list[str] = []
        for start in range(0, len(topics), MAX_UNCONFIRMED):
            left += self._clear_some(topics[start : start + MAX_UNCONFIRMED], deadline_s)
        return left

    def _clear_some(self, topics: Sequence[str], deadline_s: float) -> list[str]:
        refused: set[int] = set()

        def answered(_client: Client, _userdata: Any, number: int, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                refused.add(number)

        with self.connection.lock:
            if not self.connection.connected:
                return list(topics)
            self.connection.client.on_publish = answered
            sent = [send(self.connection.client, Message(topic, b"", qos=1, retain=True)) for topic in topics]
        for info in sent:
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(max(deadline_s - time.monotonic(), 0))
        return [
            topic
            for topic, info in zip(topics, sent, strict=True)
            if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or not info.is_published() or info.mid in refused
        ]

    def close(self) -> None:
        self.connection.close()

    def _subscribe(self, client: Client) -> None:
        client.subscribe(self._topics)

    def _keep(self, message: MQTTMessage) -> None:
        # If the reader is slower than the sensors, drop the oldest message.
        if self._arrived.qsize() >= MAX_UNREAD:
            with suppress(queue.Empty):  # the reader has just emptied the queue
                self._arrived.get_nowait()
        self._arrived.put(Message(message.topic, bytes(message.payload), message.qos, message.retain))
