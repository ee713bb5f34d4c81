"""The broker's part of `edge-pose doctor`, on real brokers."""

import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, Device
from edge.doctor import broker as module
from edge.doctor import rights
from edge.doctor.result import Result
from edge.mqtt.access_list import access_list
from edge.mqtt.probe import ACCEPTED, Probe
from edge.mqtt.topics import Topics
from tests.support.brokers import LOOPBACK, Mosquitto, free_port, publish
from tests.support.logins import PASSWORD, settings
from tests.support.sensor import ear, run_edge, sensor
from tests.support.waiting import LONG_S

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


def examine(root: Path, **mqtt: object) -> dict[str, Result]:
    """Name -> result of each step, for a configuration with these keys of mqtt."""
    return {result.name: result for result in module.steps(root, configuration(**mqtt))}


def configuration(**mqtt: object) -> Config:
    return msgspec.convert({"device": {"id": "door"}, "mqtt": {"host": LOOPBACK, **mqtt}}, Config)


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A password file for the users `edge` and `all`. The password of `edge` is where systemd reads it."""
    file = tmp_path / "passwords"
    for option, user in (["-c"], "edge"), ([], "all"):
        subprocess.run(["mosquitto_passwd", *option, "-b", file, user, "s3cret"], check=True, capture_output=True)
    (tmp_path / "etc/edge-pose").mkdir(parents=True)
    (tmp_path / "etc/edge-pose/mqtt_password").write_text("s3cret\n")
    return file


def test_each_step_has_a_result(mosquitto: Start, tmp_path: Path) -> None:
    found = examine(tmp_path, port=mosquitto().port)
    assert list(found) == ["name", "port", "TLS", "login", "topics", "commands"]
    assert {result.level for result in found.values()} == {"ok"}
    assert "MQTT 5" in found["login"].text
    assert "status, keypoints, event/fall, state, info, health" in found["topics"].text


def test_the_first_failing_step_is_the_last_one(tmp_path: Path) -> None:
    found = examine(tmp_path, port=free_port())
    assert list(found) == ["name", "port"]
    assert found["port"].level == "problem"
    assert "connection refused" in found["port"].text
    found = examine(tmp_path, host="no-such-host.invalid")
    assert list(found) == ["name"]
    assert found["name"].fix == "correct mqtt.host"


def test_the_password_is_the_one_that_systemd_would_pass(mosquitto: Start, tmp_path: Path, passwords: Path) -> None:
    port = mosquitto("allow_anonymous false", f"password_file {passwords}").port
    assert examine(tmp_path, port=port, username="edge")["login"].level == "ok"
    bad = tmp_path / "bad"
    bad.write_text("wr0ng")
    for refused in (
        examine(tmp_path, port=port, username="edge", password_file=str(bad)),
        examine(tmp_path / "nowhere", port=port, username="edge"),
        examine(tmp_path, port=port),
    ):
        assert refused["login"].level == "problem"
        assert "mqtt.username" in refused["login"].fix
        assert "topics" not in refused
        assert "wr0ng" not in str(refused)


def test_topics_that_the_access_list_refuses_are_named(mosquitto: Start, tmp_path: Path) -> None:
    allowed = "status", "info", "state", "event/+", "setting/+", "response/+", "snapshot"
    rules = "user edge\n" + "".join(f"topic write edge-pose/door/{name}\n" for name in allowed)
    port = mosquitto(*settings(tmp_path, rules, "edge")).port
    topics = examine(tmp_path, port=port, username="edge", password_file=f"{tmp_path}/password")["topics"]
    assert topics.level == "problem"
    refused = "edge-pose/door/keypoints", "edge-pose/door/health", "homeassistant/device/door/config"
    assert topics.text == f"may not publish on {', '.join(f'{topic} (0x87)' for topic in refused)}"
    assert "write edge-pose/door/#, homeassistant/device/door/config" in topics.fix


def test_the_rights_of_the_installer_are_enough(mosquitto: Start, tmp_path: Path) -> None:
    rules = access_list("", [configuration(username="edge")])
    port = mosquitto(*settings(tmp_path, rules, "edge")).port
    found = examine(tmp_path, port=port, username="edge", password_file=f"{tmp_path}/password")
    assert {result.level for result in found.values()} == {"ok"}
    assert "set/+, request/+" in found["commands"].text
    assert "may subscribe to homeassistant/status" in found["commands"].text


@pytest.mark.parametrize("root", ["own", "installer"])
def test_a_changed_device_id_is_a_problem_that_says_what_to_do(mosquitto: Start, tmp_path: Path, root: str) -> None:
    (tmp_path / "installer/etc/mosquitto/conf.d").mkdir(parents=True)
    (tmp_path / "installer/etc/mosquitto/conf.d/edge-pose.conf").touch()
    before = msgspec.structs.replace(configuration(username="edge"), device=Device(id="hall"))
    port = mosquitto(*settings(tmp_path, access_list("", [before]), "edge")).port
    found = examine(tmp_path / root, port=port, username="edge", password_file=f"{tmp_path}/password")
    assert "edge-pose/door/status (0x87)" in found["topics"].text
    remedy = "sudo ./systemd/install.sh" if root == "installer" else "write edge-pose/door/#"
    assert remedy in found["topics"].fix
    assert found["commands"].level == "unknown"  # a message can only be tried with the right to write it


@pytest.mark.parametrize(("version", "level"), [(5, "problem"), (4, "warning")])
def test_commands_that_the_broker_does_not_deliver_are_found(
    mosquitto: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, level: str
) -> None:
    monkeypatch.setattr(rights, "ARRIVAL_S", 0.3)
    rules = "user edge\ntopic write edge-pose/door/#\ntopic read edge-pose/door/set/#\n"
    port = mosquitto(*settings(tmp_path, rules, "edge")).port
    config = configuration(port=port, username="edge")
    with Probe(socket.create_connection((LOOPBACK, port), LONG_S), version) as probe:
        assert probe.connect("doctor", "edge", PASSWORD) == ACCEPTED
        found = {result.name: result for result in rights.rights(probe, config, version, local=False)}
    assert found["commands"].level == level
    assert "edge-pose/door/request/doctor/check did not come back" in found["commands"].text
    assert "read edge-pose/door/request/#" in found["commands"].fix


def test_subscribers_receive_only_the_trial_of_commands(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard:
        assert examine(tmp_path, port=port)["topics"].level == "ok"
        with ear(port) as late:  # would receive retained messages
            publish(port, "edge-pose/door/status", "online")
            trials = [(f"edge-pose/door/{kind}/doctor/check", b"") for kind in ("set", "request")]
            for one, expected in ((heard, trials), (late, [])):
                one.listen(lambda message: message.payload == b"online")
                assert [(m.topic, m.payload) for m in one.heard] == [*expected, ("edge-pose/door/status", b"online")]


def test_a_running_daemon_is_not_disturbed(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    config = tmp_path / "edge-pose.toml"
    config.write_text(
        f'[device]\nid = "test"\n[camera]\nsource = "synthetic:empty"\n[mqtt]\nhost = "{LOOPBACK}"\nport = {port}\n'
    )
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:empty"}) as daemon:
        heard.topic("keypoints")
        done = run_edge("doctor", "--config", str(config))
        assert "may publish on edge-pose/test/" in done.stdout, done.stdout + done.stderr
        assert daemon.stop()[0] == 0
        heard.topic("status", b"offline")
    assert [m.payload for m in heard.heard if m.topic.endswith("/status")] == [b"online", b"offline"]
    assert heard.all("health")[-1]["connects"] == 1  # the doctor did not use its client ID


def test_an_untrusted_certificate_is_a_problem_and_a_short_lived_one_a_warning(
    mosquitto: Start, tmp_path: Path, certificates: Path
) -> None:
    tls = [f"cafile {certificates}/ca.crt", f"certfile {certificates}/server.crt", f"keyfile {certificates}/server.key"]
    port = mosquitto("allow_anonymous true", *tls).port
    ours = {"enabled": True, "ca_file": f"{certificates}/ca.crt"}
    found = examine(tmp_path, port=port, tls=ours)
    assert found["topics"].level == "ok"
    assert found["TLS"].level == "warning"  # it is valid for two days
    assert "renew" in found["TLS"].fix
    found = examine(tmp_path, port=port, tls={**ours, "ca_file": f"{certificates}/other.crt"})
    assert found["TLS"].level == "problem"
    assert "mqtt.tls.ca_file" in found["TLS"].fix
    assert "login" not in found
    found = examine(tmp_path, port=port)
    assert found["login"].level == "problem"
    assert "mqtt.tls" in found["login"].fix
    found = examine(tmp_path, port=mosquitto().port, tls=ours)
    assert "TLS port" in found["TLS"].fix
    assert examine(tmp_path, port=port, tls={"enabled": True, "ca_file": __file__})["TLS"].level == "problem"


def test_a_required_client_certificate_is_a_problem_until_it_is_configured(
    mosquitto: Start, tmp_path: Path, certificates: Path
) -> None:
    tls = [f"cafile {certificates}/ca.crt", f"certfile {certificates}/server.crt", f"keyfile {certificates}/server.key"]
    port = mosquitto("allow_anonymous true", *tls, "require_certificate true").port
    ours = {"enabled": True, "ca_file": f"{certificates}/ca.crt"}
    assert examine(tmp_path, port=port, tls=ours)["login"].level == "problem"
    ours |= {"cert_file": f"{certificates}/client.crt", "key_file": f"{certificates}/client.key"}
    assert examine(tmp_path, port=port, tls=ours)["topics"].level == "ok"


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A server that reads a CONNECT, sends this answer and closes the connection; yields its port."""
    ended = threading.Event()

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                if ended.is_set():
                    return
                if packet := connection.recv(1000):
                    connection.sendall(answer(packet))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1000):  # closing earlier could lose the answer
                        pass

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


@pytest.mark.parametrize("refusal", [b"", b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
def test_without_mqtt_5_the_topics_are_unknown(tmp_path: Path, refusal: bytes) -> None:
    def answer(packet: bytes) -> bytes:
        return b"\x20\x02\x00\x00" if packet[8] == 4 else refusal

    with answering(answer) as port:
        found = examine(tmp_path, port=port)
    assert "MQTT 3.1.1" in found["login"].text
    assert found["login"].level == "ok"
    assert found["topics"].level == "unknown"


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ([b"\xe0\x01\x87"], "problem"),  # disconnects after a refusal, and says why
        ([], "warning"),  # closes the connection without an answer
        ([b"\xe0\x01\x9b"], "unknown"),  # does not accept QoS 2
        ([b"\x50\x03\x00\x01\x10", b"\x50\x03\x00\x02\x87"], "problem"),  # accepts the first: it has no subscribers
    ],
)
def test_refused_topics_are_reported_whatever_the_broker_answers(
    tmp_path: Path, answers: list[bytes], level: str
) -> None:
    def answer(_packet: bytes) -> bytes:
        return b"\x20\x03\x00\x00\x00" + b"".join(answers)

    with answering(answer) as port:
        found = examine(tmp_path, port=port)
    assert found["login"].level == "ok"
    assert found["topics"].level == level


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ([b"\x00", b"\x87", b"\x00", b"\x00", b"\x00"], "problem"),  # the second subscription is refused
        ([b"\x00", b"\x00"], "warning"),  # closes the connection without an answer
    ],
)
def test_a_refused_subscription_is_reported_whatever_the_broker_answers(
    tmp_path: Path, answers: list[bytes], level: str
) -> None:
    written = len(Topics("edge-pose", "door").all) + 1  # and what Home Assistant finds it by
    numbers = count(1)
    accepted = b"".join(b"\x50\x02" + struct.pack("!H", next(numbers)) for _ in range(written))
    subscribed = b"".join(b"\x90\x04" + struct.pack("!H", next(numbers)) + b"\0" + code for code in answers)

    def answer(_packet: bytes) -> bytes:
        return b"\x20\x03\x00\x00\x00" + accepted + subscribed

    with answering(answer) as port:
        found = examine(tmp_path, port=port)
    assert found["topics"].level == "ok"
    assert found["commands"].level == level
    if level == "problem":
        assert found["commands"].text == "may not subscribe to edge-pose/door/request/+ (0x87)"
        assert "read edge-pose/door/request/#" in found["commands"].fix


def _repeat(text: bytes, _packet: bytes) -> bytes:
    return text


def test_a_server_that_is_not_a_broker_fails_at_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for nonsense in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\xff\xff\xff\xff", b""):
        with answering(partial(_repeat, nonsense)) as port:
            assert examine(tmp_path, port=port)["login"].level == "problem"
    monkeypatch.setattr(module, "STEP_S", 0.2)
    with socket.create_server((LOOPBACK, 0)) as silent:
        assert examine(tmp_path, port=silent.getsockname()[1])["login"].level == "problem"
