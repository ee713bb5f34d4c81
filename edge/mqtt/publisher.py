"""Publish, and let others know whether we are there."""

import logging
import threading
import time
from collections import deque
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode

from edge.config import Mqtt
from edge.mqtt.connection import MAX_PENDING, UNANSWERED_S, Connection, send
from edge.types import Message

log = logging.getLogger(__name__)

_NOT_AUTHORISED = 0x87


class Publisher:
    """Publishes messages, and says `online` and `offline` for us.

    `online` and the standing messages are sent at every connect; the last will is `offline`. Nothing is queued while
    the broker is away: what is published then is dropped and counted. A second client of this id throws the first one
    out, which comes back and says all of that again: so a daemon that fails beside another one is soon corrected.
    """

    def __init__(self, mqtt: Mqtt, device_id: str, *, online: Message, offline: Message) -> None:
        """Raises ConfigError if the password or a certificate cannot be used."""
        self._online, self._offline = online, offline
        self._retained: dict[str, Message] = {}
        self._pending: deque[MQTTMessageInfo] = deque()
        self._unanswered: dict[int, str] = {}  # the broker's answer to that message is awaited: its topic
        self._refused: set[str | None] = set()  # topics on which the broker does not let us publish
        self._login = f"user {mqtt.username!r}" if mqtt.username else "anybody"
        self.dropped = 0
        self.connection = Connection(mqtt, f"edge-pose-{device_id}", will=offline)
        self.connection.on_connected = self._announce
        self.connection.on_lost = self._forget_pending

    def open(self) -> None:
        """Begin to connect; `connection.tried` and `connection.connected` tell how it goes."""
        self.publish_retained(self._online)
        self.connection.open()

    def publish_retained(self, message: Message) -> None:
        """Publish a retained message now, or as soon as there is a connection, and again at every connect."""
        with self.connection.lock:
            self._retained[message.topic] = message
            if self.connection.connected:
                self._send_retained(self.connection.client, message)

    def publish_final(self, message: Message, stopping: threading.Event, timeout_s: float = UNANSWERED_S) -> None:
        """Stand a message of somebody who ends; where there is no connection yet, make one, and do not say `online`.

        Waits until that has succeeded, or will not, `stopping` is set, or the time is over: after a power cut, a broker
        may need a moment longer than we do, and there may be no second time to say it.
        """
        with self.connection.lock:
            self._retained.pop(self._online.topic, None)
            self.publish_retained(message)
        self.connection.open()
        deadline_s = time.monotonic() + timeout_s
        settled = False
        while not settled and time.monotonic() < deadline_s:
            settled = stopping.wait(0.02) or self.connection.connected or self.connection.refused

    def has_room(self) -> bool:
        """Whether a message could be published now: someone is there, and keeps up."""
        pending = self._pending
        with self.connection.lock:
            while pending and pending[0].is_published():
                pending.popleft()
            return self.connection.connected and len(pending) < MAX_PENDING

    def publish(self, message: Message) -> bool:
        """Hand a message to the network; False if it was dropped, because nobody is there or it cannot keep up."""
        with self.connection.lock:
            if self.has_room():
                info = send(self.connection.client, message)
                if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._pending.append(info)
                    return True
        self.dropped += 1
        return False

    def close(self, timeout_s: float = 1.0) -> None:
        """Say `offline`, wait until all that was published is out, and disconnect; takes no longer than `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        if self.connection.connected and self.connection.lock.acquire(timeout=timeout_s):
            # The broker answers in order: once it has this, it has everything before it.
            try:
                info = send(self.connection.client, self._offline)
            finally:
                self.connection.lock.release()
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(max(deadline_s - time.monotonic(), 0))
        self.connection.close(max(deadline_s - time.monotonic(), 0))

    def _forget_pending(self) -> None:
        self._pending.clear()

    def _announce(self, client: Client) -> None:
        self._unanswered = {}
        for message in self._retained.values():
            self._send_retained(client, message)

    def _send_retained(self, client: Client, message: Message) -> None:
        """Send a message, and listen whether the broker takes it; only MQTT 5 tells."""
        self._unanswered[send(client, message).mid] = message.topic
        client.on_publish = self._answered

    def _answered(self, client: Client, _userdata: Any, number: int, reason: Any, _properties: Any) -> None:
        topic = self._unanswered.pop(number, None)
        if not self._unanswered:
            client.on_publish = None  # it would be called for each message, keypoints too, which nobody answers
        if topic is None or not reason.is_failure:
            self._refused.discard(topic)
        elif topic not in self._refused:
            self._refused.add(topic)
            mend = f"let {self._login} write {topic.rpartition('/')[0]}/# in its access list"
            log.warning("the broker does not take what we publish on %s (%s); %s",
                        topic, reason, mend if reason.value == _NOT_AUTHORISED else "see its log")  # fmt: skip
