"""A subscription, with a real broker."""

import threading
from functools import partial
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTMessage

from edge.mqtt.subscription import MAX_UNCONFIRMED, MAX_UNREAD
from edge.types import Message
from tests.mqtt.clients import TOPICS, Start, listener, publisher
from tests.support.brokers import publish
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker


def test_a_slow_reader_loses_the_oldest_messages(mosquitto: Start) -> None:
    port = mosquitto().port
    last = threading.Event()
    with listener(port) as heard, publisher(port) as sensor:
        keep = heard.connection.on_message

        def watch(message: MQTTMessage) -> None:
            keep(message)
            if message.payload == b"last":
                last.set()

        heard.connection.on_message = watch
        until(lambda: sensor.connection.connected)
        for number in range(MAX_UNREAD + 50):
            until(partial(sensor.publish, Message(TOPICS.keypoints, b"%d" % number)))
        until(partial(sensor.publish, Message(TOPICS.keypoints, b"last")))
        assert last.wait(LONG_S)
        seen = []
        while (message := heard.next(0)) is not None:
            seen.append(message.payload)
    assert seen == [*(b"%d" % number for number in range(51, MAX_UNREAD + 50)), b"last"]


def test_clear_deletes_retained_messages(mosquitto: Start) -> None:
    port = mosquitto().port
    topic = "edge-pose/test/info"
    with publisher(port) as sensor:
        sensor.publish_retained(Message(topic, b"{}", qos=1, retain=True))
        until(sensor.has_room)
    with listener(port) as heard:
        assert heard.clear([topic, TOPICS.status], LONG_S) == []
    with listener(port) as late:
        assert late.next(0.5) is None


def test_clear_without_a_connection_deletes_nothing(mosquitto: Start) -> None:
    server = mosquitto()
    with listener(server.port) as heard:
        server.stop()
        until(lambda: not heard.connection.connected)
        assert heard.clear([TOPICS.status]) == [TOPICS.status]


def test_clear_deletes_more_topics_than_can_be_under_way_at_once(mosquitto: Start) -> None:
    port = mosquitto().port
    topics = [f"edge-pose/test/{number}" for number in range(MAX_UNCONFIRMED + 5)]
    for topic in topics:
        publish(port, topic, "old", "-r")
    with listener(port) as heard:
        assert heard.clear(topics, LONG_S) == []
    with listener(port) as late:
        assert late.next(0.5) is None


def test_clear_returns_the_topics_that_the_broker_refuses(mosquitto: Start, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite edge-pose/test/info\ntopic read edge-pose/#\n", encoding="utf-8")
    rights.chmod(0o600)
    port = mosquitto("allow_anonymous true", f"acl_file {rights}").port
    with listener(port) as heard:
        assert heard.clear([TOPICS.info, TOPICS.status], LONG_S) == [TOPICS.status]
