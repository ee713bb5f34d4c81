"""Talk to the broker. The only file that imports paho."""

import logging
import queue
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, MQTTMessage, MQTTMessageInfo, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import Mqtt, password
from edge.errors import ConfigError
from edge.mqtt.troubles import LOGIN_REFUSED, STABLE_S, explain, hung_up, lost
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
MAX_UNREAD = 1000  # messages of a subscription

_UNSUPPORTED_PROTOCOL = 0x84
_NOT_AUTHORISED = 0x87


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


class Broker:
    """Publishes messages, and says `online` and `offline` for us.

    `online` and the standing messages are sent at every connect; the last will is `offline`. Nothing is queued while
    the broker is away: what is published then is dropped and counted. A second client of this id throws the first one
    out, which comes back and says all of that again: so a daemon that fails beside another one is soon corrected.
    """

    def __init__(self, mqtt: Mqtt, device_id: str, *, online: Message, offline: Message) -> None:
        """Raises ConfigError if the password or a certificate cannot be used."""
        self._online, self._offline = online, offline
        self._standing: dict[str, Message] = {}
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
        self.stand(self._online)
        self.connection.open()

    def stand(self, message: Message) -> None:
        """Publish a retained message now, or as soon as there is a connection, and again at every connect."""
        with self.connection.lock:
            self._standing[message.topic] = message
            if self.connection.connected:
                self._state(self.connection.client, message)

    def last_words(self, message: Message, stopping: threading.Event, timeout_s: float = UNANSWERED_S) -> None:
        """Stand a message of somebody who ends; where there is no connection yet, make one, and do not say `online`.

        Waits until that has succeeded, or will not, `stopping` is set, or the time is over: after a power cut, a broker
        may need a moment longer than we do, and there may be no second time to say it.
        """
        with self.connection.lock:
            self._standing.pop(self._online.topic, None)
            self.stand(message)
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
                info = _send(self.connection.client, message)
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
                info = _send(self.connection.client, self._offline)
            finally:
                self.connection.lock.release()
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(max(deadline_s - time.monotonic(), 0))
        self.connection.close(max(deadline_s - time.monotonic(), 0))

    def _forget_pending(self) -> None:
        self._pending.clear()

    def _announce(self, client: Client) -> None:
        self._unanswered = {}
        for message in self._standing.values():
            self._state(client, message)

    def _state(self, client: Client, message: Message) -> None:
        """Send a message, and listen whether the broker takes it; only MQTT 5 tells."""
        self._unanswered[_send(client, message).mid] = message.topic
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


class Subscription:
    """Receives what is published under some topics."""

    def __init__(self, mqtt: Mqtt, topics: Sequence[str]) -> None:
        self._topics = [(topic, 1) for topic in topics]
        # The one in C: if Ctrl-C interrupts the other one at the wrong moment, its lock stays taken for ever.
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

    def clear(self, topics: Sequence[str], timeout_s: float = 1.0) -> bool:
        """Delete what is retained there; whether the broker answered within `timeout_s`, be it that it refuses."""
        deadline_s = time.monotonic() + timeout_s
        with self.connection.lock:
            if not self.connection.connected:
                return False
            sent = [_send(self.connection.client, Message(topic, b"", qos=1, retain=True)) for topic in topics]
        for info in sent:
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(max(deadline_s - time.monotonic(), 0))
        return all(info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and info.is_published() for info in sent)

    def close(self) -> None:
        self.connection.close()

    def _subscribe(self, client: Client) -> None:
        client.subscribe(self._topics)

    def _keep(self, message: MQTTMessage) -> None:
        # Whoever prints may be slower than what comes; the newest is the most interesting.
        if self._arrived.qsize() >= MAX_UNREAD:
            with suppress(queue.Empty):  # it was read just now
                self._arrived.get_nowait()
        self._arrived.put(Message(message.topic, bytes(message.payload), message.qos, message.retain))


def _send(client: Client, message: Message) -> MQTTMessageInfo:
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
