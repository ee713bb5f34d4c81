"""`edge-pose demo`: its output, its own broker, and a broker given by the user."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console

from edge.cli.demo_view import SAMPLE_AFTER, Screen, sample, table
from edge.errors import EXIT_FAILURE, EXIT_USAGE
from edge.mqtt import messages
from edge.mqtt.messages import KeypointOut, Keypoints, PoseOut
from edge.mqtt.topics import Topics
from edge.skeleton import PARTS
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import ear, retained, run_edge
from tests.support.waiting import LONG_S, until


def keypoints(*ids: int | None) -> Keypoints:
    """A message with a person for each ID; every number has as many digits as possible."""
    parts = tuple(
        KeypointOut(index=index, body_part=name, x=1919.5, y=1079.5, confidence=0.999) for index, name in PARTS.items()
    )
    people = (PoseOut(id=one, score=0.999, box=(1234.5, 1003.5, 1919.5, 1079.5), keypoints=parts) for one in ids)
    return Keypoints(
        v=messages.SCHEMA_VERSION,
        seq=123456,
        time=messages.timestamp(0),
        frame=messages.Size(width=1920, height=1080),
        latency_ms=messages.FrameLatency(inference=1234.56, total=1345.67),
        poses=tuple(people),
    )


def printed(item: object) -> str:
    """The output on a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(item)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_a_row_per_person_by_id_and_fits_80_columns() -> None:
    header, titles, *rows = printed(table(keypoints(None, 12, 3), 1234.5)).splitlines()
    assert "1234.5 fps" in header
    assert "3 people" in header
    assert "inference 1234.6 ms" in header
    assert titles.split()[:4] == ["id", "score", "seen", "box"]
    assert [row.split()[0] for row in rows] == ["3", "12", "–"]
    assert all("1920,1080" in row for row in rows), "no column is cut off"


def test_the_table_of_an_empty_room_says_so() -> None:
    assert "no person" in printed(table(keypoints(), None))


def test_the_sample_fits_80_columns_and_is_json_except_for_the_omitted_keypoints() -> None:
    text = sample(keypoints(3))
    assert max(map(len, text.splitlines())) <= 80
    document = json.loads(text.replace(",\n      … 15 more", ""))
    assert document["poses"][0]["id"] == 3
    assert list(document) == list(Keypoints.__struct_fields__)


@pytest.mark.parametrize(
    ("ids", "samples"), [([None, 1, 1], [0, 1, 1]), ([None] * SAMPLE_AFTER, [0] * (SAMPLE_AFTER - 1) + [1])]
)
def test_the_sample_is_printed_once_and_prefers_a_tracked_person(ids: list[int | None], samples: list[int]) -> None:
    out = io.StringIO()
    topics = Topics("edge-pose", "demo")
    screen = Screen(Console(file=out, width=80, force_terminal=True, color_system=None))
    for number, (one, expected) in enumerate(zip(ids, samples, strict=True)):
        screen.show(topics.keypoints_message(keypoints(one)).payload, float(number))
        assert out.getvalue().count('"latency_ms"') == expected
    screen.end(len(ids))


def test_on_a_terminal_there_is_a_table_and_no_line_per_message() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    parent_end, child_end = pty.openpty()
    environ = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    command = [sys.executable, "-m", "edge", "demo", "--frames", "10"]
    demo = subprocess.Popen(command, stdout=child_end, stderr=child_end, cwd=ROOT, env=environ)
    os.close(child_end)
    text = b""
    with suppress(OSError), os.fdopen(parent_end, "rb", buffering=0) as terminal:  # EIO at the end
        while piece := terminal.read(65536):
            text += piece
    assert demo.wait(LONG_S) == 0
    assert b"left wrist" in text
    assert b"10 messages" in text
    assert b'{"v":1' not in text
    assert b"XNNPACK" not in text, "LiteRT's own output would disturb the table"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_in_a_pipe_each_message_is_a_line(options: list[str]) -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    done = run_edge("demo", "--frames", "20", *options)
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) == 20
    assert sum(len(message["poses"]) for message in messages) >= 15
    assert "mosquitto_sub" in done.stderr
    assert "watch --events --host" in done.stderr
    assert "20 messages" in done.stderr
    header, *_ = done.stderr.splitlines()
    assert header.startswith("edge-pose demo: synthetic:walk → PoseNet → mqtt://127.0.0.1:")
    assert "Traceback" not in done.stderr


def test_an_error_of_the_service_is_printed() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    pytest.importorskip("av", reason="THE VIDEO EXTRA IS NOT INSTALLED")
    done = run_edge("demo", "--source", f"rtsp://{LOOPBACK}:1/x")
    assert done.returncode == 1
    assert f"edge-pose: camera.source: rtsp://{LOOPBACK}:1 cannot be read" in done.stderr
    assert "0 messages" in done.stderr


@pytest.mark.broker
def test_nothing_is_left_on_a_broker_given_by_the_user(mosquitto: Callable[..., Mosquitto]) -> None:
    server = mosquitto()
    with ear(server.port) as heard:
        done = run_edge("demo", "--frames", "5", "--broker", f"{LOOPBACK}:{server.port}")
        assert done.returncode == 0, done.stderr
        heard.topic("status", b"offline")
        assert len(heard.all("keypoints")) >= 5
        root = heard.heard[-1].topic.removesuffix("/status")
        cleared = [heard.subscription.next(LONG_S) for _ in range(4)]
        assert [(one.topic, one.payload) for one in cleared if one] == [
            (f"{root}/{name}", b"") for name in ("status", "info", "health", "state")
        ]
    assert retained(server.port) == {}


@contextmanager
def demo_process(*options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A demo that has printed its first message, and its children; killed at the end if it still runs."""
    command = [sys.executable, "-m", "edge", "demo", *options]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    try:
        assert demo.stdout is not None
        assert demo.stdout.readline().startswith(b'{"v":1')
        yield demo
    finally:
        left = [demo.pid, *children_of(demo.pid)] if demo.poll() is None else []
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        demo.communicate()


@pytest.mark.broker
def test_a_second_ctrl_c_leaves_nothing_on_the_broker(mosquitto: Callable[..., Mosquitto]) -> None:
    server = mosquitto()
    with demo_process("--broker", f"{LOOPBACK}:{server.port}") as demo:
        (service,) = children_of(demo.pid)
        # A thread that is still running could handle SIGTERM first, and the signal would never be pending.
        os.kill(service, signal.SIGSTOP)
        until(lambda: thread_states(service) == {"T"})
        demo.send_signal(signal.SIGINT)
        until(lambda: pending(service) >> (signal.SIGTERM - 1) & 1)  # from now on, the demo waits for its service
        demo.send_signal(signal.SIGINT)
        os.kill(service, signal.SIGCONT)
        demo.communicate(timeout=LONG_S)
    assert demo.returncode == 0
    assert retained(server.port) == {}


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def thread_states(process: int) -> set[str]:
    """The states of a process's threads, one letter each; "T" is stopped."""
    lines = [(task / "stat").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    return {line.rpartition(")")[2].split()[0] for line in lines}


def pending(process: int) -> int:
    """A bit for each signal that was sent to a process and not delivered yet."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("ShdPnd:")).split()[1], 16)


@pytest.mark.broker
def test_a_broker_that_requires_a_login_is_an_error(mosquitto: Callable[..., Mosquitto]) -> None:
    where = f"{LOOPBACK}:{mosquitto('allow_anonymous false').port}"
    done = run_edge("demo", "--frames", "1", "--broker", where)
    assert done.returncode == 1
    assert done.stderr == (
        f"edge-pose: --broker {where}: the broker does not authorize this user; name a running "
        "broker that requires neither a password nor TLS\n"
    )


def test_stopping_the_demo_stops_its_service_and_broker() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    with demo_process() as demo:
        children = children_of(demo.pid)
        assert len(children) == 2
        demo.terminate()
        demo.communicate(timeout=LONG_S)
    assert demo.returncode == 0
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []


def test_the_demo_fails_if_its_service_ends() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    with demo_process() as demo:
        for child in children_of(demo.pid):
            if b"\0run\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
        demo.communicate(timeout=LONG_S)
    assert demo.returncode == EXIT_FAILURE


def test_a_missing_broker_is_an_error_without_configuration_keys() -> None:
    done = run_edge("demo", "--frames", "5", "--broker", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.count("connection refused") == 1
    assert "mqtt." not in done.stderr


def test_an_invalid_option_is_a_usage_error() -> None:
    for nonsense in ("127.0.0.1:0", "a b", "host:port", "mqtt://host", "192.168..1", ""):
        done = run_edge("demo", "--broker", nonsense)
        assert (done.returncode, done.stderr.count("\n")) == (EXIT_USAGE, 1)
        assert done.stderr.startswith(f"edge-pose: --broker: {nonsense!r} is not HOST or HOST:PORT")
    for nonsense in ("synthetic:nope", "images:/no\nwhere", "images:", "rtsp://"):
        done = run_edge("demo", "--source", nonsense)
        assert (done.returncode, done.stderr.count("\n")) == (EXIT_USAGE, 1)
        assert done.stderr.startswith("edge-pose: --source: ")
