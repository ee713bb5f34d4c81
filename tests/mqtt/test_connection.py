"""Connecting, reconnecting and closing, with real brokers and with misbehaving servers."""

import logging
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client

from edge.mqtt.connection import Waits
from edge.types import Message
from tests.mqtt.clients import TOPICS, Start, failure_of, listener, next_of, publisher, serving, unopened
from tests.support.brokers import LOOPBACK, free_port
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker

CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_3 = b"\x20\x02\x00\x00"


def test_mqtt_3_1_1_is_tried_if_the_broker_closes_the_connection_on_mqtt_5(caplog: pytest.LogCaptureFixture) -> None:
    """rumqttd's listener for MQTT 3.1.1 does this."""
    iotcore = pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    port = free_port()
    with iotcore.Broker(port=port, listen=LOOPBACK), publisher(port) as sensor:
        until(lambda: sensor.connection.connected)
        assert sensor.connection.protocol == "MQTT 3.1.1"
        with listener(port) as heard:
            assert next_of(heard, TOPICS.status).payload == b"online"
            assert sensor.publish(Message(TOPICS.keypoints, b"x", expiry_s=5))
            assert next_of(heard, TOPICS.keypoints).payload == b"x"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("refusal", [b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"], ids=["as MQTT 5", "as MQTT 3"])
def test_mqtt_3_1_1_is_tried_if_the_broker_refuses_mqtt_5(refusal: bytes) -> None:
    done = threading.Event()

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            peer, _address = server.accept()
            with peer:
                version = peer.recv(1000)[8]  # after the fixed header and the name "MQTT"
                peer.sendall(refusal if version == 5 else CONNACK_3)
                if version == 4:
                    done.wait(LONG_S)

    with serving(serve) as port, publisher(port) as sensor:
        until(lambda: sensor.connection.connected)
        assert sensor.connection.protocol == "MQTT 3.1.1"
        done.set()


def test_only_a_connection_can_be_lost_and_its_loss_is_reported_with_the_lock_held(mosquitto: Start) -> None:
    """Connecting takes long and must not hold the lock, so an attempt that fails in it would report without."""
    lost: list[bool] = []

    def note() -> None:
        """Whether another thread has to wait for the lock."""
        other = threading.Thread(target=lambda: lost.append(not sensor.connection.lock.acquire(blocking=False)))
        other.start()
        other.join(LONG_S)

    def hang_up(_client: Client, _userdata: Any, sock: Any) -> None:
        """Let CONNECT fail at once."""
        sock.shutdown(socket.SHUT_WR)

    server = mosquitto()
    sensor = unopened(server.port, Waits(shortest_backoff_s=0.1, longest_backoff_s=0.1))
    sensor.connection.on_lost = note
    sensor.connection.client.on_socket_open = hang_up
    sensor.open()
    try:
        until(lambda: sensor.connection.connected)
        assert lost == []
        server.stop()
        until(lambda: lost)
    finally:
        sensor.close()
    assert lost == [True]


def test_a_refused_connection_names_host_and_port() -> None:
    with publisher(free_port()) as sensor:
        failure = failure_of(sensor)
        assert failure.problem == "connection refused"
        assert failure.keys == ("mqtt.host", "mqtt.port")


def test_the_connection_is_restored_whenever_the_broker_restarts(mosquitto: Start) -> None:
    server = mosquitto()
    waits = Waits(shortest_backoff_s=0.1, longest_backoff_s=0.2)
    with publisher(server.port, waits) as sensor:
        for connects in (1, 2, 3):
            until(lambda wanted=connects: sensor.connection.connects == wanted and sensor.connection.connected)  # type: ignore[misc]
            assert sensor.connection.failure is None
            with listener(server.port) as heard:
                assert next_of(heard, TOPICS.status).payload == b"online"
                assert sensor.publish(Message(TOPICS.keypoints, b"x"))
                assert next_of(heard, TOPICS.keypoints).payload == b"x"
            server.kill()
            until(lambda: not sensor.connection.connected)
            assert not sensor.publish(Message(TOPICS.keypoints, b"x"))
            server.start()


@pytest.mark.parametrize(
    ("reset", "problem"),
    [(False, "connection lost: the broker closed it"), (True, "connection lost: it was reset")],
    ids=["closed", "reset"],
)
def test_the_state_of_the_socket_explains_a_lost_connection(reset: bool, problem: str) -> None:
    connected = threading.Event()

    def serve(server: socket.socket) -> None:
        peer, _address = server.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(CONNACK_5)
            assert connected.wait(LONG_S)
            if reset:  # closing sends RST instead of FIN
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                peer.settimeout(0.5)
                with suppress(TimeoutError):
                    while peer.recv(1000):  # closing with unread bytes would send RST, too
                        pass

    with serving(serve) as port, publisher(port, Waits(stable_s=0)) as sensor:
        until(lambda: sensor.connection.connected)
        connected.set()
        until(lambda: sensor.connection.failure)
        assert sensor.connection.failure is not None
        assert sensor.connection.failure.problem.startswith(problem)


def test_a_connection_to_a_silent_broker_ends_after_the_keepalive(mosquitto: Start) -> None:
    server = mosquitto()
    with publisher(server.port, Waits(keepalive_s=1, check_s=0.1, stable_s=0)) as sensor:
        until(lambda: sensor.connection.connected)
        with server.stalled():
            until(lambda: sensor.connection.failure)
            assert sensor.connection.failure is not None
            assert sensor.connection.failure.problem == "connection lost: no answer for 1 s"
        until(lambda: sensor.connection.connected)


def test_a_refused_login_is_retried_only_after_the_longest_pause(
    mosquitto: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("s3cret\n")
    bad.write_text("wr0ng\n")
    port = mosquitto("allow_anonymous false", f"password_file {passwords}").port
    logins: list[dict[str, object]] = [{}, {"username": "edge", "password_file": str(bad)}]
    for login in logins:
        with publisher(port, None, **login) as sensor:
            assert "mqtt.username" in failure_of(sensor).keys
            assert sensor.connection.refused
            assert sensor.connection.connects == 0
            until(lambda: sensor.connection._backoff_s == Waits().longest_backoff_s)
    with publisher(port, username="edge", password_file=str(good)) as sensor:
        until(lambda: sensor.connection.connected)
    assert "s3cret" not in caplog.text
    assert "wr0ng" not in caplog.text


def test_a_server_that_always_hangs_up_causes_neither_a_flood_of_attempts_nor_a_leak() -> None:
    """A proxy does this while its broker is down."""
    accepted: list[float] = []

    def hang_up(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                server.accept()[0].close()
                accepted.append(time.monotonic())

    backoff_s = 0.1
    with serving(hang_up) as port:
        before = threading.active_count()
        with publisher(port, Waits(shortest_backoff_s=backoff_s, longest_backoff_s=backoff_s)) as sensor:
            until(lambda: len(accepted) >= 20)
            assert threading.active_count() <= before + 1
            assert failure_of(sensor).keys == ("mqtt.tls.enabled", "mqtt.port")
        # Each pause is followed by at most two attempts, one per protocol version.
        assert accepted[-1] - accepted[0] > (len(accepted) / 2 - 1) * 0.75 * backoff_s * 0.9
        sensor.connection._thread.join(LONG_S)
        assert not sensor.connection._thread.is_alive()


def test_closing_is_quick_even_if_the_broker_is_stalled(mosquitto: Start) -> None:
    server = mosquitto()
    with publisher(server.port) as sensor:
        until(lambda: sensor.connection.connected)
        with server.stalled():
            for _ in range(200):
                sensor.publish(Message(TOPICS.keypoints, bytes(200_000)))
            assert not sensor.has_room()
            started_s = time.monotonic()
            sensor.close(timeout_s=0.5)
            assert time.monotonic() - started_s < 5


def test_closing_does_not_wait_for_a_stuck_lock(mosquitto: Start) -> None:
    """Without a DISCONNECT, the broker publishes the last will."""
    port = mosquitto().port
    taken, release = threading.Event(), threading.Event()
    with listener(port) as heard, listener(port) as one, publisher(port) as other:
        assert next_of(heard, TOPICS.status).payload == b"online"
        until(lambda: other.connection.connected)

        def hang() -> None:
            with one.connection.lock, other.connection.lock:
                taken.set()
                release.wait(LONG_S)

        threading.Thread(target=hang, daemon=True).start()
        assert taken.wait(LONG_S)
        started_s = time.monotonic()
        one.close()
        other.close()
        assert time.monotonic() - started_s < 5
        assert one.connection.connected
        assert other.connection.connected
        release.set()
        assert next_of(heard, TOPICS.status).payload == b"offline"
        until(lambda: not one.connection.connected and not other.connection.connected)


def test_an_attempt_that_stays_unanswered_counts_as_tried() -> None:
    waits = Waits(unanswered_s=0.3)
    with socket.create_server((LOOPBACK, 0)) as silent, publisher(silent.getsockname()[1], waits) as sensor:
        assert not sensor.connection.was_tried()
        until(sensor.connection.was_tried)
        assert not sensor.connection.connected


def test_the_failure_after_a_takeover_names_the_device_id(mosquitto: Start) -> None:
    port = mosquitto().port
    with publisher(port) as first:
        until(lambda: first.connection.connected)
        with publisher(port):
            until(lambda: first.connection.failure)
            assert first.connection.failure is not None
            assert first.connection.failure.keys == ("device.id",)
