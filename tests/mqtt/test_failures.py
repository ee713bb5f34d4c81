"""The keys and remedies of connection failures, without a broker."""

import socket
import ssl

import pytest

from edge.config import Mqtt
from edge.mqtt import failures
from edge.mqtt.failures import Failure

TLS = {"enabled": True}


def test_a_remedy_can_name_options_instead_of_keys() -> None:
    failure = failures.explain(ConnectionRefusedError(), Mqtt())
    assert failure.advice() == "start the broker, or correct mqtt.host and mqtt.port"
    assert failure.advice(lambda key: "--" + key.rpartition(".")[2]) == "start the broker, or correct --host and --port"
    assert str(failure) == f"connection refused; {failure.advice()}"


def test_braces_in_a_system_error_are_not_placeholders() -> None:
    failure = failures.explain(OSError("no {route} to host"), Mqtt())
    assert "{route}" in str(failure)


@pytest.mark.parametrize(
    ("cause", "keys"),
    [
        (socket.gaierror(), ("mqtt.host",)),
        (ConnectionRefusedError(), ("mqtt.host", "mqtt.port")),
        (TimeoutError(), ("mqtt.host",)),
        (ssl.SSLEOFError(), ("mqtt.port",)),
        (OSError("unreachable"), ("mqtt.host", "mqtt.port", "mqtt.tls.enabled")),
    ],
)
def test_every_failure_to_connect_names_the_keys_to_check(cause: OSError, keys: tuple[str, ...]) -> None:
    assert failures.explain(cause, Mqtt()).keys == keys


@pytest.mark.parametrize("code", [failures.BAD_LOGIN, failures.NOT_AUTHORIZED, 0x88])
def test_a_refused_user_without_a_password_is_advised_to_set_one(code: int) -> None:
    mqtt = Mqtt(username="edge")
    without = failures.refused(code, "reason", mqtt, password_sent=False)
    assert "no password was sent" in without.problem
    assert without.keys[-1] == "mqtt.password_file"
    assert "/etc/edge-pose/mqtt_password" in without.advice()
    assert "no password" not in failures.refused(code, "reason", mqtt, password_sent=True).problem


def test_a_lost_connection_suggests_a_duplicate_id_only_if_it_was_young() -> None:
    def lost(code: int, ended_by: str, *, young: bool = False) -> Failure:
        return failures.lost(code, "reason", ended_by=ended_by, keepalive_s=30, maybe_taken_over=young)

    assert lost(0x80, "the broker closed it", young=True).keys == ("device.id",)
    assert lost(0x80, "the broker closed it").keys == ()
    assert lost(0x8E, "") == failures.TAKEN_OVER
    assert lost(0x8B, "").problem == "connection lost: the broker ended it (reason)"
    assert "no answer for 30 s" in lost(0x8D, "keepalive").problem
