import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge import __version__
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import ear, retained, run_edge
from tests.support.waiting import LONG_S, until

COMMANDS = ["run", "demo", "check", "doctor", "watch", "annotate", "evaluate", "schema", "models"]


def test_version() -> None:
    assert run_edge("--version").stdout.strip() == f"edge-pose {__version__}"


def test_help_explains_every_command() -> None:
    text = run_edge("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert "Exit codes" in text
    for command in COMMANDS:
        assert "Usage" in run_edge(command, "--help").stdout


@pytest.mark.parametrize("wrong", [["rnu"], ["run", "--confg", "x"], ["schema", "nothing"], ["demo", "--frames", "-1"]])
def test_wrong_use_is_2(wrong: list[str]) -> None:
    done = run_edge(*wrong)
    assert done.returncode == 2
    assert "Usage" in done.stderr


def test_a_missing_configuration_is_one_line() -> None:
    done = run_edge("run", "--config", "/does/not/exist.toml")
    assert done.returncode == 78
    assert done.stderr.startswith("edge-pose: /does/not/exist.toml: no such file")
    assert done.stderr.count("\n") == 1


def test_help_and_run_import_no_more_than_they_need() -> None:
    def modules(*arguments: str) -> set[str]:
        script = (
            f"import sys; sys.argv = {['edge-pose', *arguments]}\n"
            "from edge.__main__ import main\n"
            "try: main()\n"
            "except BaseException: print(*sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
        return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}

    assert not modules("--version") & {"numpy", "rich", "PIL", "av", "paho", "ai_edge_litert", "msgspec"}
    assert not modules("run", "--config", "/dev/null") & {"rich", "PIL", "av", "iotcore"}


def test_models_list(tmp_path: Path) -> None:
    nobody_s = {"COLUMNS": "80", "XDG_DATA_HOME": str(tmp_path)}  # who runs this may have models of their own
    told = run_edge("models", "list", "--json", environ=nobody_s).stdout
    listed = {model["name"]: model for model in json.loads(told)}
    assert listed["posenet"]["ok"] is listed["posenet-float16"]["ok"] is True
    assert [353, 481] in listed["posenet"]["input_sizes"]
    table = run_edge("models", "list", environ=nobody_s)
    assert table.returncode == 0
    lines = table.stdout.splitlines()
    # Paths are never broken, and how long that of the command is depends on where this is installed.
    assert [line for line in lines if (len(line) > 80 and "run: " not in line) or line != line.rstrip()] == []
    assert [line for line in lines if not line.startswith(" ")] == list(listed)
    assert "    posenet, CPU, height x width 257x257 353x481 481x641, 1.5 MB, Apache-2.0" in lines, "whole"


def test_schema() -> None:
    assert set(json.loads(run_edge("schema").stdout)) == {"keypoints", "info", "health"}
    assert "poses" in json.dumps(json.loads(run_edge("schema", "keypoints").stdout))


def test_demo_runs_on_a_broker_of_its_own() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    done = run_edge("demo", "--frames", "20")
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) == 20
    assert sum(len(message["poses"]) for message in messages) >= 15
    assert "mosquitto_sub" in done.stderr
    assert "20 messages" in done.stderr
    header, *_ = done.stderr.splitlines()
    assert header.startswith("edge-pose demo: synthetic:walk → PoseNet → mqtt://127.0.0.1:"), "in one line"
    assert "Traceback" not in done.stderr


@pytest.mark.broker
def test_demo_on_a_broker_that_is_named(mosquitto: Callable[..., Mosquitto]) -> None:
    server = mosquitto()
    with ear(server.port) as heard:
        done = run_edge("demo", "--frames", "5", "--broker", f"{LOOPBACK}:{server.port}")
        assert done.returncode == 0, done.stderr
        heard.topic("status", b"offline")
        assert len(heard.all("keypoints")) >= 5
        root = heard.heard[-1].topic.removesuffix("/status")
        cleared = [heard.subscription.next(10) for _ in range(3)]
        assert [(one.topic, one.payload) for one in cleared if one] == [
            (f"{root}/{name}", b"") for name in ("status", "info", "health")
        ]
    assert retained(server.port) == {}, "nothing stays on a broker that was named"


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
def test_a_second_ctrl_c_leaves_nothing_either(mosquitto: Callable[..., Mosquitto]) -> None:
    server = mosquitto()
    with demo_process("--broker", f"{LOOPBACK}:{server.port}") as demo:
        (daemon,) = children_of(demo.pid)
        # A thread that still ran would take SIGTERM before SIGSTOP, and it would never be pending.
        os.kill(daemon, signal.SIGSTOP)
        until(lambda: thread_states(daemon) == {"T"})
        demo.send_signal(signal.SIGINT)
        until(lambda: pending(daemon) >> (signal.SIGTERM - 1) & 1)  # the demo waits for its daemon from now on
        demo.send_signal(signal.SIGINT)
        os.kill(daemon, signal.SIGCONT)
        demo.communicate(timeout=LONG_S)
    assert demo.returncode == 0
    assert retained(server.port) == {}


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def thread_states(process: int) -> set[str]:
    """The states of a process's threads, one letter each, "T" for stopped."""
    lines = [(task / "stat").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    return {line.rpartition(")")[2].split()[0] for line in lines}


def pending(process: int) -> int:
    """A bit for each signal that was sent to a process and has not reached it yet."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("ShdPnd:")).split()[1], 16)


@pytest.mark.broker
def test_demo_cannot_log_in(mosquitto: Callable[..., Mosquitto]) -> None:
    where = f"{LOOPBACK}:{mosquitto('allow_anonymous false').port}"
    done = run_edge("demo", "--frames", "1", "--broker", where)
    assert done.returncode == 1
    assert done.stderr == (
        f"edge-pose: --broker {where}: the broker does not authorize this user; name a running "
        "broker that requires neither a password nor TLS\n"
    )


def test_ending_the_demo_ends_its_daemon_and_broker() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    with demo_process() as demo:
        children = children_of(demo.pid)
        assert len(children) == 2
        demo.terminate()
        demo.communicate(timeout=LONG_S)
    assert demo.returncode == 0
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []


def test_demo_says_when_the_broker_is_not_there() -> None:
    done = run_edge("demo", "--frames", "5", "--broker", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.count("connection refused") == 1
    assert "mqtt." not in done.stderr, "there is no configuration to mend"


def test_a_wrong_option_of_the_demo_is_wrong_use() -> None:
    for nonsense in ("127.0.0.1:0", "a b", "host:port", "mqtt://host", "192.168..1", ""):
        done = run_edge("demo", "--broker", nonsense)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"edge-pose: --broker: {nonsense!r} is not HOST or HOST:PORT")
    for nonsense, problem in (
        ("synthetic:nope", "there is no scene"),
        ("images:/no\nwhere", "/no where cannot be read"),
        ("images:", '"images:" does not say which one'),
        ("rtsp://", '"rtsp://" does not say which one'),
    ):
        done = run_edge("demo", "--source", nonsense)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"edge-pose: --source: {problem}")


def test_annotate_draws_on_a_copy(tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    plain, drawn = tmp_path / "plain.png", tmp_path / "drawn.png"
    assert run_edge("annotate", "synthetic:wave", str(drawn), "--frame", "20").returncode == 0
    with Image.open(drawn) as image:
        assert image.size == (640, 480)
        image.save(plain)
    again = tmp_path / "again.jpg"
    assert run_edge("annotate", str(plain), str(again)).returncode == 0
    done = run_edge("annotate", str(plain), str(tmp_path / "out.docx"))
    assert done.returncode == 2
    assert "out.docx" in done.stderr
    done = run_edge("annotate", "/nowhere.png", str(again))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("edge-pose: IN: /nowhere.png cannot be read")
