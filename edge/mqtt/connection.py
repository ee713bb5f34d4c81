"""A connection to the broker that reconnects by itself. Only this folder imports paho.

Our own thread calls paho's `loop_read`, `loop_write` and `loop_misc`. With `loop_start`, `publish` would only wake
paho's thread, which takes longer than writing the message. paho's thread also cannot change the protocol version, add
jitter to its back-off, or stop within a time limit.
"""

import logging
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import Mqtt, password
from edge.mqtt import failures
from edge.mqtt.failures import Failure
from edge.mqtt.lean_client import LeanClient, connect
from edge.mqtt.tls import tls_context
from edge.types import Message

log = logging.getLogger(__name__)

# With more messages in paho that are not on the wire yet, the broker counts as stalled.
MAX_PENDING = 64


@dataclass(frozen=True, slots=True)
class Waits:
    """Time limits and intervals of a connection, s."""

    keepalive_s: int = 30
    shortest_backoff_s: float = 1.0
    longest_backoff_s: float = 60.0
    unanswered_s: float = 5.0  # for the broker to answer CONNECT
    stable_s: float = 10.0  # a connection that lasted this long resets the back-off
    goodbye_s: float = 0.3  # for the broker to close the connection after our DISCONNECT
    check_s: float = 1.0  # between two checks of the keepalive


class Connection:
    """Connects with MQTT 5, or with 3.1.1 if the broker requires it, and reconnects with a jittered back-off.

    The connection's own thread opens the socket, reads, and keeps the connection alive. A publishing thread writes its
    message itself. Every use of the socket except opening it needs `lock`.
    `on_connected` runs in the connection's thread each time the broker accepts the login, and `on_message` for each
    message. `on_lost` runs in the thread that notices that such a connection is lost. All run with `lock` held.
    """

    def __init__(
        self,
        mqtt: Mqtt,
        client_id: str,
        *,
        will: Message | None = None,
        largest: int | None = None,
        waits: Waits | None = None,
    ) -> None:
        """Raises ConfigError if the password or a certificate cannot be used. Call `open` to connect.

        With MQTT 5, the broker does not send us packets of more than `largest` bytes.
        """
        self._mqtt = mqtt
        self._largest = largest
        self._client_id = client_id
        self._will = will
        self._waits = waits or Waits()
        self._backoff_s = self._waits.shortest_backoff_s
        self._password = password(mqtt)
        self._tls = tls_context(mqtt) if mqtt.tls.enabled else None
        self._answered = False  # the broker answered CONNECT in this attempt
        self._downgrade = False  # the next attempt uses MQTT 3.1.1
        self._ended_by = ""  # how the last socket ended
        self._closed = threading.Event()
        self._disconnected_after_close = threading.Event()
        self._attempt_s = self._connected_s = time.monotonic()
        self.lock = threading.RLock()
        self.connected = False
        self.connects = 0
        self.tried = threading.Event()  # set when the first attempt has succeeded or failed
        self.refused = False  # the broker rejects the user or password
        self.failure: Failure | None = None  # why there is no connection; None while there is one
        self.on_connected: Callable[[Client], None] = lambda _client: None
        self.on_lost: Callable[[], None] = lambda: None
        self.on_message: Callable[[MQTTMessage], None] = lambda _message: None
        self._client = self._new_client(MQTTv5)
        # A daemon thread, so that a blocked connect() does not delay the end of the process.
        self._thread = threading.Thread(target=self._keep_connected, name="mqtt", daemon=True)

    @property
    def client(self) -> Client:
        return self._client

    @property
    def protocol(self) -> str:
        return "MQTT 5" if self._client.protocol == MQTTv5 else "MQTT 3.1.1"

    def open(self) -> None:
        """Start to connect, and reconnect until `close`. Does not wait; a second call changes nothing."""
        if self._thread.ident is None:
            self._attempt_s = time.monotonic()
            self._thread.start()

    def close(self, timeout_s: float | None = None) -> None:
        """Send DISCONNECT, and wait at most `timeout_s` for the broker to close the connection."""
        limit_s = self._waits.goodbye_s if timeout_s is None else timeout_s
        self._closed.set()
        if not self.lock.acquire(timeout=max(limit_s, 0.1)):
            return  # the thread that holds the lock is stuck; our thread drops the connection when it gets the lock
        try:
            was_connected, self.connected = self.connected, False
            self._client.disconnect()
        finally:
            self.lock.release()
        if was_connected:
            self._disconnected_after_close.wait(min(limit_s, self._waits.goodbye_s))

    def was_tried(self) -> bool:
        """Whether the first attempt has succeeded, failed, or taken too long."""
        return self.tried.is_set() or time.monotonic() - self._attempt_s > self._waits.unanswered_s

    def _keep_connected(self) -> None:
        while not self._closed.is_set():
            self._downgrade = False
            client = self._client
            try:
                connect(client, self._mqtt, keepalive_s=self._waits.keepalive_s, largest=self._largest)
            except OSError as exc:
                self._report(failures.explain(exc, self._mqtt))
                self.tried.set()
            else:
                self._serve(client)
            # After an attempt with 3.1.1 the next one uses MQTT 5 again: the broker may have been updated.
            downgrade = self._downgrade and client.protocol == MQTTv5
            if not downgrade:
                self._closed.wait(self._next_wait_s())
            with self.lock:
                self._client = self._new_client(MQTTv311 if downgrade else MQTTv5)

    def _serve(self, client: Client) -> None:
        """Read, write pending bytes, and send keepalives, until the connection ends."""
        while (sock := client.socket()) is not None:
            buffered = isinstance(sock, ssl.SSLSocket) and sock.pending()
            with suppress(OSError, ValueError):  # another thread closed it
                writing = [sock] if client.want_write() else []
                select.select([sock], writing, [], 0 if buffered else self._waits.check_s)
            with self.lock:
                client.loop_read()
                if client.want_write():
                    client.loop_write()
                client.loop_misc()
                if self._closed.is_set() and self.connected and isinstance(sock, socket.socket):
                    # `close` did not get the lock and sent no DISCONNECT: the broker will publish our last will.
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)

    def _new_client(self, protocol: MQTTProtocolVersion) -> Client:
        mqtt = self._mqtt
        client = LeanClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=protocol,
            clean_session=None if protocol == MQTTv5 else True,
            reconnect_on_failure=False,
        )
        # Nothing is queued while offline. This limits the messages in flight when a connection is lost.
        client.max_queued_messages_set(MAX_PENDING)
        if mqtt.username:
            client.username_pw_set(mqtt.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        client.on_connect = self._connect_answered
        client.on_disconnect = self._disconnected
        client.on_message = lambda _client, _userdata, message: self.on_message(message)
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        return client

    def _socket_opened(self, _client: Client, _userdata: Any, sock: Any) -> None:
        self._answered = False
        self._attempt_s = time.monotonic()
        # Without TCP_NODELAY, the kernel would delay keypoint messages, which are small, to fill a packet.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _socket_closing(self, _client: Client, _userdata: Any, sock: Any) -> None:
        self._ended_by = _state_of(sock)

    def _connect_answered(self, client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._answered = True
        if self._closed.is_set():
            client.disconnect()
            return
        if reason.is_failure:
            self._refused(reason)
            return
        self._connected_s = time.monotonic()
        self.connects += 1
        self.failure = None
        self.refused = False
        log.info("connected to %s:%d, %s", self._mqtt.host, self._mqtt.port, self.protocol)
        self.on_connected(client)
        self.connected = True
        self.tried.set()

    def _refused(self, reason: Any) -> None:
        if reason.value == failures.UNSUPPORTED_PROTOCOL:
            self._downgrade = True
            return
        sent = self._password is not None
        self._report(failures.refused(reason.value, str(reason), self._mqtt, password_sent=sent))
        self.refused = reason.value in failures.LOGIN_REFUSED
        if self.refused:
            self._backoff_s = self._waits.longest_backoff_s
        self.tried.set()

    def _disconnected(self, _client: Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        was_connected, self.connected = self.connected, False
        if was_connected:  # before that, nothing was sent, and `connect` does not hold `lock`
            self.on_lost()
        if self._closed.is_set():
            self._disconnected_after_close.set()
            return
        now_s = time.monotonic()
        if was_connected:
            stable = now_s - self._connected_s >= self._waits.stable_s
            if stable:
                self._backoff_s = self._waits.shortest_backoff_s
            failure = failures.lost(
                reason.value,
                str(reason),
                ended_by="" if flags.is_disconnect_packet_from_server else self._ended_by,
                keepalive_s=self._waits.keepalive_s,
                maybe_taken_over=bool(self._client_id) and not stable,
            )
            self._report(failure)
        elif not self._answered and now_s - self._attempt_s >= self._waits.unanswered_s:
            self._report(failures.UNANSWERED)
            self.tried.set()
        elif not self._answered and self._client.protocol == MQTTv5:
            # Some brokers close the connection after CONNECT if they do not support MQTT 5.
            self._downgrade = True
        elif not self._answered:
            self._report(failures.rejected_at_once(self._mqtt))
            self.tried.set()

    def _next_wait_s(self) -> float:
        """Twice the last wait, with jitter, so that the sensors of a house do not all reconnect at the same moment."""
        wait_s = self._backoff_s * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
        self._backoff_s = min(self._backoff_s * 2, self._waits.longest_backoff_s)
        return wait_s

    def _report(self, failure: Failure) -> None:
        """Keep the reason, and log it unless it is the same as at the last attempt."""
        level = logging.DEBUG if failure == self.failure else logging.WARNING
        log.log(level, "broker %s:%d: %s", self._mqtt.host, self._mqtt.port, failure)
        self.failure = failure


def _state_of(sock: Any) -> str:
    """How the connection behind a socket ended, in words, since paho does not report the socket's error."""
    poll = select.poll()
    with suppress(OSError, ValueError):
        poll.register(sock, select.POLLRDHUP)
        for _, state in poll.poll(0):
            if state & (select.POLLHUP | select.POLLERR):
                return "it was reset by the broker or the network"
            if state & select.POLLRDHUP:
                return "the broker closed it"
    return "the broker sent an invalid packet"


def send(client: Client, message: Message) -> MQTTMessageInfo:
    """Publish a message; it expires only with MQTT 5. Call with the connection's `lock` held."""
    expires = message.expiry_s is not None and client.protocol == MQTTv5
    properties = _expiring(message.expiry_s) if expires else None
    return client.publish(message.topic, message.payload, message.qos, message.retain, properties)


@lru_cache(maxsize=16)
def _expiring(expiry_s: int | None) -> Properties:
    """Properties with an expiry. Cached, because building them takes as long as publishing a message."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expiry_s
    return properties
