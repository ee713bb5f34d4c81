"""`edge-pose demo`: its output, its own broker, and a broker given by the user."""

import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console, ConsoleDimensions, RenderableType
from rich.text import Text

from edge.cli import demo_sensor
from edge.cli.demo_sensor import Page, free_port, settings_of
from edge.cli.demo_table import LEAST_EVENTS, Live, sample
from edge.cli.demo_view import SAMPLE_AFTER, Screen, page_line
from edge.config import Mqtt, load, variable_of
from edge.errors import EXIT_FAILURE, EXIT_USAGE
from edge.mqtt import messages
from edge.mqtt.events import EventOut, PersonOut, StateOut, ZoneOut, unknown_state
from edge.mqtt.messages import KeypointOut, Keypoints, PoseOut
from edge.mqtt.topics import Topics
from edge.rules.values import Posture
from edge.scenes.scenes import SCENES
from edge.scenes.tour import STOPS
from edge.skeleton import PARTS
from edge.types import Message
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import ear, retained, run_edge
from tests.support.waiting import LONG_S, until

TOPICS = Topics("edge-pose", "demo")


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


def state(*persons: PersonOut) -> StateOut:
    zones = {"armchair": ZoneOut(occupied=bool(persons), people=len(persons), dwell_s=0.0)}
    known = {"present": bool(persons), "people": len(persons), "zones": zones, "persons": persons}
    return replace(unknown_state(0), **known)


def person(id_: int, posture: Posture, *zones: str) -> PersonOut:
    return PersonOut(id=id_, posture=posture, zones=zones, since=messages.timestamp(0))


def event(number: int) -> EventOut:
    return EventOut(
        v=messages.SCHEMA_VERSION, id=str(number), event_type="confirmed", rule="fall", person=number, zone=None,
        seq=1, time=messages.timestamp(0), started=messages.timestamp(0), duration_s=2.0, confidence=0.9,
        reasons=("torso 86 degrees from upright", "dropped 0.7 body heights in 0.2 s", "down for 2.0 s"),
    )  # fmt: skip


def printed(item: RenderableType, width: int = 80, height: int = 24) -> list[str]:
    """The lines on a terminal of this size."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(item)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def people(lines: list[str]) -> list[list[str]]:
    """The rows of the table."""
    titles = next(number for number, line in enumerate(lines) if line.startswith("id "))
    end = next(number for number, line in enumerate(lines) if line.startswith("events "))
    return [line.split() for line in lines[titles + 1 : end]]


@pytest.mark.parametrize(("width", "ankles"), [(80, False), (120, True)])
def test_the_live_view_has_a_row_per_person_by_id_and_fits_the_terminal(width: int, ankles: bool) -> None:
    view = Live(
        url="http://127.0.0.1:8077/",
        fps=1234.5,
        keypoints=keypoints(None, 12, 3),
        state=state(person(3, "lying", "armchair"), person(12, "standing")),
        stop=STOPS[3],
    )
    view.events.extend(map(event, range(20)))
    lines = printed(view, width)
    assert max(map(len, lines)) <= width
    assert view.url in lines[0]
    assert "1234.5 fps  3 people  inference 1234.6 ms" in lines[1]
    assert STOPS[3].words in lines[2]
    assert [row[0] for row in people(lines)] == ["3", "12", "–"]
    assert people(lines)[0][1:3] == ["lying", "armchair"]
    assert all(row.count("1920,1080") == (5 if ankles else 3) for row in people(lines)), "no column is cut off"


@pytest.mark.parametrize(("height", "shown"), [(15, 5), (24, 8), (100, 8), (5, 2)])
def test_the_live_view_shows_as_many_of_the_last_events_as_fit(height: int, shown: int) -> None:
    view = Live(keypoints=keypoints(1, 2, 3), url="http://127.0.0.1:8077/", stop=STOPS[0])
    view.events.extend(map(event, range(20)))
    lines = printed(view, height=height)
    assert len(lines) <= height or shown == LEAST_EVENTS
    assert [line.split(", ")[1] for line in lines if "fall" in line and "confirmed" in line] == [
        f"person {number}" for number in range(20 - shown, 20)
    ]


def test_without_people_the_live_view_says_whether_the_room_is_empty_or_the_camera_off() -> None:
    assert "no person in view" in printed(Live(keypoints=keypoints(), state=state()))
    assert "camera off" in printed(Live(state=unknown_state(0), camera="off"))


def test_zones_have_a_column_only_if_there_are_zones() -> None:
    without = replace(state(person(1, "standing")), zones={})
    assert "zones" in " ".join(printed(Live(keypoints=keypoints(1), state=state(person(1, "standing")))))
    assert "zones" not in " ".join(printed(Live(keypoints=keypoints(1), state=without)))


def test_the_sample_fits_80_columns_and_is_json_except_for_the_omitted_keypoints() -> None:
    text = sample(keypoints(3))
    assert max(map(len, text.splitlines())) <= 80
    document = json.loads(text.replace(",\n      … 15 more", ""))
    assert document["poses"][0]["id"] == 3
    assert list(document) == list(Keypoints.__struct_fields__)


class Terminal:
    """A screen on a terminal whose size can change."""

    def __init__(self, *, is_tour: bool = False) -> None:
        self.out = io.StringIO()
        self.console = Console(file=self.out, width=80, height=24, force_terminal=True, color_system=None)
        self.screen = Screen(self.console, TOPICS, is_tour=is_tour)
        self.now_s = 0.0

    def show(self, message: Message) -> str:
        """What a message prints, a second after the last one."""
        before = len(self.out.getvalue())
        self.now_s += 1.0
        self.screen.show(message, self.now_s)
        return self.out.getvalue()[before:]

    def frame(self, *ids: int | None) -> str:
        return self.show(TOPICS.keypoints_message(keypoints(*ids)))


@pytest.mark.parametrize(
    ("ids", "samples"), [([None, 1, 1], [0, 1, 0]), ([None] * SAMPLE_AFTER, [0] * (SAMPLE_AFTER - 1) + [1])]
)
def test_the_sample_is_printed_once_and_prefers_a_tracked_person(ids: list[int | None], samples: list[int]) -> None:
    terminal = Terminal()
    assert [terminal.frame(one).count('"latency_ms"') for one in ids] == samples
    terminal.screen.end(len(ids))


def test_events_and_states_are_shown_as_they_come() -> None:
    terminal = Terminal()
    terminal.frame(7)
    assert "sitting" in terminal.show(TOPICS.state_message(state(person(7, "sitting")), 60))
    assert "fall confirmed, person 7" in terminal.show(TOPICS.event_message(event(7)))
    assert not terminal.screen.show(TOPICS.event_message(event(8)), 1.0), "only frames count"


def test_the_scene_of_the_tour_follows_the_clock_and_begins_again_with_the_camera() -> None:
    terminal = Terminal(is_tour=True)
    start = keypoints(1)
    assert STOPS[0].words in terminal.show(TOPICS.keypoints_message(replace(start, seq=0)))
    terminal.now_s += 20
    assert STOPS[1].words in terminal.frame(1)
    terminal.show(TOPICS.state_message(unknown_state(0), 60))
    assert STOPS[0].words in terminal.frame(1)


def test_after_a_change_of_size_the_screen_is_printed_again() -> None:
    terminal = Terminal()
    terminal.screen.note(Text("edge-pose demo"))
    terminal.frame(1)
    assert "edge-pose demo" not in terminal.frame(1)
    terminal.console.size = ConsoleDimensions(60, 20)
    printed_again = terminal.frame(1)
    assert "edge-pose demo" in printed_again
    assert '"latency_ms"' in printed_again
    assert "edge-pose demo" not in terminal.frame(1)


def test_the_address_of_the_page_is_a_link_and_stays_in_view() -> None:
    terminal = Terminal()
    terminal.screen.page("http://127.0.0.1:8077/")
    assert "http://127.0.0.1:8077/" in terminal.out.getvalue()
    assert "http://127.0.0.1:8077/" in terminal.frame(1)
    assert "link http://127.0.0.1:8077/" in str(page_line("http://127.0.0.1:8077/").spans)


def test_on_a_terminal_there_is_a_table_and_no_line_per_message() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    parent_end, child_end = pty.openpty()
    environ = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    command = [sys.executable, "-m", "edge", "demo", "--no-browser", "--frames", "10"]
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
    assert header.startswith("edge-pose demo: synthetic:tour → PoseNet → mqtt://127.0.0.1:")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("source", ["picamera2", "video:/x.mp4", *(f"synthetic:{name}" for name in SCENES)])
def test_the_settings_of_the_demo_are_valid_and_pictures_are_allowed_only_of_painted_people(source: str) -> None:
    mqtt = Mqtt(host=LOOPBACK, port=1883)
    settings = settings_of(mqtt, "demo-1", source, 8077)
    config = load(Path(os.devnull), {variable_of(key): value for key, value in settings.items()})
    assert (config.camera.source, config.web.enabled, config.web.beyond_loopback) == (source, True, False)
    assert config.privacy.allow_pictures == source.startswith("synthetic:")
    assert bool(config.zones) == bool(config.lines) == (source == "synthetic:tour")


def test_the_page_gets_another_port_if_its_own_is_taken() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        assert free_port(taken) not in {0, taken}
    assert free_port(taken) == taken


def test_the_page_is_reported_once_when_it_answers() -> None:
    page = Page(free_port())
    assert not page.has_come_up()
    with socket.create_server((LOOPBACK, page.port)):
        assert page.has_come_up()
        assert not page.has_come_up()


@pytest.mark.parametrize(
    ("environ", "opens"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, False),
    ],
)
def test_a_browser_opens_only_on_a_desktop(
    environ: dict[str, str], opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    demo_sensor.open_browser("http://127.0.0.1:8077/")
    assert [command[-1] for command in started] == ["http://127.0.0.1:8077/"] * opens


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


@pytest.mark.broker
def test_a_closed_terminal_leaves_no_process_and_nothing_on_the_broker(mosquitto: Callable[..., Mosquitto]) -> None:
    server = mosquitto()
    parent_end, child_end = pty.openpty()
    command = [sys.executable, "-m", "edge", "demo", "--no-browser", "--broker", f"{LOOPBACK}:{server.port}"]
    environ = os.environ | {"TERM": "xterm"}
    demo = subprocess.Popen(
        ["setsid", "--ctty", *command], stdin=child_end, stdout=child_end, stderr=child_end, cwd=ROOT, env=environ
    )
    os.close(child_end)
    try:
        text = b""
        while b"left wrist" not in text:
            text += os.read(parent_end, 65536)
        children = children_of(demo.pid)
        assert children
        os.close(parent_end)
        assert demo.wait(LONG_S) == 0
    finally:
        demo.kill()
        demo.wait()
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
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


def test_the_page_of_the_demo_answers_and_may_show_the_painted_picture() -> None:
    pytest.importorskip("iotcore", reason="THE DEMO EXTRA IS NOT INSTALLED")
    with demo_process() as demo:
        assert demo.stderr is not None
        line = next(line for line in demo.stderr if line.startswith(b"The page: "))
        url = line.decode().split()[2].rstrip("/")
        with closing(HTTPConnection(url.removeprefix("http://"), timeout=LONG_S)) as browser:
            browser.request("GET", "/")
            assert b"<html" in browser.getresponse().read()
            browser.request("POST", "/pictures", headers={"Origin": url})
            assert json.load(browser.getresponse())["token"]


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
