"""TLS with real brokers: trusted, untrusted, and on one side only."""

import socket
from pathlib import Path

import pytest

from edge.errors import ConfigError
from tests.mqtt.clients import TOPICS, Start, failure_of, listener, next_of, publisher, serving
from tests.support.waiting import until

pytestmark = pytest.mark.broker


def broker_tls(certificates: Path) -> list[str]:
    """Lines of mosquitto's configuration."""
    names = {"cafile": "ca.crt", "certfile": "server.crt", "keyfile": "server.key"}
    return ["allow_anonymous true", *(f"{key} {certificates}/{name}" for key, name in names.items())]


def client_tls(certificates: Path, authority: str = "ca") -> dict[str, object]:
    return {"enabled": True, "ca_file": f"{certificates}/{authority}.crt"}


def test_messages_arrive_over_tls(mosquitto: Start, certificates: Path) -> None:
    port = mosquitto(*broker_tls(certificates)).port
    tls = client_tls(certificates)
    with publisher(port, tls=tls) as sensor:
        until(lambda: sensor.connection.connected)
        with listener(port, tls=tls) as heard:
            assert next_of(heard, TOPICS.status).payload == b"online"


def test_a_certificate_of_an_unknown_authority_is_not_trusted(mosquitto: Start, certificates: Path) -> None:
    port = mosquitto(*broker_tls(certificates)).port
    with publisher(port, tls=client_tls(certificates, "other")) as sensor:
        assert failure_of(sensor).keys == ("mqtt.tls.ca_file", "mqtt.host")


def test_tls_on_one_side_only_names_the_keys_to_change(mosquitto: Start, certificates: Path) -> None:
    lines, tls_client = broker_tls(certificates), client_tls(certificates)
    plain, secure = mosquitto().port, mosquitto(*lines).port
    strict = mosquitto(*lines, "require_certificate true").port
    for port, tls, keys in (
        (plain, tls_client, ("mqtt.port",)),
        (secure, {}, ("mqtt.tls.enabled", "mqtt.port")),
        (strict, tls_client, ("mqtt.tls.cert_file", "mqtt.tls.key_file", "mqtt.port")),
    ):
        with publisher(port, tls=tls) as sensor:
            failure = failure_of(sensor)
            assert failure.keys == keys
            assert f"port {port}" in failure.problem
            assert "Errno" not in failure.problem


def test_a_server_that_answers_tls_with_http_does_not_speak_tls(certificates: Path) -> None:
    def answer(server: socket.socket) -> None:
        peer, _address = server.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(answer) as port, publisher(port, tls=client_tls(certificates)) as sensor:
        failure = failure_of(sensor)
        assert failure.problem == f"port {port} does not speak TLS"
        assert failure.keys == ("mqtt.port", "mqtt.tls.enabled")


def test_tls_with_a_client_certificate(mosquitto: Start, certificates: Path) -> None:
    port = mosquitto(*broker_tls(certificates), "require_certificate true").port
    pair = {"cert_file": f"{certificates}/client.crt", "key_file": f"{certificates}/client.key"}
    with publisher(port, tls=client_tls(certificates) | pair) as sensor:
        until(lambda: sensor.connection.connected)


def test_unusable_certificates_are_a_configuration_error(certificates: Path) -> None:
    wrong_pair = {"cert_file": f"{certificates}/client.crt", "key_file": f"{certificates}/server.key"}
    for tls in ({"ca_file": __file__}, wrong_pair):
        with pytest.raises(ConfigError) as refused, publisher(1, tls={"enabled": True, **tls}):
            pass
        assert refused.value.key == "mqtt.tls"
