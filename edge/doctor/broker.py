"""The broker, step by step: name, port, TLS, login, and the rights of the login."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.config import Config, Mqtt, password
from edge.doctor.result import Result, from_error
from edge.doctor.rights import rights
from edge.errors import ConfigError
from edge.mqtt.failures import UNSUPPORTED_PROTOCOL, explain, refused
from edge.mqtt.probe import ACCEPTED, Probe
from edge.mqtt.tls import tls_context

STEP_S = 3.0
DAY_S = 86400
EXPIRES_SOON_DAYS = 14
BROKER_LOCAL = "etc/mosquitto/conf.d/edge-pose.conf"  # install.sh --broker-local writes it
THIS_MACHINE = "127.0.0.1", "::1", "localhost"


def steps(root: Path, config: Config) -> Iterator[Result]:
    """A result per step; a step that fails is the last one."""
    for title, step in (("name", _name), ("port", _port), ("TLS", _tls)):
        result = _try(title, step, config.mqtt)
        yield result
        if result.level in ("problem", "unknown"):
            return
    try:
        # Outside the service, read the file that the unit loads as a credential.
        secret = password(config.mqtt, {"CREDENTIALS_DIRECTORY": str(root / "etc/edge-pose"), **os.environ})
    except ConfigError as exc:
        yield from_error("login", exc)
        return
    yield from _session(root, config, secret)


def _try(title: str, step: Callable[[Mqtt], Result], mqtt: Mqtt) -> Result:
    try:
        return step(mqtt)
    except ConfigError as exc:
        return from_error(title, exc)
    except OSError as exc:
        failure = explain(exc, mqtt)
        return Result(title, "problem", f"{mqtt.host}:{mqtt.port}: {failure.problem}", failure.advice())


def _name(mqtt: Mqtt) -> Result:
    resolved = socket.getaddrinfo(mqtt.host, mqtt.port, type=socket.SOCK_STREAM)
    addresses = sorted({str(address[0]) for *_, address in resolved})
    return Result("name", "ok", f"{mqtt.host} is {', '.join(addresses)}")


def _port(mqtt: Mqtt) -> Result:
    socket.create_connection((mqtt.host, mqtt.port), STEP_S).close()
    return Result("port", "ok", f"{mqtt.port} is open")


def _tls(mqtt: Mqtt) -> Result:
    if not mqtt.tls.enabled:
        return Result("TLS", "ok", "off (mqtt.tls.enabled)")
    try:
        stream = _open(mqtt)
    except ConnectionError:  # the port was open a moment ago
        fix = f"is mqtt.port = {mqtt.port} the TLS port? If the broker has none: mqtt.tls.enabled = false"
        return Result("TLS", "problem", f"{mqtt.host}:{mqtt.port}: it closes TLS connections", fix)
    with stream:
        assert isinstance(stream, ssl.SSLSocket)
        certificate = stream.getpeercert() or {}
        version = stream.version()
    left_days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S
    text = f"{version}, the broker's certificate is trusted and valid for {left_days:.0f} more days"
    if left_days < EXPIRES_SOON_DAYS:
        return Result("TLS", "warning", text, "renew the broker's certificate")
    return Result("TLS", "ok", text)


def _open(mqtt: Mqtt) -> socket.socket:
    context = tls_context(mqtt) if mqtt.tls.enabled else None
    stream = socket.create_connection((mqtt.host, mqtt.port), STEP_S)
    if context is None:
        return stream
    try:
        return context.wrap_socket(stream, server_hostname=mqtt.host)
    except OSError:
        stream.close()
        raise


def _session(root: Path, config: Config, secret: str | None) -> Iterator[Result]:
    """Login and topics, with MQTT 5, or with 3.1.1 if the broker does not speak MQTT 5."""
    mqtt = config.mqtt
    client_id = (
        f"edge-pose-{config.device.topic_id}-doctor"  # with the daemon's ID, the broker would disconnect the daemon
    )
    for version in (5, 4):
        try:
            with Probe(_open(mqtt), version) as probe:
                code = probe.connect(client_id, mqtt.username, secret)
                if code == UNSUPPORTED_PROTOCOL and version == 5:
                    continue
                yield _login(mqtt, code, version, sent=secret is not None)
                if code == ACCEPTED:
                    local = (root / BROKER_LOCAL).exists() and mqtt.host in THIS_MACHINE
                    yield from rights(probe, config, version, local=local)
                    probe.leave()
                return
        except OSError as exc:
            # Some old brokers close an MQTT 5 connection without an answer, so try 3.1.1.
            if version == 4 or isinstance(exc, TimeoutError):
                yield _no_answer(exc)
                return


def _login(mqtt: Mqtt, code: int, version: int, *, sent: bool) -> Result:
    protocol = "MQTT 5" if version == 5 else "MQTT 3.1.1"
    user = f"as {mqtt.username!r}" if mqtt.username else "without a user name"
    if code == ACCEPTED:
        return Result("login", "ok", f"accepted {user}, {protocol}")
    failure = refused(code, f"reason code 0x{code:02x}", mqtt, password_sent=sent)
    return Result("login", "problem", f"{failure.problem} ({user})", failure.advice())


def _no_answer(exc: OSError) -> Result:
    reason = str(getattr(exc, "reason", exc))
    if "CERTIFICATE" in reason:  # with TLS 1.3 the broker refuses only after the handshake
        fix = "name a certificate that the broker trusts: mqtt.tls.cert_file and mqtt.tls.key_file"
        return Result("login", "problem", f"the broker requires a client certificate ({reason})", fix)
    fix = "check that it is an MQTT broker, and that mqtt.tls matches it"
    return Result("login", "problem", f"no answer: {reason}", fix)
