"""Connection, publisher and subscription against real brokers."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
from paho.mqtt.client import MQTTMessage

from edge.config import Mqtt
from edge.errors import ConfigError
from edge.mqtt import connection as module
from edge.mqtt.connection import MAX_PENDING
from edge.mqtt.messages import Topics
from edge.mqtt.publisher import Publisher
from edge.mqtt.subscription import MAX_UNREAD, Subscription
from edge.types import Message
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto, free_port
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]
TOPICS = Topics("edge-pose", "test")


@contextmanager
def publisher(port: int, **settings: object) -> Iterator[Publisher]:
    mqtt = msgspec.convert({"host": LOOPBACK, "port": port, **settings}, Mqtt)
    broker = Publisher(
        mqtt, "test", online=TOPICS.status_message(online=True), offline=TOPICS.status_message(online=False)
    )
    broker.open()
    try:
        yield broker
    finally:
        broker.close()


@contextmanager
def listener(port: int, **settings: object) -> Iterator[Subscription]:
    subscription = Subscription(msgspec.convert({"host": LOOPBACK, "port": port, **settings}, Mqtt), ["edge-pose/#"])
    until(lambda: subscription.connection.connected)
    try:
        yield subscription
    finally:
        subscription.close()


def next_of(subscription: Subscription, topic: str) -> Message:
    while True:
        message = subscription.next(15)
        assert message is not None, f"nothing on {topic}"
        if message.topic == topic:
            return message


@contextmanager
def stalled(server: Mosquitto) -> Iterator[None]:
    """It is there, but does not read."""
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server._process.pid, signal.SIGCONT)


def test_online_standing_and_offline(mosquitto: Start) -> None:
    port = mosquitto().port
    standing = Message("edge-pose/test/info", b"{}", qos=1, retain=True)
    with listener(port) as heard:
        with publisher(port) as broker:
            broker.publish_retained(standing)
            assert next_of(heard, TOPICS.status).payload == b"online"
            assert next_of(heard, standing.topic).payload == b"{}"
            assert broker.connection.protocol == "MQTT 5"
        assert next_of(heard, TOPICS.status).payload == b"offline"
    with listener(port) as late:
        retained = {message.topic: message for message in (late.next(5), late.next(5)) if message}
        assert retained[TOPICS.status].payload == b"offline"
        assert retained[standing.topic].retain


def test_a_standing_message_that_changes_is_sent_at_once(mosquitto: Start) -> None:
    port = mosquitto().port
    with listener(port) as heard, publisher(port) as broker:
        until(lambda: broker.connection.connected)
        for payload in (b"1", b"2"):
            broker.publish_retained(Message("edge-pose/test/info", payload, qos=1, retain=True))
            assert next_of(heard, "edge-pose/test/info").payload == payload


def test_everything_published_is_out_before_offline(mosquitto: Start) -> None:
    port = mosquitto().port
    with listener(port) as heard:
        with publisher(port) as broker:
            for number in range(200):
                until(broker.has_room)
                assert broker.publish(Message(TOPICS.keypoints, str(number).encode()))
        numbers = [int(next_of(heard, TOPICS.keypoints).payload) for _ in range(200)]
    assert numbers == list(range(200))
    assert broker.dropped == 0


def test_keypoints_expire_in_mqtt_5(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    out = tmp_path / "out"
    with out.open("wb") as file:
        command = ["mosquitto_sub", "-p", str(port), "-V", "5", "-t", TOPICS.keypoints, "-C", "1", "-W", "20"]
        heard = subprocess.Popen([*command, "-F", "%E %q %r %p"], stdout=file)
        with publisher(port) as broker:
            until(lambda: broker.connection.connected)
            while heard.poll() is None:
                broker.publish(Message(TOPICS.keypoints, b"x", expiry_s=5))
                time.sleep(0.05)
    assert out.read_text().split() == ["5", "0", "0", "x"]


def test_mqtt_3_1_1_where_the_broker_knows_no_5() -> None:
    """rumqttd's plain listener hangs up on MQTT 5."""
    iotcore = pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    port = free_port()
    with iotcore.Broker(port=port, listen=LOOPBACK), publisher(port) as broker:
        until(lambda: broker.connection.connected)
        assert broker.connection.protocol == "MQTT 3.1.1"
        with listener(port) as heard:
            assert next_of(heard, TOPICS.status).payload == b"online"
            assert broker.publish(Message(TOPICS.keypoints, b"x", expiry_s=5))
            assert next_of(heard, TOPICS.keypoints).payload == b"x"


@pytest.mark.parametrize("refusal", [b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"], ids=["as MQTT 5", "as MQTT 3"])
def test_mqtt_3_1_1_where_the_broker_refuses_5_politely(refusal: bytes) -> None:
    """«Unsupported protocol version», as brokers that know MQTT 5 and brokers that do not put it."""

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            peer, _address = server.accept()
            with peer:
                version = peer.recv(1000)[8]  # after the fixed header and the name "MQTT"
                peer.sendall(refusal if version == 5 else b"\x20\x02\x00\x00")
                if version == 4:
                    accepted.wait(10)

    accepted = threading.Event()
    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with publisher(server.getsockname()[1]) as broker:
            until(lambda: broker.connection.connected)
            assert broker.connection.protocol == "MQTT 3.1.1"
            accepted.set()
            thread.join()


def test_nothing_is_queued_while_nobody_is_there() -> None:
    with publisher(free_port()) as broker:
        assert broker.connection.tried.wait(10)
        assert not broker.has_room()
        assert not broker.publish(Message(TOPICS.health, b"x", qos=1))
        assert broker.dropped == 1
        assert "nobody listens there" in broker.connection.problem


def test_after_a_restart_of_the_broker_we_are_online_again(mosquitto: Start) -> None:
    server = mosquitto()
    with publisher(server.port) as broker:
        for connects in (1, 2, 3):
            until(lambda wanted=connects: broker.connection.connects == wanted and broker.connection.connected)  # type: ignore[misc]
            with listener(server.port) as heard:
                assert next_of(heard, TOPICS.status).payload == b"online"
                assert broker.publish(Message(TOPICS.keypoints, b"x"))
                assert next_of(heard, TOPICS.keypoints).payload == b"x"
            server.kill()
            until(lambda: not broker.connection.connected)
            assert not broker.publish(Message(TOPICS.keypoints, b"x"))
            server.start()


def test_a_stalled_broker_costs_no_memory(mosquitto: Start) -> None:
    """It is there, but does not read: what is published is dropped and counted, and goes on when it wakes."""
    server = mosquitto()
    with publisher(server.port) as broker:
        until(lambda: broker.connection.connected)
        big = Message(TOPICS.keypoints, bytes(200_000))
        with stalled(server):
            sent = sum(broker.publish(big) for _ in range(1000))
        assert sent < MAX_PENDING + 50  # what the sockets' buffers took, too
        assert broker.dropped == 1000 - sent
        until(broker.has_room)
        assert broker.publish(Message(TOPICS.keypoints, b"x"))


def test_a_slow_reader_gets_the_newest_messages(mosquitto: Start) -> None:
    port = mosquitto().port
    last = threading.Event()
    with listener(port) as heard, publisher(port) as broker:
        keep = heard.connection.on_message

        def watch(message: MQTTMessage) -> None:
            keep(message)
            if message.payload == b"last":
                last.set()

        heard.connection.on_message = watch
        until(lambda: broker.connection.connected)
        for number in range(MAX_UNREAD + 50):
            until(partial(broker.publish, Message(TOPICS.keypoints, b"%d" % number)))
        until(partial(broker.publish, Message(TOPICS.keypoints, b"last")))
        assert last.wait(LONG_S)
        seen = []
        while (message := heard.next(0)) is not None:
            seen.append(message.payload)
    assert seen == [*(b"%d" % number for number in range(51, MAX_UNREAD + 50)), b"last"]


def test_closing_does_not_wait_for_who_is_stuck(mosquitto: Start) -> None:
    """And the last will says what there was no time for."""
    port = mosquitto().port
    taken, release = threading.Event(), threading.Event()
    with listener(port) as heard, listener(port) as one, publisher(port) as other:
        assert next_of(heard, TOPICS.status).payload == b"online"
        until(lambda: other.connection.connected)

        def hang() -> None:
            with one.connection.lock, other.connection.lock:
                taken.set()
                release.wait(20)

        threading.Thread(target=hang, daemon=True).start()
        assert taken.wait(5)
        started_s = time.monotonic()
        one.close()
        other.close()
        assert time.monotonic() - started_s < 5
        assert one.connection.connected
        assert other.connection.connected
        release.set()
        assert next_of(heard, TOPICS.status).payload == b"offline"
        until(lambda: not one.connection.connected and not other.connection.connected)


def test_a_refused_login_is_never_taken_for_a_good_one(
    mosquitto: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("s3cret\n")
    bad.write_text("wr0ng\n")
    port = mosquitto("allow_anonymous false", f"password_file {passwords}").port
    for secret in ({}, {"username": "edge", "password_file": str(bad)}):
        with publisher(port, **secret) as broker:
            assert broker.connection.tried.wait(10)
            time.sleep(0.2)
            assert not broker.connection.connected
            assert broker.connection.connects == 0
            assert "mqtt.username" in broker.connection.problem
            assert broker.connection._backoff_s == module.LONGEST_BACKOFF_S
    with publisher(port, username="edge", password_file=str(good)) as broker:
        until(lambda: broker.connection.connected)
    assert "s3cret" not in caplog.text
    assert "wr0ng" not in caplog.text


def test_topics_that_the_access_list_refuses_are_told_once(
    mosquitto: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write +/+/info\n")
    broker = mosquitto("allow_anonymous true", f"acl_file {rules}")

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if "access list" in record.getMessage()]

    with publisher(broker.port) as sensor:
        until(lambda: bool(told()))
        sensor.publish_retained(Message(TOPICS.info, b"{}", qos=1, retain=True))
        broker.stop()
        until(lambda: not sensor.connection.connected)
        broker.start()
        until(lambda: sensor.connection.connected)  # by now, it has said all again
        until(lambda: sensor.connection.client.on_publish is None)
    (line,) = told()
    assert TOPICS.status in line
    assert "Not authorized" in line
    assert "let anybody write" in line


def test_tls(mosquitto: Start, certificates: Path) -> None:
    tls = [f"cafile {certificates}/ca.crt", f"certfile {certificates}/server.crt", f"keyfile {certificates}/server.key"]
    port = mosquitto("allow_anonymous true", *tls).port
    ours = {"enabled": True, "ca_file": f"{certificates}/ca.crt"}
    with publisher(port, tls=ours) as broker:
        until(lambda: broker.connection.connected)
        with listener(port, tls=ours) as heard:
            assert next_of(heard, TOPICS.status).payload == b"online"
    for wrong, word in (
        ({"enabled": True, "ca_file": f"{certificates}/other.crt"}, "mqtt.tls.ca_file"),
        ({}, "closed"),
    ):
        with publisher(port, tls=wrong) as broker:
            assert broker.connection.tried.wait(10)
            assert not broker.connection.connected
            assert word in broker.connection.problem


def test_tls_on_one_side_alone_is_told_in_words(mosquitto: Start, certificates: Path) -> None:
    tls = [f"cafile {certificates}/ca.crt", f"certfile {certificates}/server.crt", f"keyfile {certificates}/server.key"]
    ours = {"enabled": True, "ca_file": f"{certificates}/ca.crt"}
    plain, secure = mosquitto().port, mosquitto("allow_anonymous true", *tls).port
    strict = mosquitto("allow_anonymous true", *tls, "require_certificate true").port
    for port, wrong, words in (
        (plain, ours, f"hung up while TLS was agreed on; if it goes on, see that mqtt.port = {plain} is the broker's"),
        (secure, {}, f"if mqtt.port = {secure} is its port for TLS, set mqtt.tls.enabled = true"),
        (strict, ours, "if it asks for a certificate, name one in mqtt.tls.cert_file"),
    ):
        with publisher(port, tls=wrong) as broker:
            assert broker.connection.tried.wait(10)
            assert not broker.connection.connected
            assert words in broker.connection.problem
            assert "Errno" not in broker.connection.problem


def test_who_answers_tls_with_something_else_does_not_speak_it(certificates: Path) -> None:
    def answer(server: socket.socket) -> None:
        peer, _address = server.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        with publisher(server.getsockname()[1], tls={"enabled": True, "ca_file": f"{certificates}/ca.crt"}) as broker:
            assert broker.connection.tried.wait(10)
            assert "the other end does not speak TLS" in broker.connection.problem
        thread.join()


def test_tls_with_a_client_certificate(mosquitto: Start, certificates: Path) -> None:
    tls = [f"cafile {certificates}/ca.crt", f"certfile {certificates}/server.crt", f"keyfile {certificates}/server.key"]
    port = mosquitto("allow_anonymous true", *tls, "require_certificate true").port
    ours = {"enabled": True, "ca_file": f"{certificates}/ca.crt"}
    with publisher(port, tls=ours) as broker:
        assert broker.connection.tried.wait(10)
        assert not broker.connection.connected
    ours |= {"cert_file": f"{certificates}/client.crt", "key_file": f"{certificates}/client.key"}
    with publisher(port, tls=ours) as broker:
        until(lambda: broker.connection.connected)


def test_certificates_that_are_none_are_refused_at_once(certificates: Path) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.tls"), publisher(1, tls={"enabled": True, "ca_file": __file__}):
        pass
    pair = {"cert_file": f"{certificates}/client.crt", "key_file": f"{certificates}/server.key"}
    with pytest.raises(ConfigError, match=r"mqtt\.tls"), publisher(1, tls={"enabled": True, **pair}):
        pass


def test_the_last_will_is_offline(mosquitto: Start, tmp_path: Path) -> None:
    """A process that is killed cannot say goodbye; the broker does."""
    server = mosquitto()
    script = tmp_path / "sensor.py"
    script.write_text(
        "import time\n"
        "from tests.mqtt.test_publisher import publisher\n"
        f"with publisher({server.port}) as broker:\n    time.sleep(60)\n"
    )
    with listener(server.port) as heard:
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        sensor = subprocess.Popen([sys.executable, str(script)], env=environ)
        assert next_of(heard, TOPICS.status).payload == b"online"
        sensor.kill()
        sensor.wait()
        assert next_of(heard, TOPICS.status).payload == b"offline"


def test_a_broker_that_hangs_up_for_ever_is_left_for_a_while_and_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy does whose broker is down: neither connections nor threads may pile up."""
    monkeypatch.setattr(module, "SHORTEST_BACKOFF_S", 0.1)
    monkeypatch.setattr(module, "LONGEST_BACKOFF_S", 0.1)
    accepted: list[float] = []

    def hang_up(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                server.accept()[0].close()
                accepted.append(time.monotonic())

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        before = threading.active_count()
        with publisher(server.getsockname()[1]) as broker:
            until(lambda: len(accepted) >= 30)
            assert threading.active_count() <= before + 2
            assert "closed the connection" in broker.connection.problem
        # At most two attempts, one a protocol, for every time it waited.
        assert accepted[-1] - accepted[0] > (len(accepted) / 2 - 1) * 0.075 * 0.9
        time.sleep(0.5)
        ended = len(accepted)
        time.sleep(0.5)
        assert len(accepted) == ended, "somebody goes on after we closed"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_closing_is_quick_although_a_stalled_broker_takes_no_bytes(mosquitto: Start) -> None:
    server = mosquitto()
    with publisher(server.port) as broker:
        until(lambda: broker.connection.connected)
        with stalled(server):
            for _ in range(200):
                broker.publish(Message(TOPICS.keypoints, bytes(200_000)))
            assert not broker.has_room()
            started_s = time.monotonic()
            broker.close(timeout_s=0.5)
            assert time.monotonic() - started_s < 2


def test_a_broker_that_never_answers_counts_as_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNANSWERED_S", 0.3)
    with socket.create_server((LOOPBACK, 0)) as silent, publisher(silent.getsockname()[1]) as broker:
        assert not broker.connection.was_tried()
        until(broker.connection.was_tried)
        assert not broker.connection.connected


def test_a_twin_with_our_id_is_hinted_at(mosquitto: Start) -> None:
    port = mosquitto().port
    with publisher(port) as first:
        until(lambda: first.connection.connected)
        with publisher(port):
            until(lambda: "device.id" in first.connection.problem)


def test_closing_is_quick_although_the_broker_does_not_answer() -> None:
    """A host that swallows packets keeps connect() waiting; nobody may have to wait for that."""
    started_s = time.monotonic()
    with publisher(free_port()) as broker:
        assert broker.connection.tried.wait(10)
    assert time.monotonic() - started_s < 5
