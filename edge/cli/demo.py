"""`edge-pose demo`: the real daemon, a broker and a subscriber on this machine alone."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from edge.camera import named_by_option, open_source
from edge.camera.feed import redact_url
from edge.config import ENV_PREFIX, Camera, Mqtt, host_and_port
from edge.errors import EXIT_FAILURE, EXIT_OK, BrokerError, ConfigError, pip_install
from edge.mqtt.failures import UNANSWERED
from edge.mqtt.messages import Keypoints, Topics, read_keypoints
from edge.mqtt.subscription import Subscription

LOOPBACK = "127.0.0.1"
FPS_OVER = 30  # frames
ENDING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

# rumqttd's own configuration: a v5 listener on loopback, everything small.
_BROKER_TOML = """\
id = 0

[router]
id = 0
max_connections = 16
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 4

[v5.1]
name = "demo"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""


def run(broker: str | None, frames: int, source: str) -> int:
    """Print every message until Ctrl-C, or `frames` of them; returns the exit code.

    On a broker that was named, nothing stays behind. Raises UsageError, ConfigError, BrokerError, CameraError.
    """
    out = Console(highlight=False, soft_wrap=True)
    # Next to messages that are piped into another program, the summary would be in the way.
    notes = out if out.is_terminal else Console(stderr=True, highlight=False, soft_wrap=True)
    # So that whatever ends the demo ends what it has started; SIGINT too, which shells switch off in the background.
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)
    with named_by_option("--source", source):
        open_source(Camera(source=source)).close()  # a wrong name is found here, and not by the daemon
    with _broker(broker) as (host, port):
        mqtt = Mqtt(host=host, port=port)
        # An id of its own: a sensor of this machine may be on that broker already.
        device_id = f"demo-{os.getpid()}"
        topics = Topics(mqtt.base_topic, device_id)
        subscription = Subscription(mqtt, [topics.keypoints])
        if not subscription.connection.tried.wait(10) or subscription.connection.failure:
            # The failure's own remedy names configuration keys, and the demo has no configuration.
            failure = subscription.connection.failure or UNANSWERED
            remedy = "name a running broker that requires neither a password nor TLS"
            raise BrokerError(f"--broker {host}:{port}", failure.problem, remedy)
        way = f": {redact_url(source)} → PoseNet → mqtt://{host}:{port}/{topics.keypoints}"
        notes.print(Text.assemble(("edge-pose demo", "bold"), way))
        notes.print(f"Listen along: mosquitto_sub -h {host} -p {port} -t '{mqtt.base_topic}/#' -v", style="dim")
        daemon = _start_daemon(mqtt, device_id, source)
        try:
            return _show(subscription, daemon, out, notes, frames)
        finally:
            for number in ENDING:  # a second one would leave behind what is to be cleared; this takes seconds at most
                signal.signal(number, signal.SIG_IGN)
            # It got the same Ctrl-C as we did, if there was one; a second signal does no harm.
            _end(daemon)  # which says `offline`
            retained = [topics.status, topics.info, topics.health]
            if broker is not None and not subscription.clear(retained):
                notes.print(f"{host}:{port} still has what is retained under {topics.root}/", style="red")
            subscription.close()


def _show(
    subscription: Subscription, daemon: "subprocess.Popen[bytes]", out: Console, notes: Console, frames: int
) -> int:
    started_s = time.monotonic()
    arrived_s: deque[float] = deque(maxlen=FPS_OVER)
    count = 0
    summary = Text("waiting for the first frame …", style="dim")
    with (
        suppress(KeyboardInterrupt),
        Live(summary, console=notes, auto_refresh=False, transient=not out.is_terminal) as live,
    ):
        while not frames or count < frames:
            message = subscription.next(timeout_s=0.5)
            if message is None:
                if daemon.poll() is not None:
                    break
                continue
            count += 1
            arrived_s.append(time.monotonic())
            out.print(message.payload.decode(), markup=False)
            live.update(_summary(read_keypoints(message.payload), arrived_s), refresh=True)
    notes.print(f"{count} message{'' if count == 1 else 's'} in {time.monotonic() - started_s:.1f} s", style="dim")
    # Without any message, the daemon ended before us and has said why.
    return EXIT_OK if count or daemon.returncode is None else daemon.returncode or EXIT_FAILURE


def _summary(keypoints: Keypoints, arrived_s: deque[float]) -> Text:
    """A line of less than 80 columns."""
    span_s = arrived_s[-1] - arrived_s[0]
    fps = f"{(len(arrived_s) - 1) / span_s:5.1f}" if span_s > 0 else "    –"
    people = len(keypoints.poses)
    seen = sum(len(pose.keypoints) for pose in keypoints.poses)
    return Text.assemble(
        (f"{fps} fps", "bold green"),
        " · ",
        (f"{people} {'person' if people == 1 else 'people'}", "bold cyan"),
        f" · {seen} keypoints · {keypoints.latency_ms.total:.1f} ms",
        f" ({keypoints.latency_ms.inference:.1f} inference) · Ctrl-C ends",
    )


def _start_daemon(mqtt: Mqtt, device_id: str, source: str) -> "subprocess.Popen[bytes]":
    """The daemon as it comes, but for what the demo says in the environment, where nobody else is heard."""
    settings = {
        "DEVICE__ID": device_id,
        "CAMERA__SOURCE": source,
        "CAMERA__LOOP": "true",
        "MQTT__HOST": mqtt.host,
        "MQTT__PORT": str(mqtt.port),
    }
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", os.devnull, "--log-level", "warning"],
        env=inherited | {ENV_PREFIX + key: value for key, value in settings.items()},
    )


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(5)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


@contextmanager
def _broker(named: str | None) -> Iterator[tuple[str, int]]:
    """Host and port of the broker that was named, or of one of our own that listens on loopback alone."""
    if named is not None:
        host, port = host_and_port(named, "--broker")
        yield host, port or Mqtt().port
        return
    try:
        from iotcore import Broker as Embedded  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ConfigError(f"the demo's own broker is not installed; do: {pip_install('demo')}, "
                          "or name a broker with --broker HOST") from None  # fmt: skip
    port_number = _free_port()
    with tempfile.TemporaryDirectory(prefix="edge-pose-broker-") as folder:
        config = Path(folder) / "broker.toml"
        config.write_text(_BROKER_TOML.format(host=LOOPBACK, port=port_number), encoding="utf-8")
        with Embedded(config_path=str(config)):
            yield LOOPBACK, port_number


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
