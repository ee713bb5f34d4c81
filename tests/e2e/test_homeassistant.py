"""What Home Assistant gets from the running service, on a real broker."""

import json
from pathlib import Path

import pytest

from edge.config import Mqtt
from edge.mqtt.subscription import Subscription
from edge.types import Message
from tests.mqtt.clients import Start
from tests.support.brokers import LOOPBACK, publish
from tests.support.contract import check
from tests.support.sensor import sensor
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker

DISCOVERY = "homeassistant/device/test/config"
WALK = {"camera.source": "synthetic:walk", "camera.loop": True}


class Heard:
    """All messages on a broker, in order."""

    def __init__(self, port: int) -> None:
        self.messages: list[Message] = []
        self.subscription = Subscription(Mqtt(host=LOOPBACK, port=port), ["#"])

    def until(self, *topics: str) -> list[str]:
        """Listen until a message has come on each topic; the topics so far, in order."""
        while not set(topics) <= {message.topic for message in self.messages}:
            message = self.subscription.next(LONG_S)
            assert message is not None
            if message.topic.startswith("edge-pose/"):
                check(message)
            self.messages.append(message)
        return [message.topic for message in self.messages]


def test_the_device_is_announced_before_its_state_and_again_when_home_assistant_starts(
    mosquitto: Start, tmp_path: Path
) -> None:
    port, state = mosquitto().port, "edge-pose/test/state"
    heard = Heard(port)
    until(lambda: heard.subscription.connection.connected)
    with sensor(tmp_path, port, WALK, {"XDG_STATE_HOME": str(tmp_path / "state")}) as daemon:
        topics = heard.until(state, "edge-pose/test/setting/fall", "edge-pose/test/health")
        assert topics.index(DISCOVERY) < topics.index(state)
        announced = next(message for message in heard.messages if message.topic == DISCOVERY)
        assert "occupancy" in json.loads(announced.payload)["components"]
        heard.messages.clear()
        publish(port, "homeassistant/status", "online")
        topics = heard.until(DISCOVERY, state, "edge-pose/test/setting/fall", "edge-pose/test/health")
        assert topics.index(DISCOVERY) < topics.index("edge-pose/test/setting/fall")
        daemon.assert_stops()
    heard.subscription.close()
