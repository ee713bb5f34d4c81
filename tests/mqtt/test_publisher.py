"""Retained, dropped and final messages, with real brokers."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from edge.config import Mqtt
from edge.mqtt.connection import MAX_PENDING, Waits
from edge.mqtt.publisher import MAX_KEPT, Publisher
from edge.types import Message
from tests.mqtt.clients import TOPICS, Start, failure_of, listener, next_of, publisher
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, free_port, mosquitto_sub
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker

INFO = Message(TOPICS.info, b"{}", qos=1, retain=True)


def test_online_info_and_offline_are_retained(mosquitto: Start) -> None:
    port = mosquitto().port
    with listener(port) as heard:
        with publisher(port) as sensor:
            sensor.publish_retained(INFO)
            assert next_of(heard, TOPICS.status).payload == b"online"
            assert next_of(heard, INFO.topic).payload == b"{}"
            assert sensor.connection.protocol == "MQTT 5"
        assert next_of(heard, TOPICS.status).payload == b"offline"
    with listener(port) as late:
        retained = {message.topic: message for message in (late.next(LONG_S), late.next(LONG_S)) if message}
        assert retained[TOPICS.status].payload == b"offline"
        assert retained[INFO.topic].retain


def test_a_retained_message_that_changes_is_sent_at_once(mosquitto: Start) -> None:
    port = mosquitto().port
    with listener(port) as heard, publisher(port) as sensor:
        until(lambda: sensor.connection.connected)
        for payload in (b"1", b"2"):
            sensor.publish_retained(Message(TOPICS.info, payload, qos=1, retain=True))
            assert next_of(heard, TOPICS.info).payload == payload


def test_everything_published_is_delivered_before_offline(mosquitto: Start) -> None:
    port = mosquitto().port
    with listener(port) as heard:
        with publisher(port) as sensor:
            for number in range(200):
                until(sensor.has_room)
                assert sensor.publish(Message(TOPICS.keypoints, str(number).encode()))
        numbers = [int(next_of(heard, TOPICS.keypoints).payload) for _ in range(200)]
    assert numbers == list(range(200))
    assert sensor.dropped == 0


def test_keypoints_expire_in_mqtt_5(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    out = tmp_path / "out"
    with out.open("wb") as file:
        command = ["mosquitto_sub", "-p", str(port), "-V", "5", "-t", TOPICS.keypoints, "-C", "1", "-W", "20"]
        heard = subprocess.Popen([*command, "-F", "%E %q %r %p"], stdout=file)
        with publisher(port) as sensor:
            until(lambda: sensor.connection.connected)

            def is_heard() -> bool:
                sensor.publish(Message(TOPICS.keypoints, b"x", expiry_s=5))
                return heard.poll() is not None

            until(is_heard)
    assert out.read_text().split() == ["5", "0", "0", "x"]


def test_messages_without_a_connection_are_dropped_and_counted() -> None:
    with publisher(free_port()) as sensor:
        failure_of(sensor)
        assert not sensor.has_room()
        assert not sensor.publish(Message(TOPICS.health, b"x", qos=1))
        assert sensor.dropped == 1


def test_a_tap_gets_each_message_once_even_while_the_broker_is_away(mosquitto: Start) -> None:
    server, tapped = mosquitto(), list[bytes]()
    server.stop()
    with publisher(server.port, Waits(shortest_backoff_s=0.1, longest_backoff_s=0.1)) as sensor:
        failure_of(sensor)
        sensor.tap = lambda message: tapped.append(message.payload)
        sensor.publish_retained(INFO)
        sensor.publish_kept(event(1))
        assert not sensor.publish(Message(TOPICS.health, b"2", qos=1))
        sensor.publish(Message(TOPICS.keypoints, b"3"), tapped=False)
        assert tapped == [INFO.payload, b"1", b"2"]
        server.start()
        until(lambda: sensor.connection.connected)
        sensor.send_kept()
        sensor.repeat_retained()
        assert sensor.publish(Message(TOPICS.health, b"4", qos=1))
    assert tapped == [INFO.payload, b"1", b"2", b"4"]


def test_messages_to_a_stalled_broker_are_dropped_and_counted(mosquitto: Start) -> None:
    """The process must not queue them in memory. Publishing continues when the broker reads again."""
    server = mosquitto()
    with publisher(server.port) as sensor:
        until(lambda: sensor.connection.connected)
        big = Message(TOPICS.keypoints, bytes(200_000))
        with server.stalled():
            sent = sum(sensor.publish(big) for _ in range(1000))
        assert sent < MAX_PENDING + 50  # the sockets' buffers hold some messages
        assert sensor.dropped == 1000 - sent
        until(sensor.has_room)
        assert sensor.publish(Message(TOPICS.keypoints, b"x"))


def event(number: int, expiry_s: int | None = 300) -> Message:
    return Message(TOPICS.event("fall"), b"%d" % number, qos=1, expiry_s=expiry_s)


def test_kept_messages_reach_a_broker_that_was_away_in_order_and_once(mosquitto: Start) -> None:
    server = mosquitto()
    with publisher(server.port, Waits(shortest_backoff_s=0.1, longest_backoff_s=0.1)) as sensor:
        until(lambda: sensor.connection.connected)
        server.stop()
        until(lambda: not sensor.connection.connected)
        for number in range(100):
            sensor.publish_kept(event(number))
        server.start()
        with listener(server.port) as heard:
            seen: list[int] = []

            def all_arrived() -> bool:
                if heard.connection.connected:
                    sensor.send_kept()
                while (message := heard.next(0)) is not None:
                    if message.topic == TOPICS.event("fall"):
                        seen.append(int(message.payload))
                return len(seen) == 100

            until(all_arrived)
    assert seen == list(range(100))
    assert sensor.dropped == 0


def test_of_too_many_kept_messages_the_oldest_are_dropped_and_counted(mosquitto: Start) -> None:
    server = mosquitto()
    server.stop()
    with publisher(server.port, Waits(shortest_backoff_s=0.1, longest_backoff_s=0.1)) as sensor:
        failure_of(sensor)
        for number in range(MAX_KEPT + 10):
            sensor.publish_kept(event(number))
        assert sensor.dropped == 10
        server.start()
        with listener(server.port) as heard:
            until(lambda: sensor.connection.connected)
            sensor.send_kept()
            assert next_of(heard, TOPICS.event("fall")).payload == b"10"


def test_a_kept_message_expires_on_the_sensor_and_is_counted() -> None:
    now_s = 0.0
    mqtt = msgspec.convert({"host": LOOPBACK, "port": free_port()}, Mqtt)
    online, offline = TOPICS.status_message(online=True), TOPICS.status_message(online=False)
    sensor = Publisher(mqtt, "test", online=online, offline=offline, monotonic=lambda: now_s)
    sensor.publish_kept(event(1, expiry_s=10))
    sensor.publish_kept(event(2, expiry_s=20))
    sensor.publish_kept(event(3, expiry_s=None))
    dropped = []
    for now_s in (9.9, 10.0, 20.0, 1e9):  # noqa: B007 - the publisher's clock
        sensor.send_kept()
        dropped.append(sensor.dropped)
    assert dropped == [0, 1, 2, 2]


def test_a_kept_message_reaches_the_broker_with_the_rest_of_its_time(mosquitto: Start, tmp_path: Path) -> None:
    port, now_s = mosquitto().port, 0.0
    mqtt = msgspec.convert({"host": LOOPBACK, "port": port}, Mqtt)
    online, offline = TOPICS.status_message(online=True), TOPICS.status_message(online=False)
    sensor = Publisher(mqtt, "test", online=online, offline=offline, monotonic=lambda: now_s)
    sensor.publish_kept(event(7))
    now_s = 100.5
    with mosquitto_sub(
        port, TOPICS.event("fall"), tmp_path / "out", "-V", "5", "-q", "1", "-F", "%E %q %r %p"
    ) as lines:
        sensor.open()
        until(lambda: sensor.connection.connected)
        sensor.send_kept()
        until(lines)
        sensor.close()
    assert lines() == ["200 1 0 7"]


def test_kept_messages_that_the_broker_did_not_acknowledge_are_sent_again(mosquitto: Start) -> None:
    """A broker that is stopped while it should read has some of them in its socket only."""
    server = mosquitto()
    with publisher(server.port, Waits(keepalive_s=1, shortest_backoff_s=0.1, longest_backoff_s=0.1)) as sensor:
        until(lambda: sensor.connection.connected)
        with server.stalled():
            sensor.publish_kept(event(1))
            server.kill()
        until(lambda: not sensor.connection.connected)
        server.start()
        with listener(server.port) as heard:
            until(lambda: sensor.connection.connected)
            sensor.send_kept()
            assert next_of(heard, TOPICS.event("fall")).payload == b"1"


def test_kept_messages_are_delivered_before_offline(mosquitto: Start) -> None:
    port = mosquitto().port
    with listener(port) as heard:
        with publisher(port) as sensor:
            until(lambda: sensor.connection.connected)
            for number in range(30):
                sensor.publish_kept(event(number))
        payloads = []
        while (message := heard.next(LONG_S)) is not None and message.payload != b"offline":
            payloads.append(message.payload)
    assert payloads == [b"online", *(b"%d" % number for number in range(30))]


def test_the_final_message_is_published_without_online(mosquitto: Start) -> None:
    port = mosquitto().port
    mqtt = msgspec.convert({"host": LOOPBACK, "port": port}, Mqtt)
    online, offline = TOPICS.status_message(online=True), TOPICS.status_message(online=False)
    sensor = Publisher(mqtt, "test", online=online, offline=offline)
    with listener(port) as heard:
        sensor.publish_final(INFO, threading.Event(), timeout_s=LONG_S)
        sensor.close()
        first, second = heard.next(LONG_S), heard.next(LONG_S)
    assert first is not None
    assert second is not None
    assert (first.topic, second.topic, second.payload) == (INFO.topic, TOPICS.status, b"offline")


def test_the_final_message_waits_for_the_broker_until_the_timeout_or_a_stop() -> None:
    with publisher(free_port()) as sensor:
        started_s = time.monotonic()
        sensor.publish_final(INFO, threading.Event(), timeout_s=0.3)
        assert time.monotonic() - started_s >= 0.3
        stopping = threading.Event()
        stopping.set()
        sensor.publish_final(INFO, stopping, timeout_s=LONG_S * 10)
        assert time.monotonic() - started_s < LONG_S


def test_topics_refused_by_the_access_list_are_logged_once(
    mosquitto: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write +/+/info\n")
    server = mosquitto("allow_anonymous true", f"acl_file {rules}")

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if "access list" in record.getMessage()]

    with publisher(server.port, Waits(shortest_backoff_s=0.1)) as sensor:
        until(lines)
        sensor.publish_retained(INFO)
        server.stop()
        until(lambda: not sensor.connection.connected)
        server.start()
        until(lambda: sensor.connection.connected)  # by now, it has sent everything retained again
        until(lambda: sensor.connection.client.on_publish is None)
    (line,) = lines()
    assert TOPICS.status in line
    assert "Not authorized" in line
    assert "anonymous clients" in line


def test_the_last_will_is_offline(mosquitto: Start, tmp_path: Path) -> None:
    """The broker publishes it, because a killed process cannot."""
    server = mosquitto()
    script = tmp_path / "sensor.py"
    script.write_text(
        "import time\n"
        "from tests.mqtt.clients import publisher\n"
        f"with publisher({server.port}) as sensor:\n    time.sleep(60)\n"
    )
    with listener(server.port) as heard:
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        sensor = subprocess.Popen([sys.executable, str(script)], env=environ)
        assert next_of(heard, TOPICS.status).payload == b"online"
        sensor.kill()
        sensor.wait()
        assert next_of(heard, TOPICS.status).payload == b"offline"
