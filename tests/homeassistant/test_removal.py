"""`edge-pose homeassistant remove`, with a real broker."""

import json
from pathlib import Path

import pytest

from edge.config import Mqtt
from edge.errors import EXIT_FAILURE, EXIT_OK, EXIT_USAGE
from edge.homeassistant.removal import QUIET_S, Removal, remove_device
from edge.mqtt.access_list import access_list
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import Topics
from tests.homeassistant.configs import config_with
from tests.mqtt.clients import Start
from tests.support.brokers import LOOPBACK, publish
from tests.support.logins import ADMIN, PASSWORD, settings
from tests.support.sensor import run_edge
from tests.support.waiting import until

pytestmark = pytest.mark.broker

DISCOVERY = "homeassistant/device/hall/config"
OLD = [
    DISCOVERY, "edge-pose/hall/health", "edge-pose/hall/info", "edge-pose/hall/setting/fall", "edge-pose/hall/status",
    "edge-pose/hall/topic/of/an/old/version",
]  # fmt: skip
OTHERS = ["edge-pose/door/status", "edge-pose/hallway/status", "homeassistant/device/door/config"]


def fill(port: int, status: str = "offline") -> None:
    """Keep messages of the device `hall`, and of others."""
    for topic in (*OLD, *OTHERS):
        publish(port, topic, status if topic.endswith("/status") else "{}", "-r")


def retained(port: int) -> list[str]:
    """The topics of all retained messages."""
    subscription = Subscription(Mqtt(host=LOOPBACK, port=port), ["#"])
    until(lambda: subscription.connection.connected)
    found = []
    while message := subscription.next(QUIET_S):
        found.append(message.topic)
    subscription.close()
    return sorted(found)


def remove(port: int, *options: str, **environ: str) -> tuple[int, str, str]:
    """Run the command; exit code, output and errors."""
    environ |= {"EDGE_POSE_MQTT__HOST": LOOPBACK, "EDGE_POSE_MQTT__PORT": str(port)}
    done = run_edge("homeassistant", "remove", "--config", "/dev/null", *options, environ=environ)
    return done.returncode, done.stdout, done.stderr


def test_everything_of_the_device_is_deleted_and_nothing_else(mosquitto: Start) -> None:
    port = mosquitto().port
    fill(port)
    code, printed, _ = remove(port, "--device", "hall")
    assert code == EXIT_OK
    assert f"deleted {len(OLD)} retained messages of hall" in printed
    assert all(topic in printed for topic in OLD)
    assert retained(port) == sorted(OTHERS)


def test_the_configured_device_and_prefix_are_the_default(mosquitto: Start) -> None:
    port = mosquitto().port
    fill(port)
    publish(port, "ha/device/hall/config", "{}", "-r")
    code, printed, _ = remove(port, "--json", EDGE_POSE_DEVICE__ID="hall", EDGE_POSE_HOME_ASSISTANT__PREFIX="ha")
    assert code == EXIT_OK
    assert json.loads(printed) == {
        "device": "hall", "online": False, "found": True, "topics": ["ha/device/hall/config", *sorted(OLD[1:])],
    }  # fmt: skip
    assert DISCOVERY in retained(port)


def test_home_assistant_forgets_the_device_before_the_rest_is_deleted(mosquitto: Start) -> None:
    port = mosquitto().port
    fill(port)
    at_the_pause = []
    config = config_with(mqtt={"host": LOOPBACK, "port": port})
    done = remove_device(config, "hall", pause=lambda _s: at_the_pause.append(retained(port)))
    assert done == Removal("hall", online=False, found=True, topics=(DISCOVERY, *sorted(OLD[1:])))
    assert at_the_pause == [sorted({*OLD, *OTHERS} - {DISCOVERY})]


def test_a_device_that_is_online_is_not_removed(mosquitto: Start) -> None:
    port = mosquitto().port
    fill(port, status="online")
    code, _, errors = remove(port, "--device", "hall")
    assert code == EXIT_USAGE
    assert "hall is online" in errors
    assert "--force" in errors
    assert retained(port) == sorted([*OLD, *OTHERS])


@pytest.mark.parametrize("device", ["+", "#", "hall/#", "Hall"])
def test_only_the_id_of_a_device_is_accepted(mosquitto: Start, device: str) -> None:
    port = mosquitto().port
    fill(port)
    code, _, errors = remove(port, "--device", device, "--force")
    assert (code, errors.count("\n")) == (EXIT_USAGE, 1)
    assert retained(port) == sorted([*OLD, *OTHERS])


def test_force_removes_a_device_that_is_online(mosquitto: Start) -> None:
    port = mosquitto().port
    fill(port, status="online")
    code, printed, _ = remove(port, "--device", "hall", "--force")
    assert code == EXIT_OK
    assert "hall is online" in printed
    assert retained(port) == sorted(OTHERS)


def test_a_device_that_does_not_exist_is_reported_as_such(mosquitto: Start) -> None:
    port = mosquitto().port
    fill(port)
    code, printed, _ = remove(port, "--device", "haal")
    assert code == EXIT_OK
    assert "found nothing of haal" in printed
    assert retained(port) == sorted([*OLD, *OTHERS])


def test_a_login_that_may_only_write_deletes_the_usual_topics(mosquitto: Start, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("pattern write edge-pose/#\npattern write homeassistant/#\n", encoding="utf-8")
    rights.chmod(0o600)
    hidden = mosquitto("allow_anonymous true", f"acl_file {rights}")
    fill(hidden.port)
    code, printed, _ = remove(hidden.port, "--device", "hall", "--json")
    assert code == EXIT_OK
    document = json.loads(printed)
    assert not document["found"]
    assert {*OLD[:-1]} <= {*document["topics"]}


def test_home_may_delete_everything_of_a_device(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto(*settings(tmp_path, access_list("", []), "home")).port
    topics = [*Topics("edge-pose", "hall").retained, DISCOVERY]
    for topic in topics:
        publish(port, topic, "x", "-r", "-u", ADMIN, "-P", PASSWORD)
    (tmp_path / "mqtt_password_home").write_text(PASSWORD)
    code, printed, errors = remove(port, "--device", "hall", "--json", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert code == EXIT_OK, errors
    document = json.loads(printed)
    assert (document["found"], {*document["topics"]}) == (True, {*topics})


def test_a_login_that_may_not_delete_is_an_error(mosquitto: Start, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic read #\ntopic write edge-pose/#\n", encoding="utf-8")
    rights.chmod(0o600)
    port = mosquitto("allow_anonymous true", f"acl_file {rights}").port
    code, _, errors = remove(port, "--device", "door")
    assert code == EXIT_FAILURE
    assert "homeassistant/device/door/config" in errors


def test_without_a_broker_the_command_fails_with_the_reason() -> None:
    code, _, errors = remove(1, "--device", "hall")
    assert code == EXIT_FAILURE
    assert f"{LOOPBACK}:1: connection refused" in errors
