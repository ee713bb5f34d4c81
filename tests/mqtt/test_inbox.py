"""What arrives for a sensor must not take time or memory from the frames."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import Mqtt
from edge.mqtt.inbox import LARGEST_PACKET, MAX_SHARE, SHORTEST_PAUSE_S, Inbox
from edge.mqtt.lean_client import without_properties
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.waiting import until

TOPICS = Topics("edge-pose", "hall")


class FakeClient:
    """A client that notes what is subscribed to."""

    protocol = MQTTv5

    def __init__(self) -> None:
        self.subscribed: list[str] = []

    def subscribe(self, topics: list[tuple[str, Any]]) -> None:
        self.subscribed = [topic for topic, _ in topics]

    def unsubscribe(self, topics: list[str]) -> None:
        assert topics == self.subscribed
        self.subscribed = []


class Flooded:
    """An inbox with clocks that are set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.thread_s = 7.0
        self.client = FakeClient()
        self._client: Any = self.client
        self.inbox = Inbox(["a/+", "b/+"], monotonic=lambda: self.now_s, thread_time=lambda: self.thread_s)
        self.subscribe()

    def subscribe(self) -> None:
        self.inbox.subscribe(self._client)

    def get(self, count: int, *, read_s: float, after_s: float = 0.0) -> None:
        """Messages, each of which takes this processor time to read."""
        for _ in range(count):
            self.now_s += after_s
            self.thread_s += read_s
            self.inbox.put(MQTTMessage(topic=b"a/b"))


def test_a_flood_is_not_read_and_a_pause_later_commands_are_taken_again(caplog: pytest.LogCaptureFixture) -> None:
    flooded = Flooded()
    flooded.get(1000, read_s=MAX_SHARE / 500)
    assert flooded.client.subscribed == []
    assert not flooded.inbox.is_pause_over()
    flooded.now_s += SHORTEST_PAUSE_S + 0.1
    assert flooded.inbox.is_pause_over()
    flooded.subscribe()
    assert not flooded.inbox.is_pause_over()
    list(flooded.inbox.take())
    flooded.get(1, read_s=0.001)
    assert len(list(flooded.inbox.take())) == 1
    flooded.get(1000, read_s=MAX_SHARE / 500)
    assert flooded.client.subscribed == []
    assert len(caplog.records) == 1  # per minute


def test_the_pause_is_long_enough_for_what_arrives_after_unsubscribing() -> None:
    flooded = Flooded()
    flooded.get(1000, read_s=0.01)
    flooded.now_s += 9.9 / MAX_SHARE
    assert not flooded.inbox.is_pause_over()
    flooded.now_s += 0.2 / MAX_SHARE
    assert flooded.inbox.is_pause_over()


def test_a_few_commands_per_second_are_no_flood() -> None:
    flooded = Flooded()
    flooded.get(100, read_s=MAX_SHARE / 11, after_s=0.1)
    assert flooded.client.subscribed == ["a/+", "b/+"]


def test_a_topic_that_is_not_text_is_ignored() -> None:
    inbox = Inbox(["a/+"])
    inbox.put(MQTTMessage(topic=b"a/\xff"))
    assert list(inbox.take()) == []


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 3, 300])
def test_properties_are_cut_out_of_a_message(qos: int, size: int) -> None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if size:
        properties.UserProperty = [("a", "b")] * size
    start = b"\x00\x03a/b" + b"\x00\x07" * bool(qos)
    packet = start + properties.pack() + b"payload"  # type: ignore[no-untyped-call]
    assert without_properties(0x30 | qos << 1, packet) == start + b"\x00" + b"payload"


@pytest.mark.parametrize(
    "packet", [b"", b"\x00", b"\x00\x01a", b"\x00\x01a\x05x", b"\x00\x01a\xff\xff\xff\xff\xff", b"\xff\xff"]
)
def test_a_damaged_message_stays_as_it_is(packet: bytes) -> None:
    assert without_properties(0x30, packet) == packet


@pytest.mark.broker
def test_properties_are_ignored_and_large_messages_stay_at_the_broker(mosquitto: Callable[..., Mosquitto]) -> None:
    port = mosquitto().port
    inbox = Inbox(TOPICS.commands)
    online, offline = TOPICS.status_message(online=True), TOPICS.status_message(online=False)
    mqtt = msgspec.convert({"host": LOOPBACK, "port": port}, Mqtt)
    publisher = Publisher(mqtt, "hall", online=online, offline=offline, inbox=inbox)
    sender = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    sender.connect(LOOPBACK, port)
    sender.loop_start()
    try:
        received: list[MQTTMessage] = []

        def put(message: MQTTMessage) -> None:
            received.append(message)
            inbox.put(message)

        publisher.connection.on_message = put
        publisher.open()
        until(lambda: publisher.connection.connected)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = [("", "")] * 500
        properties.ResponseTopic = "elsewhere"
        for payload, more in ((b"x" * LARGEST_PACKET, None), (b"1", properties), (b"2", None)):
            sender.publish(TOPICS.command("set", "fall"), payload, qos=1, properties=more).wait_for_publish(10)
        found: list[bytes] = []

        def found_both() -> bool:
            found.extend(one.payload for one in inbox.take())
            return len(found) >= 2

        until(found_both)
        assert found == [b"1", b"2"]
        assert not any(hasattr(message.properties, "UserProperty") for message in received)
    finally:
        sender.disconnect()
        sender.loop_stop()
        publisher.close()


def test_refused_subscriptions_are_logged_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    Inbox(["a/+", "b/+"], others=["c"]).subscribe(client)
    reasons = [ReasonCode(PacketTypes.SUBACK, identifier=one) for one in (1, 0x87, 0x87)]
    assert client.on_subscribe
    client.on_subscribe(client, None, 1, reasons, None)  # type: ignore[call-arg, arg-type]
    assert [record.getMessage() for record in caplog.records] == [
        "the broker refuses subscriptions to b/+, c; allow the sensor's login to read them in the broker's access list"
    ]
