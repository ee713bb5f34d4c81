"""Logins on a mosquitto with an access list, and what they may do."""

import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from edge.config import Mqtt
from edge.mqtt.probe import ACCEPTED, FAILURE, Probe
from edge.mqtt.subscription import Subscription
from tests.support.brokers import LOOPBACK, publish
from tests.support.waiting import LONG_S, until

ADMIN = "admin"  # may do everything, to publish what another login may read
PASSWORD = "s3cret"  # noqa: S105 - of every login


def settings(folder: Path, access_list: str, *names: str, anonymous: bool = False) -> tuple[str, ...]:
    """The lines of mosquitto.conf for this access list and these logins, and for ADMIN.

    Their password is also in the file `password`. Clients without a login are refused, or may do everything.
    """
    passwords, rules = folder / "logins", folder / "acl"
    passwords.write_text("".join(f"{name}:{PASSWORD}\n" for name in (ADMIN, *names)))
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
    (folder / "password").write_text(PASSWORD)
    rules.write_text(f"topic readwrite #\nuser {ADMIN}\ntopic readwrite #\n{access_list}")
    return f"allow_anonymous {str(anonymous).lower()}", f"password_file {passwords}", f"acl_file {rules}"


def writable(port: int, name: str, topics: Iterable[str]) -> set[str]:
    """Those of the topics that the login may write."""
    found = set()
    for topic in topics:  # a session for each, because mosquitto limits the messages in flight
        with Probe(socket.create_connection((LOOPBACK, port), LONG_S)) as probe:
            assert probe.connect(f"test-{name}", name, PASSWORD) == ACCEPTED
            if probe.try_publish(topic) < FAILURE:
                found.add(topic)
            probe.leave()
    return found


def readable(folder: Path, port: int, name: str, topics: Iterable[str], last: str) -> set[str]:
    """Those of the topics, and of $SYS, of which the login receives messages. It must be able to read `last`."""
    mqtt = Mqtt(host=LOOPBACK, port=port, username=name, password_file=str(folder / "password"))
    subscription = Subscription(mqtt, ["#", "$SYS/#"])
    try:
        until(lambda: subscription.connection.connected)
        for topic in (*(topic for topic in topics if topic != last), last):
            publish(port, topic, "x", "-u", ADMIN, "-P", PASSWORD)
        found = set[str]()
        while last not in found:
            message = subscription.next(LONG_S)
            assert message is not None, f"{name} did not receive {last}"
            found.add(message.topic)
    finally:
        subscription.close()
    return found
