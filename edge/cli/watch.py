"""`edge-pose watch`: what the sensors on a broker see, a line a person."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from edge.config import ENV_PREFIX, Mqtt, host_and_port, load, variable_of
from edge.errors import EXIT_OK, UsageError
from edge.mqtt.failures import Failure
from edge.mqtt.messages import KeypointOut, Keypoints, PoseOut, read_keypoints
from edge.mqtt.subscription import Subscription
from edge.types import Message

SCORE_BAR_CELLS = 8
# Enough to picture the person by; all seventeen do not fit a line.
SHOWN = ("NOSE", "LEFT_WRIST", "RIGHT_WRIST", "LEFT_ANKLE", "RIGHT_ANKLE")


def run(config: Path | None, host: str | None, port: int | None, *, as_json: bool) -> int:
    """Print until Ctrl-C. Raises ConfigError, UsageError."""
    mqtt = _broker(config, host, port)
    options = {"mqtt.host": "--host", "mqtt.port": "--port"} if host else {"mqtt.port": "--port"} if port else {}
    has_file = config is not None or host is None

    def name_of(key: str) -> str:
        return options.get(key) or (key if has_file else variable_of(key))

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells switch off in the background
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    subscription = Subscription(mqtt, [f"{mqtt.base_topic}/+/keypoints", f"{mqtt.base_topic}/+/status"])
    people_before: dict[str, int] = {}
    reported: Failure | None = None
    _note(f"waiting for sensors under {mqtt.base_topic}/ on {mqtt.host}:{mqtt.port}; Ctrl-C ends")
    try:
        while True:
            message = subscription.next(timeout_s=0.5)
            failure = subscription.connection.failure
            if failure != reported:
                reported = failure
                state = "; ".join((failure.problem, failure.advice(name_of))) if failure else "connected"
                _note(f"broker {mqtt.host}:{mqtt.port}: {state}")
            if message is not None:
                _tell(message, console, people_before, as_json=as_json)
    except KeyboardInterrupt:
        return EXIT_OK
    finally:
        subscription.close()


def _tell(message: Message, console: Console, people_before: dict[str, int], *, as_json: bool) -> None:
    """Print a message; of an empty room, the first one alone."""
    device, kind = message.topic.split("/")[-2:]
    if kind == "status" and not message.payload:  # cleared: that sensor is gone for good
        return
    if as_json:
        payload = message.payload.decode(errors="replace")
        said = {"topic": message.topic, "payload": _as_json(payload) if kind == "keypoints" else payload}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    elif kind == "status":
        console.print(f"{device}  {message.payload.decode(errors='replace')}", style="bold")
    else:
        try:
            keypoints = read_keypoints(message.payload)
        except msgspec.DecodeError as exc:
            console.print(f"{device}  what it sends is no keypoints message: {exc}", style="red")
            return
        people = len(keypoints.poses)
        if people or people_before.get(device) != 0:
            for line in lines(device, keypoints):
                # A line a person on a terminal, everything in a pipe.
                cut = console.is_terminal
                console.print(line, no_wrap=cut, overflow="ellipsis" if cut else None, soft_wrap=not cut)
        people_before[device] = people


def _note(text: str) -> None:
    sys.stderr.write(f"edge-pose: {text}\n")
    sys.stderr.flush()


def _as_json(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def lines(device: str, keypoints: Keypoints) -> list[Text]:
    """One line a person, or one that says that there is nobody."""
    start = f"{keypoints.time[11:-1]}  {device}  #{keypoints.seq}  "
    if not keypoints.poses:
        return [Text(start + "nobody", style="dim")]
    return [_line(start, f"person {'?' if pose.id is None else pose.id}", pose) for pose in keypoints.poses]


def _line(start: str, who: str, pose: PoseOut) -> Text:
    x, y, width, height = (round(value) for value in pose.box)
    filled = round(pose.score * SCORE_BAR_CELLS)
    shown = {keypoint.body_part: keypoint for keypoint in pose.keypoints if keypoint.body_part in SHOWN}
    return Text.assemble(
        (start, "dim"),
        (who, "bold"),
        f"  {pose.score:.2f} ",
        ("█" * filled + "░" * (SCORE_BAR_CELLS - filled), "green" if pose.score >= 0.5 else "yellow"),
        f"  {len(pose.keypoints):2}/17  box {x},{y} {width}×{height}  ",
        ("  ".join(_place(shown[name]) for name in SHOWN if name in shown), "cyan"),
    )


def _place(keypoint: KeypointOut) -> str:
    return f"{keypoint.body_part.lower().replace('_', ' ')} {round(keypoint.x)},{round(keypoint.y)}"


def _broker(config: Path | None, host: str | None, port: int | None) -> Mqtt:
    """The configured broker, with the command line's host and port in place of its own.

    With a host and no file, no file is read: the password for one broker is none of another's business.
    """
    environ = dict(os.environ)
    if host is not None:
        environ[ENV_PREFIX + "MQTT__HOST"], named_port = host_and_port(host, "--host")
        if port and named_port and port != named_port:
            raise UsageError(f"--port: {port} is not the port in --host {host}; leave one of the two out")
        port = port or named_port
    if port:
        environ[ENV_PREFIX + "MQTT__PORT"] = str(port)
    return load(Path(os.devnull) if host is not None and config is None else config, environ).mqtt
