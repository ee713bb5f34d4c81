"""The daemon and Home Assistant with the installer's logins on a real broker."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, Mqtt
from edge.mqtt.access_list import access_list
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import Topics, birth_topic, discovery_topic
from tests.mqtt.clients import next_of
from tests.support.brokers import LOOPBACK, Mosquitto, publish
from tests.support.logins import PASSWORD, settings
from tests.support.sensor import Ear, sensor
from tests.support.waiting import until

TOPICS = Topics("edge-pose", "test")
DISCOVERY = discovery_topic("homeassistant", "test")


@contextmanager
def home(folder: Path, port: int, topic: str) -> Iterator[Subscription]:
    mqtt = Mqtt(host=LOOPBACK, port=port, username="home", password_file=str(folder / "password"))
    subscription = Subscription(mqtt, [topic])
    try:
        until(lambda: subscription.connection.connected)
        yield subscription
    finally:
        subscription.close()


@pytest.mark.broker
def test_the_logins_have_every_right_that_the_daemon_and_home_assistant_need(
    mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    tables = {"device": {"id": "test"}, "mqtt": {"username": "edge-pose"}}
    rules = access_list("", [msgspec.convert(tables, Config)])
    port = mosquitto(*settings(tmp_path, rules, "edge-pose", "home")).port
    login = {"mqtt.username": "edge-pose", "mqtt.password_file": tmp_path / "password"}
    with (
        home(tmp_path, port, "edge-pose/#") as subscription,
        home(tmp_path, port, DISCOVERY) as announced,
        sensor(tmp_path, port, {"camera.source": "synthetic:walk", **login}) as daemon,
    ):
        heard = Ear(subscription)
        heard.topic("keypoints")
        next_of(announced, DISCOVERY)
        heard.say(TOPICS.command("set", "min_confidence"), "0.5")
        heard.topic("setting/min_confidence", b"0.5")
        for request in ("ping", "snapshot"):
            heard.say(TOPICS.command("request", request))
            assert json.loads(heard.topic(f"response/{request}").payload)["status"] == "ok"
        publish(port, birth_topic("homeassistant"), "online", "-u", "home", "-P", PASSWORD)
        next_of(announced, DISCOVERY)
        daemon.assert_stops()
    assert "refuses" not in daemon.log
