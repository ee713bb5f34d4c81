"""`edge-pose watch` on real brokers: whom it listens to, as whom, and what it says while nothing comes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import run_edge

Start = Callable[..., Mosquitto]


@contextmanager
def watching(folder: Path, *arguments: str, **environ: str) -> Iterator[Callable[[str], list[str]]]:
    """Start it; gives a function that waits for a line of its standard error or output, and returns all so far."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_POSE_")}
    said = folder / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "watch", *arguments],
            stdout=out, stderr=out, cwd=ROOT, env=ours | {"PYTHONUNBUFFERED": "1"} | environ,
        )  # fmt: skip

    def heard(part: str) -> list[str]:
        deadline_s = time.monotonic() + 20
        while part not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline_s, said.read_text()
            time.sleep(0.05)
        return said.read_text().splitlines()

    try:
        yield heard
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def publish(port: int, topic: str, payload: str, *options: str) -> None:
    subprocess.run(["mosquitto_pub", "-p", str(port), "-t", topic, "-m", payload, "-q", "1", *options], check=True)


@pytest.fixture
def closed(mosquitto: Start, tmp_path: Path) -> Mosquitto:
    """A broker that lets in `edge` alone, whose password is in `secret`."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    (tmp_path / "secret").write_text("s3cret\n")
    return mosquitto("allow_anonymous false", f"password_file {passwords}")


@pytest.mark.broker
def test_it_says_that_it_waits_and_then_prints(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with watching(tmp_path, "--host", f"{LOOPBACK}:{port}") as heard:
        (waiting,) = heard("waiting")
        assert waiting == f"edge-pose: waiting for sensors under edge-pose/ on {LOOPBACK}:{port}; Ctrl-C ends"
        publish(port, "edge-pose/door/status", "online", "-r")
        assert heard("online")[1:] == ["door  online"]
        publish(port, "edge-pose/door/status", "", "-r")  # as the demo does at its end
        publish(port, "edge-pose/hall/status", "online")
        assert heard("hall")[1:] == ["door  online", "hall  online"]


@pytest.mark.broker
@pytest.mark.parametrize("named", [True, False])
def test_all_that_the_configuration_says_of_the_broker_is_taken(closed: Mosquitto, tmp_path: Path, named: bool) -> None:
    config = tmp_path / "edge-pose.toml"
    lines = [
        "[mqtt]",
        'host = "nowhere.invalid"' if named else f'host = "{LOOPBACK}"',
        f"port = {closed.port}",
        'base_topic = "house"',
        'username = "edge"',
        f'password_file = "{tmp_path}/secret"',
    ]
    config.write_text("\n".join(lines))
    host = ["--host", LOOPBACK] if named else []
    with watching(tmp_path, "--config", str(config), "--json", *host) as heard:
        heard(f"under house/ on {LOOPBACK}:{closed.port}")
        publish(closed.port, "house/door/status", "online", "-r", "-u", "edge", "-P", "s3cret")
        said = heard("topic")[-1]
        assert json.loads(said) == {"topic": "house/door/status", "payload": "online"}


@pytest.mark.broker
def test_without_a_file_the_environment_tells_who_we_are(closed: Mosquitto, tmp_path: Path) -> None:
    publish(closed.port, "edge-pose/door/status", "online", "-r", "-u", "edge", "-P", "s3cret")
    where = "--host", f"{LOOPBACK}:{closed.port}"
    with watching(tmp_path, *where) as heard:
        told = heard("does not authorize this user")[-1]
        assert "correct EDGE_POSE_MQTT__USERNAME" in told
    login = {"EDGE_POSE_MQTT__USERNAME": "edge", "EDGE_POSE_MQTT__PASSWORD_FILE": str(tmp_path / "secret")}
    with watching(tmp_path, *where, **login) as heard:
        heard("door  online")


def test_troubles_speak_of_what_was_typed(tmp_path: Path) -> None:
    with watching(tmp_path, "--host", f"{LOOPBACK}:1") as heard:
        line = heard("refused")[-1]
        remedy = "start the broker, or correct --host and --port"
        assert line == f"edge-pose: broker {LOOPBACK}:1: connection refused; {remedy}"
    for wrong in ("mqtt://a", "192.168..1", "a:0", "a:99999", ""):
        done = run_edge("watch", "--host", wrong)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"edge-pose: --host: {wrong!r} is not HOST or HOST:PORT")
    done = run_edge("watch", "--host", f"{LOOPBACK}:1", "--port", "2")
    assert done.returncode == 2
    assert done.stderr == f"edge-pose: --port: 2 is not the port in --host {LOOPBACK}:1; leave one of the two out\n"


@pytest.mark.broker
def test_no_twin_is_suspected_of_who_has_no_id(mosquitto: Start, tmp_path: Path) -> None:
    broker = mosquitto()
    publish(broker.port, "edge-pose/door/status", "online", "-r")
    with watching(tmp_path, "--host", f"{LOOPBACK}:{broker.port}") as heard:
        heard("door")
        broker.stop()
        lost = next(line for line in heard("connection lost") if "connection lost" in line)
        assert "device.id" not in lost
