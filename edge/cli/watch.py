"""`edge-pose watch`: print what the sensors on a broker see: a line per person, event, and change of the state."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from edge.cli.pose_text import position, score_bar
from edge.cli.room_text import event_line, state_in_words, state_line
from edge.config import Mqtt, as_home, host_and_port, load, variable_of
from edge.errors import EXIT_OK, UsageError
from edge.mqtt.events import StateOut, read_event, read_state
from edge.mqtt.failures import Failure
from edge.mqtt.messages import Keypoints, PoseOut, read_keypoints
from edge.mqtt.subscription import Subscription
from edge.types import Message

# Enough for the position, the height and the hands of a person; all 17 do not fit on a line.
SHOWN = ("NOSE", "LEFT_WRIST", "RIGHT_WRIST", "LEFT_ANKLE", "RIGHT_ANKLE")

# Below the topic of each device.
WATCHED = "status", "state", "event/+"
PEOPLE = "keypoints"  # several messages per second


def run(config: Path | None, host: str | None, port: int | None, *, as_json: bool, people: bool = True) -> int:
    """Print until Ctrl-C, without `people` only statuses, events and states; returns the exit code.

    Raises ConfigError, UsageError.
    """
    mqtt = _broker(config, host, port)
    options = {"mqtt.host": "--host", "mqtt.port": "--port"} if host else {"mqtt.port": "--port"} if port else {}
    has_file = config is not None or host is None

    def name_of(key: str) -> str:
        return options.get(key) or (key if has_file else variable_of(key))

    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells disable it for programs in the background
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    printer = _Printer(mqtt.base_topic, as_json=as_json)
    watched = (*WATCHED, PEOPLE) if people else WATCHED
    subscription = Subscription(mqtt, [f"{mqtt.base_topic}/+/{topic}" for topic in watched])
    reported: Failure | None = None
    _note(f"waiting for sensors under {mqtt.base_topic}/ on {mqtt.host}:{mqtt.port}; stop with Ctrl-C")
    try:
        while True:
            message = subscription.next(timeout_s=0.5)
            failure = subscription.connection.failure
            if failure != reported:
                reported = failure
                _note(f"broker {mqtt.host}:{mqtt.port}: {failure.text(name_of) if failure else 'connected'}")
            if message is not None:
                printer.print(message)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # the terminal has printed ^C, and the shell's prompt would follow it
        return EXIT_OK
    finally:
        subscription.close()


class _Printer:
    """Prints messages. While a sensor reports nothing new, prints only the first of its messages."""

    def __init__(self, base_topic: str, *, as_json: bool) -> None:
        self._base_topic = base_topic
        self._console = Console(highlight=False)
        self._as_json = as_json
        self._people: dict[str, int] = {}  # device -> people in its last message
        self._states: dict[str, str] = {}  # device -> its last state in words

    def print(self, message: Message) -> None:
        device, _, kind = message.topic.removeprefix(f"{self._base_topic}/").partition("/")
        if kind == "status" and not message.payload:  # deletes a retained status
            return
        if self._as_json:
            payload = message.payload.decode(errors="replace")
            document = {"topic": message.topic, "payload": payload if kind == "status" else _decoded(payload)}
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()
        elif kind == "status":
            self._console.print(f"{device}  {message.payload.decode(errors='replace')}", style="bold")
        elif message.payload:  # an empty one deletes a retained state
            self._print_payload(device, kind, message.payload)

    def _print_payload(self, device: str, kind: str, payload: bytes) -> None:
        try:
            if kind == "keypoints":
                self._print_keypoints(device, read_keypoints(payload))
            elif kind == "state":
                self._print_state(device, read_state(payload))
            else:
                self._print_line(event_line(device, read_event(payload)))
        except msgspec.DecodeError as exc:
            self._console.print(f"{device}  sent an invalid {kind} message: {exc}", style="red")

    def _print_keypoints(self, device: str, keypoints: Keypoints) -> None:
        people = len(keypoints.poses)
        if people or self._people.get(device) != 0:
            for line in lines(device, keypoints):
                self._print_line(line)
        self._people[device] = people

    def _print_state(self, device: str, state: StateOut) -> None:
        words = state_in_words(state)
        if words.plain != self._states.get(device):
            self._print_line(state_line(device, state))
        self._states[device] = words.plain

    def _print_line(self, line: Text) -> None:
        # Cut lines at the width of a terminal. In a pipe, print all of them.
        cut = self._console.is_terminal
        self._console.print(line, no_wrap=cut, overflow="ellipsis" if cut else None, soft_wrap=not cut)


def _note(text: str) -> None:
    sys.stderr.write(f"edge-pose: {text}\n")
    sys.stderr.flush()


def _decoded(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def lines(device: str, keypoints: Keypoints) -> list[Text]:
    """One line per person, or the line "no person"."""
    start = f"{keypoints.time[11:-1]}  {device}  #{keypoints.seq}  "
    if not keypoints.poses:
        return [Text(start + "no person", style="dim")]
    return [_line(start, pose) for pose in keypoints.poses]


def _line(start: str, pose: PoseOut) -> Text:
    x, y, width, height = (round(value) for value in pose.box)
    shown = {keypoint.body_part: keypoint for keypoint in pose.keypoints if keypoint.body_part in SHOWN}
    places = (f"{name.lower().replace('_', ' ')} {position(shown[name])}" for name in SHOWN if name in shown)
    return Text.assemble(
        (start, "dim"),
        (f"person {'–' if pose.id is None else pose.id}", "bold"),
        "  ",
        score_bar(pose.score),
        f"  {len(pose.keypoints):2}/17  box {x},{y} {width}×{height}  ",
        ("  ".join(places), "cyan"),
    )


def _broker(config: Path | None, host: str | None, port: int | None) -> Mqtt:
    """The configured broker, with the host and port of the command line. Raises ConfigError, UsageError.

    With a host and no `config`, reads no file: the password of one broker must not be sent to another.
    """
    environ = dict(os.environ)
    if host is not None:
        environ[variable_of("mqtt.host")], named_port = host_and_port(host, "--host")
        if port and named_port and port != named_port:
            raise UsageError("--port", f"{port} is not the port in --host {host}", "omit one of the two")
        port = port or named_port
    if port:
        environ[variable_of("mqtt.port")] = str(port)
    return as_home(load(Path(os.devnull) if host is not None and config is None else config, environ).mqtt)
