"""A connection to the broker that keeps itself up. Only this folder imports paho."""

import logging
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, MQTTMessage, MQTTMessageInfo, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import Mqtt, password
from edge.errors import ConfigError
from edge.mqtt.failures import LOGIN_REFUSED, STABLE_S, explain, hung_up, lost
from edge.types import Message

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
SHORTEST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
UNANSWERED_S = 5.0  # a broker that takes longer to answer will not
GOODBYE_S = 0.3
LOOK_S = 1.0  # between two looks at the clock of the connection
# Handed to paho but not yet on the wire: more than this means that the broker is stalled, not slow.
MAX_PENDING = 64

_UNSUPPORTED_PROTOCOL = 0x84


class Connection:
    """A connection that keeps itself up: MQTT 5, or 3.1.1 where a broker wants that; back-off with jitter.

    Whatever concerns the socket happens under `lock`, but for opening it. A thread of its own reads, keeps the
    connection alive and makes a new one; who publishes writes at once, since waking that thread for each message would
    take longer than the message. `on_connected` is called in that thread, each time the broker has accepted us.
    """

    def __init__(self, mqtt: Mqtt, client_id: str, *, will: Message | None = None) -> None:
        self._mqtt = mqtt
        self._client_id = client_id
        self._will = will
        self._backoff_s = SHORTEST_BACKOFF_S
        self._complaint = ""
        self._secret = password(mqtt)
        self._tls = tls_context(mqtt) if mqtt.tls.enabled else None
        self._answered = False  # the broker, in this attempt
        self._disliked = False  # it wants another version of MQTT
        self._closed = threading.Event()
        self._gone = threading.Event()  # the connection, after we closed it
        self._attempt_s = self._connected_s = time.monotonic()
        self.lock = threading.RLock()
        self.connected = False
        self.connects = 0
        self.tried = threading.Event()  # set when the first attempt has succeeded or failed
        self.refused = False  # by a broker that wants another user or password
        self.problem = ""  # why there is no connection, "" while there is one
        self.on_connected: Callable[[Client], None] = lambda _client: None
        self.on_lost: Callable[[], None] = lambda: None
        self.on_message: Callable[[MQTTMessage], None] = lambda _message: None
        self._client = self._new_client(MQTTv5)
        # A daemon: it may be stuck in connect() for longer than we have when we end.
        self._thread = threading.Thread(target=self._keep_up, name="mqtt", daemon=True)

    @property
    def client(self) -> Client:
        return self._client

    @property
    def address(self) -> str:
        return f"{self._mqtt.host}:{self._mqtt.port}"

    @property
    def protocol(self) -> str:
        return "MQTT 5" if self._client.protocol == MQTTv5 else "MQTT 3.1.1"

    def open(self) -> None:
        """Begin to connect, and go on for ever; does not wait. Any number of times is fine."""
        if self._thread.ident is None:
            self._attempt_s = time.monotonic()
            self._thread.start()

    def close(self, timeout_s: float = GOODBYE_S) -> None:
        """Say goodbye, and wait no longer than `timeout_s` for the broker to hang up."""
        self._closed.set()
        if not self.lock.acquire(timeout=max(timeout_s, 0.1)):
            return  # whoever holds it is stuck, and closing is no time to wait for that
        try:
            was_connected, self.connected = self.connected, False
            self._client.disconnect()
        finally:
            self.lock.release()
        if was_connected:
            self._gone.wait(min(timeout_s, GOODBYE_S))

    def was_tried(self) -> bool:
        """Whether the first attempt has come to something, or it is clear that it will not soon."""
        return self.tried.is_set() or time.monotonic() - self._attempt_s > UNANSWERED_S

    def _keep_up(self) -> None:
        while not self._closed.is_set():
            self._disliked = False
            client = self._client
            try:
                self._begin(client)
            except OSError as exc:
                self._complain(explain(exc, self._mqtt))
                self.tried.set()
            else:
                self._serve(client)
            # Back to MQTT 5 after each attempt with 3.1.1: the broker may have been updated meanwhile.
            older = self._disliked and client.protocol == MQTTv5
            if not older:
                self._closed.wait(self._next_wait_s())
            with self.lock:
                self._client = self._new_client(MQTTv311 if older else MQTTv5)

    def _begin(self, client: Client) -> None:
        """Open the socket, and say who we are. Raises OSError."""
        # For MQTT 5, paho would start clean only the first time. The session's expiry is 0 by default.
        clean_start: Any = True if client.protocol == MQTTv5 else MQTT_CLEAN_START_FIRST_ONLY
        client.connect(self._mqtt.host, self._mqtt.port, KEEPALIVE_S, clean_start=clean_start)

    def _serve(self, client: Client) -> None:
        """Read and keep alive, until the connection is gone."""
        while (connection := client.socket()) is not None:
            buffered = isinstance(connection, ssl.SSLSocket) and connection.pending()
            with suppress(OSError, ValueError):  # it was closed meanwhile
                waiting = [connection] if client.want_write() else []
                select.select([connection], waiting, [], 0 if buffered else LOOK_S)
            with self.lock:
                client.loop_read()
                if client.want_write():
                    client.loop_write()
                client.loop_misc()
                if self._closed.is_set() and self.connected and isinstance(connection, socket.socket):
                    # Who closed could not wait for the lock, nor say goodbye: the last will does.
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def _new_client(self, protocol: MQTTProtocolVersion) -> Client:
        mqtt = self._mqtt
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=protocol,
            clean_session=None if protocol == MQTTv5 else True,
            reconnect_on_failure=False,
        )
        # We queue nothing while offline; this is for what the connection loses in its last moments.
        client.max_queued_messages_set(MAX_PENDING)
        if mqtt.username:
            client.username_pw_set(mqtt.username, self._secret)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        client.on_connect = self._connect_answered
        client.on_disconnect = self._disconnected
        client.on_message = lambda _client, _userdata, message: self.on_message(message)
        client.on_socket_open = self._socket_opened
        return client

    def _socket_opened(self, _client: Client, _userdata: Any, sock: Any) -> None:
        self._answered = False
        self._attempt_s = time.monotonic()
        # Keypoints are small and many: waiting to fill a packet would only make them late.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _connect_answered(self, client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._answered = True
        if self._closed.is_set():
            client.disconnect()
            return
        if reason.is_failure:
            if reason.value == _UNSUPPORTED_PROTOCOL:
                self._disliked = True
                return
            problem = LOGIN_REFUSED.get(reason.value, f"the broker refuses the connection: {reason}")
            if self._mqtt.username and self._secret is None:
                problem += ("; no password was sent: it belongs in a file that mqtt.password_file names, or, for the "
                            "service and for sudo, in /etc/edge-pose/mqtt_password")  # fmt: skip
            self._complain(problem)
            self.refused = reason.value in LOGIN_REFUSED
            if self.refused:
                self._backoff_s = LONGEST_BACKOFF_S
            self.tried.set()
            return
        self._connected_s = time.monotonic()
        self.connects += 1
        self.problem = self._complaint = ""
        log.info("connected to %s:%d, %s", self._mqtt.host, self._mqtt.port, self.protocol)
        self.on_connected(client)
        self.connected = True
        self.tried.set()

    def _disconnected(self, _client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        was_connected, self.connected = self.connected, False
        self.on_lost()
        if self._closed.is_set():
            self._gone.set()
            return
        now_s = time.monotonic()
        if was_connected:
            held_s = now_s - self._connected_s
            if held_s >= STABLE_S:
                self._backoff_s = SHORTEST_BACKOFF_S
            self._complain(lost(reason, held_s, named=bool(self._client_id)))
        elif not self._answered and now_s - self._attempt_s >= UNANSWERED_S:
            self._complain("it accepts connections, but does not answer; is it overloaded, or no MQTT broker?")
            self.tried.set()
        elif not self._answered:
            # It accepted the TCP connection and hung up on our CONNECT: some brokers say so that they know no MQTT 5.
            self._complain(hung_up(self._mqtt))
            self._disliked = True
            if self._client.protocol != MQTTv5:  # else that comes next
                self.tried.set()

    def _next_wait_s(self) -> float:
        """Twice the last one, with jitter, which keeps a houseful of sensors from coming back all at once."""
        wait_s = self._backoff_s * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
        self._backoff_s = min(self._backoff_s * 2, LONGEST_BACKOFF_S)
        return wait_s

    def _complain(self, problem: str) -> None:
        """Log each new reason once; the same one again is of no news."""
        self.problem = problem
        level = logging.DEBUG if problem == self._complaint else logging.WARNING
        log.log(level, "broker %s:%d: %s", self._mqtt.host, self._mqtt.port, problem)
        self._complaint = problem


def send(client: Client, message: Message) -> MQTTMessageInfo:
    expires = message.expiry_s is not None and client.protocol == MQTTv5
    properties = _expiring(message.expiry_s) if expires else None
    return client.publish(message.topic, message.payload, message.qos, message.retain, properties)


@lru_cache(maxsize=16)
def _expiring(expiry_s: int | None) -> Properties:
    """Only read by paho, so the few that there are can be shared: making one costs as much as the message."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expiry_s
    return properties


def tls_context(mqtt: Mqtt) -> ssl.SSLContext:
    """What a connection is to trust, and to show. Raises ConfigError if a certificate cannot be used."""
    tls = mqtt.tls
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"mqtt.tls: the certificates cannot be used ({exc}); "
                          "ca_file, cert_file and key_file must be PEM files") from exc  # fmt: skip
    return context
