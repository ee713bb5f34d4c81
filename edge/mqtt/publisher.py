"""Publish the messages of one device, and its status: `online` or `offline`."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode

from edge.config import Mqtt
from edge.mqtt.connection import MAX_PENDING, Connection, Waits, send
from edge.mqtt.failures import NOT_AUTHORIZED
from edge.mqtt.inbox import LARGEST_PACKET, Inbox
from edge.types import Message

log = logging.getLogger(__name__)

POLL_S = 0.02
MAX_KEPT = 256  # messages


@dataclass(slots=True, eq=False)
class _Kept:
    """A message that is kept until the broker has it, or it expires."""

    message: Message
    expires_s: float
    sent: MQTTMessageInfo | None = None  # on the current connection


class Publisher:
    """Publishes the messages of one device, and its status.

    `online` and the other retained messages are sent at every connect; the last will is `offline`. Without a
    connection, other messages are dropped and counted, except for those that `publish_kept` keeps. If a second client
    connects with the same ID, the broker drops this one, which reconnects and publishes the retained messages again.

    A `tap` gets every message once, when it is first published, even if there is no connection. It is called with the
    connection's `lock` held, so that the order is the one on the wire; it must not block.
    """

    def __init__(  # noqa: PLR0913 - the last two are for tests
        self,
        mqtt: Mqtt,
        device_id: str,
        *,
        online: Message,
        offline: Message,
        inbox: Inbox | None = None,
        waits: Waits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError if the password or a certificate cannot be used. `inbox` uses the same connection."""
        self._inbox = inbox
        self._monotonic = monotonic
        self._online, self._offline = online, offline
        self._retained: dict[str, Message] = {}  # by topic
        self._pending: deque[MQTTMessageInfo] = deque()
        self._kept: deque[_Kept] = deque()  # oldest first
        self._unanswered: dict[int, str] = {}  # message ID -> topic, until the broker has acknowledged the message
        self._refused: set[str | None] = set()  # topics on which the broker refused a message
        self._login = f"user {mqtt.username!r}" if mqtt.username else "anonymous clients"
        self.dropped = 0
        self.tap: Callable[[Message], None] | None = None
        largest = LARGEST_PACKET if inbox else None
        self.connection = Connection(mqtt, f"edge-pose-{device_id}", will=offline, largest=largest, waits=waits)
        self.connection.on_connected = self._announce
        self.connection.on_lost = self._forget_sent
        if inbox:
            self.connection.on_message = inbox.put

    def open(self) -> None:
        """Start to connect; see `connection.tried` and `connection.connected` for the outcome."""
        self.publish_retained(self._online)
        self.connection.open()

    def publish_retained(self, message: Message) -> None:
        """Publish a retained message now, or as soon as there is a connection, and again at every connect."""
        with self.connection.lock:
            self._show(message)
            self._retained[message.topic] = message
            if self.connection.connected:
                self._send_answered(self.connection.client, message)

    def repeat_retained(self) -> None:
        """Publish all retained messages again, if there is a connection."""
        with self.connection.lock:
            if self.connection.connected:
                for message in self._retained.values():
                    self._send_answered(self.connection.client, message)

    def publish_kept(self, message: Message) -> None:
        """Publish a message with QoS 1 now, or when there is a connection and room, until its `expiry_s` has passed.

        At most MAX_KEPT messages are kept; then the oldest is dropped. After a lost connection, the broker may get a
        message twice.
        """
        with self.connection.lock:
            self._show(message)
            if len(self._kept) >= MAX_KEPT:
                self._kept.popleft()
                self.dropped += 1
            expiry_s = math.inf if message.expiry_s is None else message.expiry_s
            self._kept.append(_Kept(message, self._monotonic() + expiry_s))
            self.send_kept()

    def send_kept(self) -> None:
        """Send what is kept, as far as the broker can take it; call this regularly."""
        if not self._kept:
            return
        with self.connection.lock:
            now_s = self._monotonic()
            waiting: deque[_Kept] = deque()
            for kept in self._kept:
                if kept.sent is not None:
                    if not kept.sent.is_published():
                        waiting.append(kept)
                elif kept.expires_s <= now_s:
                    self.dropped += 1
                else:
                    if self.has_room():
                        self._send_one_kept(kept, now_s)
                    waiting.append(kept)
            self._kept = waiting

    def _send_one_kept(self, kept: _Kept, now_s: float) -> None:
        message = kept.message
        if message.expiry_s is not None:  # the time that it waited here counts
            message = replace(message, expiry_s=math.ceil(kept.expires_s - now_s))
        info = self._send_answered(self.connection.client, message)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            kept.sent = info
            self._pending.append(info)

    def publish_final(self, message: Message, stopping: threading.Event, timeout_s: float = 5.0) -> None:
        """Publish a last retained message, and no longer `online`; connect first if necessary.

        Returns when there is a connection, the broker refuses the login, `stopping` is set, or `timeout_s` has passed.
        It waits because after a power cut, the broker may need longer to start than this device.
        """
        with self.connection.lock:
            self._retained.pop(self._online.topic, None)
            self.publish_retained(message)
        self.connection.open()
        deadline_s = time.monotonic() + timeout_s
        while not (self.connection.connected or self.connection.refused or time.monotonic() > deadline_s):
            if stopping.wait(POLL_S):
                return

    def has_room(self) -> bool:
        """Whether a message published now would be sent: there is a connection, and the broker keeps up."""
        pending = self._pending
        with self.connection.lock:
            while pending and pending[0].is_published():
                pending.popleft()
            return self.connection.connected and len(pending) < MAX_PENDING

    def publish(self, message: Message, *, tapped: bool = True) -> bool:
        """Send a message; False if it was dropped, because there is no connection or the broker does not keep up.

        The tap does not get it unless it is `tapped`.
        """
        with self.connection.lock:
            if tapped:
                self._show(message)
            if self.has_room():
                info = send(self.connection.client, message)
                if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._pending.append(info)
                    return True
        self.dropped += 1
        return False

    def _show(self, message: Message) -> None:
        if self.tap is not None:
            self.tap(message)

    def close(self, timeout_s: float = 1.0) -> None:
        """Publish `offline`, wait for the delivery of all messages, and disconnect; all within `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        if self.connection.connected and self.connection.lock.acquire(timeout=timeout_s):
            # When the broker acknowledges `offline`, it has every earlier message, because it answers in order.
            try:
                self.send_kept()
                info = send(self.connection.client, self._offline)
            finally:
                self.connection.lock.release()
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(max(deadline_s - time.monotonic(), 0))
        self.connection.close(max(deadline_s - time.monotonic(), 0))

    def resubscribe(self) -> None:
        """Take commands again after a flood of them; call this regularly."""
        if self._inbox and self._inbox.is_pause_over():
            with self.connection.lock:
                if self.connection.connected:
                    self._inbox.subscribe(self.connection.client)

    def _announce(self, client: Client) -> None:
        if self._inbox:
            self._inbox.subscribe(client)
        self._unanswered = {}
        for message in self._retained.values():
            self._send_answered(client, message)

    def _forget_sent(self) -> None:
        """Forget what was sent on the lost connection: the broker may not have it."""
        self._pending.clear()
        for kept in self._kept:
            if kept.sent is not None and not kept.sent.is_published():
                kept.sent = None

    def _send_answered(self, client: Client, message: Message) -> MQTTMessageInfo:
        """Send a message; `_answered` receives the broker's answer, which can be a refusal with MQTT 5."""
        info = send(client, message)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._unanswered[info.mid] = message.topic
            client.on_publish = self._answered
        return info

    def _answered(self, client: Client, _userdata: Any, number: int, reason: Any, _properties: Any) -> None:
        topic = self._unanswered.pop(number, None)
        if not self._unanswered:
            client.on_publish = None  # otherwise paho calls it for keypoints, too
        if topic is None or not reason.is_failure:
            self._refused.discard(topic)
        elif topic not in self._refused:
            self._refused.add(topic)
            pattern = f"{topic.rpartition('/')[0]}/#"
            remedy = f"allow {self._login} to write {pattern} in the broker's access list (see: sudo edge-pose doctor)"
            if reason.value != NOT_AUTHORIZED:
                remedy = "see the broker's log"
            log.warning("the broker refuses messages on %s (%s); %s", topic, reason, remedy)
