"""Test whether a broker accepts a login, and what it allows this login to publish and to receive.

`try_publish` delivers nothing. A QoS 2 message takes two steps. The broker's answer to the first (PUBREC) reports
whether it accepts the message. It delivers the message only after the second (PUBREL), which we never send. paho always
sends both, hence this client.
"""

import socket
import struct
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from edge.mqtt.failures import BAD_LOGIN, NOT_AUTHORIZED, UNSUPPORTED_PROTOCOL

ACCEPTED = 0
QOS_NOT_SUPPORTED = 0x9B
FAILURE = 0x80  # the lowest reason code of a refusal

_CONNECT, _CONNACK, _PUBLISH_QOS_1, _PUBLISH_QOS_2, _PUBACK, _PUBREC = 0x10, 0x20, 0x32, 0x34, 0x40, 0x50
_SUBSCRIBE, _SUBACK, _DISCONNECT = 0x82, 0x90, 0xE0
_PUBLISH = _PUBLISH_QOS_1 & 0xF0
_CLEAN_START, _PASSWORD, _USER = 0x02, 0x40, 0x80
_KEEPALIVE_S = 30
# CONNACK return codes of MQTT 3.1.1 -> reason codes of MQTT 5.
_OLD_CODES = {1: UNSUPPORTED_PROTOCOL, 2: 0x85, 3: 0x88, 4: BAD_LOGIN, 5: NOT_AUTHORIZED}


class Probe:
    """A clean session on an open socket. `version` is 5 for MQTT 5 and 4 for MQTT 3.1.1.

    All methods but `leave` raise OSError if the broker closes the connection, or does not answer within the
    socket's timeout.
    """

    def __init__(self, stream: socket.socket, version: int = 5) -> None:
        self._stream = stream
        self._version = version
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def connect(self, client_id: str, username: str, password: str | None) -> int:
        """Log in; returns an MQTT 5 reason code: ACCEPTED, or from FAILURE on a refusal."""
        flags, texts = _CLEAN_START, [client_id]
        if username:
            flags, texts = flags | _USER, [*texts, username]
            if password is not None:
                flags, texts = flags | _PASSWORD, [*texts, password]
        header = _text("MQTT") + struct.pack("!BBH", self._version, flags, _KEEPALIVE_S) + self._no_properties()
        self._send(_CONNECT, header + b"".join(map(_text, texts)))
        kind, body = self._receive()
        if kind != _CONNACK or len(body) < 2:
            raise ConnectionError("the answer is not that of an MQTT broker")
        return _OLD_CODES.get(body[1], body[1])

    def try_publish(self, topic: str) -> int:
        """Offer an empty, unretained message; returns a reason code, from FAILURE on a refusal. MQTT 5 only.

        The standard allows a broker to deliver the message after the first step; mosquitto does not.
        """
        number = self._next_number()
        self._send(_PUBLISH_QOS_2, _text(topic) + number + self._no_properties())
        while True:
            kind, body = self._receive()
            if kind == _PUBREC and body[:2] == number:
                return body[2] if len(body) > 2 else ACCEPTED
            if kind == _DISCONNECT:
                return body[0] if body else NOT_AUTHORIZED

    def subscribe(self, topic_filter: str) -> int:
        """Subscribe with QoS 0; returns a reason code, from FAILURE on a refusal.

        mosquitto accepts every subscription, and does not deliver messages that the login may not read.
        """
        number = self._next_number()
        self._send(_SUBSCRIBE, number + self._no_properties() + _text(topic_filter) + b"\0")
        while True:
            kind, body = self._receive()
            if kind == _SUBACK and body[:2] == number:
                return body[-1]
            if kind == _DISCONNECT:
                return body[0] if body else NOT_AUTHORIZED

    def try_receive(self, topic: str, wait_s: float) -> tuple[int, bool]:
        """Publish an empty message, and wait for it to come back; subscribe to its topic before.

        Returns the reason code for publishing it, from FAILURE on a refusal, and whether it came back within `wait_s`.
        MQTT 3.1.1 has no reason codes: it is always ACCEPTED.
        """
        number = self._next_number()
        self._send(_PUBLISH_QOS_1, _text(topic) + number + self._no_properties())
        deadline_s = time.monotonic() + wait_s
        code, wanted = ACCEPTED, _text(topic)
        while code < FAILURE:
            try:
                kind, body = self._receive(deadline_s)
            except TimeoutError:
                break
            if kind == _PUBACK and body[:2] == number and len(body) > 2:
                code = body[2]
            elif kind == _DISCONNECT:
                code = body[0] if body else NOT_AUTHORIZED
            elif kind == _PUBLISH and body.startswith(wanted):
                return code, True
        return code, False

    def leave(self) -> None:
        """Send DISCONNECT, so that the broker forgets the incomplete messages; never raises."""
        with suppress(OSError):
            self._send(_DISCONNECT, b"")

    def _next_number(self) -> bytes:
        self._sent += 1
        return struct.pack("!H", self._sent)

    def _no_properties(self) -> bytes:
        return b"\0" if self._version == 5 else b""

    def _send(self, kind: int, body: bytes) -> None:
        size, rest = b"", len(body)
        while True:
            rest, digit = divmod(rest, 128)
            size += bytes([digit | (0x80 if rest else 0)])
            if not rest:
                break
        self._stream.sendall(bytes([kind]) + size + body)

    def _receive(self, deadline_s: float | None = None) -> tuple[int, bytes]:
        """Kind and body of the next packet; it must begin before `deadline_s`."""
        limit_s = self._stream.gettimeout()
        if deadline_s is not None:
            self._stream.settimeout(max(deadline_s - time.monotonic(), 0.001))
        try:
            first = self._read_exactly(1)
        finally:
            self._stream.settimeout(limit_s)
        kind, size, shift = first[0], 0, 0
        while True:
            digit = self._read_exactly(1)[0]
            size |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return kind & 0xF0, self._read_exactly(size)
            if shift > 21:
                raise ConnectionError("the answer is not MQTT")

    def _read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._stream.recv(count - len(data))
            if not more:
                raise ConnectionError("the broker closed the connection")
            data += more
        return data


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded
