"""A connection to the broker that restores itself. Only this folder imports paho.

We run paho's `loop_read`, `loop_write` and `loop_misc` in a thread of our own instead of `loop_start`: with paho's
thread, `publish` only wakes that thread, which takes longer than writing the message, and paho cannot change the
protocol version, add jitter to its back-off, or stop within a time limit.
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

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, MQTTMessage, MQTTMessageInfo, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import Mqtt, password
from edge.mqtt import failures
from edge.mqtt.failures import Failure
from edge.mqtt.tls import tls_context
from edge.types import Message

log = logging.getLogger(__name__)

# Messages handed to paho that are not on the wire yet: with more than this, the broker is stalled and not just slow.
MAX_PENDING = 64

_UNSUPPORTED_PROTOCOL = 0x84


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a connection waits for what, s."""

    keepalive_s: int = 30
    shortest_backoff_s: float = 1.0
    longest_backoff_s: float = 60.0
    unanswered_s: float = 5.0  # a broker that has not answered CONNECT by then does not answer
    stable_s: float = 10.0  # a connection that lasted this long resets the back-off
    goodbye_s: float = 0.3  # for the broker to close the connection after our DISCONNECT
    check_s: float = 1.0  # between two checks of the keepalive


class Connection:
    """A connection that restores itself: MQTT 5, or 3.1.1 if the broker requires that; back-off with jitter.

    A thread of its own opens the connection, reads, and keeps it alive. A publishing thread writes its message itself:
    waking our thread would take longer than the message. Every use of the socket but opening it needs `lock`.
    `on_connected` runs in our thread each time the broker has accepted us, and `on_message` for each message, both with
    `lock` held; `on_lost` runs in the thread that noticed the loss.
    """

    def __init__(self, mqtt: Mqtt, client_id: str, *, will: Message | None = None, waits: Waits | None = None) -> None:
        """Raises ConfigError if the password or a certificate cannot be used. Call `open` to connect."""
        self._mqtt = mqtt
        self._client_id = client_id
        self._will = will
        self._waits = waits or Waits()
        self._backoff_s = self._waits.shortest_backoff_s
        self._password = password(mqtt)
        self._tls = tls_context(mqtt) if mqtt.tls.enabled else None
        self._answered = False  # the broker answered CONNECT in this attempt
        self._step_down = False  # the broker wants an older version of MQTT
        self._ended_by = ""  # how the last socket ended
        self._closed = threading.Event()
        self._gone = threading.Event()  # the connection ended after `close`
        self._attempt_s = self._connected_s = time.monotonic()
        self.lock = threading.RLock()
        self.connected = False
        self.connects = 0
        self.tried = threading.Event()  # set when the first attempt has succeeded or failed
        self.refused = False  # the broker wants another user or password
        self.failure: Failure | None = None  # why there is no connection; None while there is one
        self.on_connected: Callable[[Client], None] = lambda _client: None
        self.on_lost: Callable[[], None] = lambda: None
        self.on_message: Callable[[MQTTMessage], None] = lambda _message: None
        self._client = self._new_client(MQTTv5)
        # A daemon thread: connect() may block for longer than the process has at its end.
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
            self._gone.wait(min(limit_s, self._waits.goodbye_s))

    def was_tried(self) -> bool:
        """Whether the first attempt has succeeded, failed, or taken too long."""
        return self.tried.is_set() or time.monotonic() - self._attempt_s > self._waits.unanswered_s

    def _keep_connected(self) -> None:
        while not self._closed.is_set():
            self._step_down = False
            client = self._client
            try:
                self._begin(client)
            except OSError as exc:
                self._report(failures.explain(exc, self._mqtt))
                self.tried.set()
            else:
                self._serve(client)
            # After an attempt with 3.1.1 the next one uses MQTT 5 again: the broker may have been updated.
            older = self._step_down and client.protocol == MQTTv5
            if not older:
                self._closed.wait(self._next_wait_s())
            with self.lock:
                self._client = self._new_client(MQTTv311 if older else MQTTv5)

    def _begin(self, client: Client) -> None:
        """Open the socket and send CONNECT. Raises OSError."""
        # With MQTT 5, paho asks for a clean start only the first time. Sessions expire at once by default.
        clean_start: Any = True if client.protocol == MQTTv5 else MQTT_CLEAN_START_FIRST_ONLY
        client.connect(self._mqtt.host, self._mqtt.port, self._waits.keepalive_s, clean_start=clean_start)

    def _serve(self, client: Client) -> None:
        """Read, write what is pending, and keep alive, until the connection ends."""
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
                    # `close` did not get the lock and sent no DISCONNECT, so the broker publishes our last will.
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)

    def _new_client(self, protocol: MQTTProtocolVersion) -> Client:
        mqtt = self._mqtt
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=protocol,
            clean_session=None if protocol == MQTTv5 else True,
            reconnect_on_failure=False,
        )
        # Nothing is queued while offline; this bounds what is in flight when a connection is lost.
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
        # Keypoint messages are small and frequent: waiting to fill a packet would only delay them.
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
        if reason.value == _UNSUPPORTED_PROTOCOL:
            self._step_down = True
            return
        sent = self._password is not None
        self._report(failures.refused(reason.value, str(reason), self._mqtt, password_sent=sent))
        self.refused = reason.value in failures.LOGIN_REFUSED
        if self.refused:
            self._backoff_s = self._waits.longest_backoff_s
        self.tried.set()

    def _disconnected(self, _client: Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        was_connected, self.connected = self.connected, False
        self.on_lost()
        if self._closed.is_set():
            self._gone.set()
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
                soon=bool(self._client_id) and not stable,
            )
            self._report(failure)
        elif not self._answered and now_s - self._attempt_s >= self._waits.unanswered_s:
            self._report(failures.UNANSWERED)
            self.tried.set()
        elif not self._answered:
            # Some brokers close the connection after CONNECT if they do not support MQTT 5.
            self._report(failures.rejected_at_once(self._mqtt))
            self._step_down = True
            if self._client.protocol != MQTTv5:  # otherwise 3.1.1 is next
                self.tried.set()

    def _next_wait_s(self) -> float:
        """Twice the last wait, with jitter: the sensors of a house must not all reconnect at the same moment."""
        wait_s = self._backoff_s * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
        self._backoff_s = min(self._backoff_s * 2, self._waits.longest_backoff_s)
        return wait_s

    def _report(self, failure: Failure) -> None:
        """Log a reason once, until there is another one or a connection."""
        level = logging.DEBUG if failure == self.failure else logging.WARNING
        log.log(level, "broker %s:%d: %s", self._mqtt.host, self._mqtt.port, failure)
        self.failure = failure


def _state_of(sock: Any) -> str:
    """How the connection behind a socket ended, in words. paho does not pass on the socket's error."""
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
    expires = message.expiry_s is not None and client.protocol == MQTTv5
    properties = _expiring(message.expiry_s) if expires else None
    return client.publish(message.topic, message.payload, message.qos, message.retain, properties)


@lru_cache(maxsize=16)
def _expiring(expiry_s: int | None) -> Properties:
    """Shared between messages, since paho only reads them: building one takes as long as publishing the message."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expiry_s
    return properties
