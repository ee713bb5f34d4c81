"""`edge-pose watch` with real brokers: connection, login and output."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import EXIT_USAGE
from tests.support.brokers import LOOPBACK, Mosquitto, publish
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
