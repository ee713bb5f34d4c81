"""paho's client, safe against messages that cost much time to read."""

from typing import Any

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, MQTTv5
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import Mqtt


class LeanClient(Client):
    """Ignores the properties of received messages. For 8 KB of them, paho needs 50 ms, in which it holds the GIL."""

    def _handle_publish(self) -> MQTTErrorCode:
        if self._protocol == MQTTv5:
            packet = self._in_packet
            packet["packet"] = bytearray(without_properties(packet["command"], bytes(packet["packet"])))
        return super()._handle_publish()


def connect(client: Client, mqtt: Mqtt, *, keepalive_s: int, largest: int | None) -> None:
    """Open the socket and send CONNECT. `largest` is the size of the packets that we accept. Raises OSError."""
    # With MQTT 5, paho asks for a clean start only the first time. Sessions expire at once by default.
    clean_start: Any = True if client.protocol == MQTTv5 else MQTT_CLEAN_START_FIRST_ONLY
    properties = None
    if client.protocol == MQTTv5 and largest:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = largest
    client.connect(mqtt.host, mqtt.port, keepalive_s, clean_start=clean_start, properties=properties)


def without_properties(command: int, packet: bytes) -> bytes:
    """A PUBLISH packet of MQTT 5, behind its fixed header, with an empty list of properties.

    A packet that breaks the standard (section 3.3) is returned as it is.
    """
    qos = command >> 1 & 3
    start = 2 + int.from_bytes(packet[:2], "big") + (2 if qos else 0)
    size, shift = 0, 0
    for index in range(start, min(start + 4, len(packet))):
        size |= (packet[index] & 0x7F) << shift
        shift += 7
        if not packet[index] & 0x80:
            end = index + 1 + size
            return packet[:start] + b"\0" + packet[end:] if end <= len(packet) else packet
    return packet
