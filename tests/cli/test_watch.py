"""`edge-pose watch` with real brokers: connection, login and output."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.errors import EXIT_USAGE
from edge.mqtt.access_list import access_list
from edge.mqtt.events import ZoneOut, unknown_state
from tests.support.brokers import LOOPBACK, Mosquitto, publish
from tests.support.logins import ADMIN, PASSWORD, settings
from tests.support.sensor import run_edge, watch

Start = Callable[..., Mosquitto]


@pytest.fixture
def password_broker(mosquitto: Start, tmp_path: Path) -> Mosquitto:
    """A broker that accepts only the user `edge`, whose password is in `secret`."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    (tmp_path / "secret").write_text("s3cret\n")
    return mosquitto("allow_anonymous false", f"password_file {passwords}")


@pytest.mark.broker
def test_it_prints_the_status_of_each_sensor_but_not_its_deletion(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with watch(tmp_path, "--host", f"{LOOPBACK}:{port}") as lines_with:
        (waiting,) = lines_with("waiting")
        assert waiting == f"edge-pose: waiting for sensors under edge-pose/ on {LOOPBACK}:{port}; stop with Ctrl-C"
        publish(port, "edge-pose/door/status", "online", "-r")
        assert lines_with("online")[1:] == ["door  online"]
        publish(port, "edge-pose/door/status", "", "-r")  # the demo deletes its status like this
        publish(port, "edge-pose/hall/status", "online")
        assert lines_with("hall")[1:] == ["door  online", "hall  online"]


@pytest.mark.broker
def test_it_logs_in_as_home_if_that_password_is_here(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto(*settings(tmp_path, access_list("", []), "home", "door")).port
    config = tmp_path / "edge-pose.toml"
    config.write_text(f'[mqtt]\nhost = "{LOOPBACK}"\nport = {port}\nusername = "door"\n')
    for name in ("mqtt_password", "mqtt_password_home"):
        (tmp_path / name).write_text(PASSWORD)
    with watch(tmp_path, "--config", str(config), CREDENTIALS_DIRECTORY=str(tmp_path)) as lines_with:
        lines_with("waiting")
        publish(port, "edge-pose/hall/status", "online", "-r", "-u", ADMIN, "-P", PASSWORD)
        lines_with("hall  online")


@pytest.mark.broker
@pytest.mark.parametrize("named", [True, False])
def test_host_replaces_only_the_host_of_a_named_configuration(
    password_broker: Mosquitto, tmp_path: Path, named: bool
) -> None:
    config = tmp_path / "edge-pose.toml"
    lines = [
        "[mqtt]",
        'host = "nowhere.invalid"' if named else f'host = "{LOOPBACK}"',
        f"port = {password_broker.port}",
        'base_topic = "house"',
        'username = "edge"',
        f'password_file = "{tmp_path}/secret"',
    ]
    config.write_text("\n".join(lines))
    host = ["--host", LOOPBACK] if named else []
    with watch(tmp_path, "--config", str(config), "--json", *host) as lines_with:
        lines_with(f"under house/ on {LOOPBACK}:{password_broker.port}")
        publish(password_broker.port, "house/door/status", "online", "-r", "-u", "edge", "-P", "s3cret")
        assert json.loads(lines_with("topic")[-1]) == {"topic": "house/door/status", "payload": "online"}


@pytest.mark.broker
def test_with_host_and_no_file_the_login_comes_from_the_environment(password_broker: Mosquitto, tmp_path: Path) -> None:
    publish(password_broker.port, "edge-pose/door/status", "online", "-r", "-u", "edge", "-P", "s3cret")
    where = "--host", f"{LOOPBACK}:{password_broker.port}"
    with watch(tmp_path, *where) as lines_with:
        line = lines_with("does not authorize this user")[-1]
        assert "correct EDGE_POSE_MQTT__USERNAME" in line
    login = {"EDGE_POSE_MQTT__USERNAME": "edge", "EDGE_POSE_MQTT__PASSWORD_FILE": str(tmp_path / "secret")}
    with watch(tmp_path, *where, **login) as lines_with:
        lines_with("door  online")


def test_failures_name_the_options_that_were_typed(tmp_path: Path) -> None:
    with watch(tmp_path, "--host", f"{LOOPBACK}:1") as lines_with:
        line = lines_with("refused")[-1]
        remedy = "start the broker, or correct --host and --port"
        assert line == f"edge-pose: broker {LOOPBACK}:1: connection refused; {remedy}"
    for wrong in ("mqtt://a", "192.168..1", "a:0", "a:99999", ""):
        done = run_edge("watch", "--host", wrong)
        assert (done.returncode, done.stderr.count("\n")) == (EXIT_USAGE, 1)
        assert done.stderr.startswith(f"edge-pose: --host: {wrong!r} is not HOST or HOST:PORT")
    done = run_edge("watch", "--host", f"{LOOPBACK}:1", "--port", "2")
    assert done.returncode == EXIT_USAGE
    assert done.stderr == f"edge-pose: --port: 2 is not the port in --host {LOOPBACK}:1; omit one of the two\n"


@pytest.mark.broker
def test_a_lost_connection_does_not_mention_device_ids(mosquitto: Start, tmp_path: Path) -> None:
    broker = mosquitto()
    publish(broker.port, "edge-pose/door/status", "online", "-r")
    with watch(tmp_path, "--host", f"{LOOPBACK}:{broker.port}") as lines_with:
        lines_with("door")
        broker.stop()
        lost = next(line for line in lines_with("connection lost") if "connection lost" in line)
        assert "device.id" not in lost


EVENT = (
    '{"v":1,"id":"3f0c","event_type":"confirmed","rule":"fall","person":3,"zone":null,"seq":1240,'
    '"time":"2026-12-01T18:00:02.523Z","started":"2026-12-01T18:00:00.423Z","duration_s":2.1,"confidence":0.93,'
    '"reasons":["torso 78 degrees from upright"]}'
)
KEYPOINTS = (
    '{"v":1,"seq":6,"time":"2026-12-01T18:00:00.000Z","frame":{"width":640,"height":480},'
    '"latency_ms":{"inference":10.4,"total":12.1},"poses":[]}'
)


def state(**changed: object) -> str:
    unknown = msgspec.structs.replace(unknown_state(1_795_370_400.0), **changed)
    return msgspec.json.encode(unknown).decode()


@pytest.mark.broker
def test_it_prints_events_and_changes_of_the_state(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    publish(port, "edge-pose/event/status", "online", "-r")  # a device may have this name
    with watch(tmp_path, "--host", f"{LOOPBACK}:{port}") as lines_with:
        lines_with("event  online")
        bed, sofa = ZoneOut(occupied=True, people=1, dwell_s=3.0), ZoneOut(occupied=False, people=0, dwell_s=0)
        rug = ZoneOut(occupied=True, people=0, dwell_s=4.0)  # a person was lost there
        room = {"people": 2, "lying": 1, "fall": True, "zones": {"bed": bed, "sofa": sofa, "rug": rug}}
        for seq in (7, 8):
            publish(port, "edge-pose/event/state", state(seq=seq, **room))
        publish(port, "edge-pose/event/event/fall", EVENT)
        publish(port, "edge-pose/event/state", state())
        publish(port, "edge-pose/event/event/fall", "{}")
        publish(port, "edge-pose/event/state", "")
        publish(port, "edge-pose/event/state", state(seq=9, people=0))
        lines = lines_with("no people")[2:]
    assert lines[:3] == [
        "18:00:00.000  event  #7  state  2 people  1 lying  fall  bed: 1  rug: occupied",
        "18:00:02.523  event  #1240  fall confirmed, person 3, after 2.1 s: torso 78 degrees from upright",
        "18:00:00.000  event  state  unknown",
    ]
    assert lines[3].startswith("event  sent an invalid event/fall message")
    assert lines[4:] == ["18:00:00.000  event  #9  state  no people"]


@pytest.mark.broker
def test_with_events_it_leaves_out_the_people_in_each_frame(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    publish(port, "edge-pose/hall/status", "online", "-r")
    with watch(tmp_path, "--host", f"{LOOPBACK}:{port}", "--events") as lines_with:
        lines_with("hall  online")
        publish(port, "edge-pose/hall/keypoints", KEYPOINTS)
        publish(port, "edge-pose/hall/state", state(seq=7, people=1))
        publish(port, "edge-pose/hall/event/fall", EVENT)
        lines = lines_with("fall confirmed")[2:]
    assert lines == [
        "18:00:00.000  hall  #7  state  1 person",
        "18:00:02.523  hall  #1240  fall confirmed, person 3, after 2.1 s: torso 78 degrees from upright",
    ]


@pytest.mark.broker
def test_json_passes_events_and_states_on_as_they_are(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    publish(port, "edge-pose/hall/status", "online", "-r")
    with watch(tmp_path, "--json", "--host", f"{LOOPBACK}:{port}") as lines_with:
        lines_with("online")
        for _ in range(2):
            publish(port, "edge-pose/hall/state", state(people=2))
        publish(port, "edge-pose/hall/event/fall", EVENT)
        printed = [json.loads(line) for line in lines_with("confirmed") if line.startswith("{")]
    assert printed[1:] == [
        {"topic": "edge-pose/hall/state", "payload": json.loads(state(people=2))},
        {"topic": "edge-pose/hall/state", "payload": json.loads(state(people=2))},
        {"topic": "edge-pose/hall/event/fall", "payload": json.loads(EVENT)},
    ]
