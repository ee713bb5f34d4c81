"""The broker, step by step: name, port, TLS, login, and each topic of ours. Nobody who listens hears of it."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.config import Config, Mqtt, password
from edge.doctor.machine import SUDO, Finding, denied, split
from edge.errors import ConfigError
from edge.mqtt.failures import LOGIN_REFUSED, Failure, explain
from edge.mqtt.messages import PAYLOADS, Topics
from edge.mqtt.probe import FAILURE, QOS_NOT_SUPPORTED, UNSUPPORTED_PROTOCOL, WELCOME, Probe
from edge.mqtt.tls import tls_context

STEP_S = 3.0
DAY_S = 86400
EXPIRES_SOON_DAYS = 14


def steps(root: Path, config: Config) -> Iterator[Finding]:
    """Each step as a Finding, until one is a problem."""
    for title, step in (("name", _name), ("port", _port), ("TLS", _tls)):
        finding = _tried(title, step, config.mqtt)
        yield finding
        if finding.level in ("problem", "unknown"):
            return
    try:
        # Where the unit has systemd take it from, unless systemd has handed it over.
        secret = password(config.mqtt, {"CREDENTIALS_DIRECTORY": str(root / "etc/edge-pose"), **os.environ})
    except (ConfigError, OSError) as exc:
        if denied(exc):
            yield Finding("login", "unknown", "the password cannot be read by this user", SUDO)
        else:
            yield Finding("login", "problem", *split(str(exc)))
        return
    yield from _session(config, secret)


def _tried(title: str, step: Callable[[Mqtt], Finding], mqtt: Mqtt) -> Finding:
    try:
        return step(mqtt)
    except ConfigError as exc:
        return Finding(title, "unknown", str(exc), SUDO) if denied(exc) else Finding(title, "problem", *split(str(exc)))
    except OSError as exc:
        failure = explain(exc, mqtt)
        return Finding(title, "problem", f"{mqtt.host}:{mqtt.port}: {failure.problem}", failure.advice())


def _name(mqtt: Mqtt) -> Finding:
    found = socket.getaddrinfo(mqtt.host, mqtt.port, type=socket.SOCK_STREAM)
    addresses = sorted({str(address[0]) for *_, address in found})
    return Finding("name", "ok", f"{mqtt.host} is {', '.join(addresses)}")


def _port(mqtt: Mqtt) -> Finding:
    socket.create_connection((mqtt.host, mqtt.port), STEP_S).close()
    return Finding("port", "ok", f"{mqtt.port} is open")


def _tls(mqtt: Mqtt) -> Finding:
    if not mqtt.tls.enabled:
        return Finding("TLS", "ok", "off (mqtt.tls.enabled)")
    try:
        stream = _open(mqtt)
    except ConnectionError:  # the port was open a moment ago
        fix = f"is mqtt.port = {mqtt.port} the TLS port? If the broker has none: mqtt.tls.enabled = false"
        return Finding("TLS", "problem", f"{mqtt.host}:{mqtt.port}: it hangs up on TLS", fix)
    with stream:
        assert isinstance(stream, ssl.SSLSocket)
        certificate = stream.getpeercert() or {}
        version = stream.version()
    left_days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S
    text = f"{version}, the broker's certificate is trusted and good for {left_days:.0f} days"
    if left_days < EXPIRES_SOON_DAYS:
        return Finding("TLS", "warning", text, "renew the broker's certificate")
    return Finding("TLS", "ok", text)


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


def _session(config: Config, secret: str | None) -> Iterator[Finding]:
    """Login, and what may be published; in MQTT 5, or 3.1.1 where the broker wants that."""
    mqtt = config.mqtt
    client_id = f"edge-pose-{config.device.topic_id}-doctor"  # with the daemon's, that one would be thrown out
    for version in (5, 4):
        try:
            with Probe(_open(mqtt), version) as probe:
                code = probe.connect(client_id, mqtt.username, secret)
                if code == UNSUPPORTED_PROTOCOL and version == 5:
                    continue
                yield _login(mqtt, code, version, sent=secret is not None)
                if code == WELCOME:
                    yield _topics(probe, config, version)
                    probe.leave()
                return
        except OSError as exc:
            # Some old brokers hang up on MQTT 5 without a word.
            if version == 4 or isinstance(exc, TimeoutError):
                yield _no_answer(exc)
                return


def _login(mqtt: Mqtt, code: int, version: int, *, sent: bool) -> Finding:
    protocol = "MQTT 5" if version == 5 else "MQTT 3.1.1"
    user = f"as {mqtt.username!r}" if mqtt.username else "without a user name"
    if code == WELCOME:
        return Finding("login", "ok", f"let in {user}, {protocol}")
    other = Failure(f"the broker refuses the connection (reason code 0x{code:02x})", "see the broker's log")
    refusal = LOGIN_REFUSED.get(code, other)
    text = f"{refusal.problem} ({user}, {'with' if sent else 'without'} a password)"
    return Finding("login", "problem", text, refusal.advice())


def _no_answer(exc: OSError) -> Finding:
    reason = str(getattr(exc, "reason", exc))
    if "CERTIFICATE" in reason:  # TLS 1.3 says so only after the handshake
        fix = "name a certificate that the broker trusts: mqtt.tls.cert_file and mqtt.tls.key_file"
        return Finding("login", "problem", f"the broker wants to know us by a certificate ({reason})", fix)
    return Finding("login", "problem", f"no answer: {reason}", "is it an MQTT broker, and is mqtt.tls as it wants it?")


def _topics(probe: Probe, config: Config, version: int) -> Finding:
    """What the broker's access list says of each topic that the daemon publishes on."""
    if version != 5:
        return Finding("topics", "unknown", "MQTT 3.1.1 does not tell who may publish", "update the broker to MQTT 5")
    topics = Topics(config.mqtt.base_topic, config.device.topic_id)
    wanted = [topics.status, *(f"{topics.root}/{name}" for name in PAYLOADS)]
    fix = f"allow {config.mqtt.username or 'anybody'} to write {topics.root}/# in the broker's access list"
    refused: list[str] = []
    for topic in wanted:
        try:
            code = probe.may_publish(topic)
        except OSError as exc:
            if not refused:
                text = f"the broker did not answer whether {topic} may be published ({exc})"
                return Finding("topics", "warning", text, fix)
            break  # some hang up on whom they refuse
        if code == QOS_NOT_SUPPORTED:
            return Finding("topics", "unknown", "the broker does not take QoS 2, by which it can be asked")
        if code >= FAILURE:
            refused.append(f"{topic} (0x{code:02x})")
    if refused:
        return Finding("topics", "problem", f"may not publish on {', '.join(refused)}", fix)
    names = ", ".join(topic.rpartition("/")[2] for topic in wanted)
    return Finding("topics", "ok", f"may publish on {topics.root}/: {names}")
