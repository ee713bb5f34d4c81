"""`edge-pose demo`: run the real service, a broker and a subscriber on this machine."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edge.camera import named_by_option, open_source
from edge.camera.feed import redact_url
from edge.cli.demo_view import Lines, Screen, View
from edge.config import Camera, Mqtt, host_and_port, variable_of
from edge.config.load import ENV_PREFIX
from edge.errors import EXIT_FAILURE, EXIT_OK, BrokerError, ConfigError, pip_install
from edge.mqtt.failures import UNANSWERED
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import Topics
from edge.system.library_notes import NOTE

LOOPBACK = "127.0.0.1"
BROKER_S = 10.0  # for connecting to the broker
STOP_S = 5.0  # for the service to stop
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

# The configuration of rumqttd, the broker in iotcore: one MQTT 5 listener on loopback, with small limits.
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


def run(broker: str | None, frames: int, source: str, *, as_json: bool = False) -> int:
    """Show messages until Ctrl-C, or `frames` of them; returns the exit code.

    On a terminal, unless `as_json`, a table shows the newest message; otherwise each message is one line.
    Leaves no messages on a `broker` given by the user. Raises UsageError, ConfigError, BrokerError, CameraError.
    """
    out = Console(highlight=False, soft_wrap=True)
    lines = as_json or not out.is_terminal
    # Standard output receives only messages, so that it can be piped.
    notes = Console(stderr=True, highlight=False, soft_wrap=True) if lines else out
    # Each signal must also stop the service and the broker. Shells disable SIGINT for programs in the background.
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    with named_by_option("--source", source):
        open_source(Camera(source=source)).close()  # reports an invalid source before the service starts
    with _broker(broker) as (host, port), tempfile.TemporaryDirectory(prefix="edge-pose-demo-") as state:
        mqtt = Mqtt(host=host, port=port)
        device_id = f"demo-{os.getpid()}"  # must differ from the ID of this machine's own sensor
        topics = Topics(mqtt.base_topic, device_id)
        subscription = _subscribe(mqtt, topics)
        path = f": {redact_url(source)} → PoseNet → mqtt://{host}:{port}"
        notes.print(Text.assemble(("edge-pose demo", "bold"), path))
        notes.print(f"Listen along: mosquitto_sub -h {host} -p {port} -t '{mqtt.base_topic}/#' -v", style="dim")
        notes.print(f"Events: {_this_command()} watch --events --host {host}:{port}", style="dim")
        service = _start_service(mqtt, device_id, source, state)
        log = threading.Thread(target=_print_log, args=(service, notes), daemon=True)
        log.start()
        try:
            return _show(subscription, service, Lines(out, notes) if lines else Screen(out), frames)
        finally:
            for number in SIGNALS:  # a second Ctrl-C must not interrupt the cleanup
                signal.signal(number, signal.SIG_IGN)
            # On Ctrl-C, the terminal has signalled the service as well. A second signal does no harm.
            _stop(service)
            log.join(STOP_S)
            if broker is not None and subscription.clear(topics.retained):
                notes.print(f"{host}:{port} still has retained messages under {topics.root}/", style="red")
            subscription.close()


def _this_command() -> str:
    """How this program was called, for a command to copy: in a checkout, .venv/bin/edge-pose."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "edge-pose" else "edge-pose"


def _subscribe(mqtt: Mqtt, topics: Topics) -> Subscription:
    """A connected subscription to the keypoints. Raises BrokerError."""
    subscription = Subscription(mqtt, [topics.keypoints])
    connection = subscription.connection
    if connection.tried.wait(BROKER_S) and connection.failure is None:
        return subscription
    subscription.close()
    # The failure's own remedy names configuration keys, which the demo does not read.
    failure = connection.failure or UNANSWERED
    remedy = "name a running broker that requires neither a password nor TLS"
    raise BrokerError(f"--broker {mqtt.host}:{mqtt.port}", failure.problem, remedy)


def _show(subscription: Subscription, service: "subprocess.Popen[str]", view: View, frames: int) -> int:
    """Show messages until Ctrl-C, or `frames` of them, or the service ends; returns the exit code."""
    count = 0
    try:
        while not frames or count < frames:
            message = subscription.next(timeout_s=0.5)
            if message is not None:
                count += 1
                view.show(message.payload, time.monotonic())
            elif service.poll() is not None:
                break
    except KeyboardInterrupt:
        pass
    finally:
        view.end(count)
    # The service never ends by itself, because files are looped. If it has ended, it has failed and logged the reason.
    return EXIT_OK if service.returncode is None else max(service.returncode, EXIT_FAILURE)


def _start_service(mqtt: Mqtt, device_id: str, source: str, state: str) -> "subprocess.Popen[str]":
    """Start the service with default settings except for the demo's own, which are environment variables.

    It keeps its state in the folder `state`.
    """
    settings = {
        "device.id": device_id,
        "camera.source": source,
        "camera.loop": "true",
        "mqtt.host": mqtt.host,
        "mqtt.port": str(mqtt.port),
        "home_assistant.enabled": "false",
    }
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", os.devnull, "--log-level", "warning"],
        env=inherited | {variable_of(key): value for key, value in settings.items()} | {"STATE_DIRECTORY": state},
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def _print_log(service: "subprocess.Popen[str]", notes: Console) -> None:
    """Print the service's warnings and errors until it ends. `notes` keeps them from disturbing the table."""
    assert service.stderr is not None
    with service.stderr:
        for line in service.stderr:
            if not line.startswith(NOTE):
                notes.print(line.rstrip(), markup=False, emoji=False)


def _stop(service: "subprocess.Popen[str]") -> None:
    if service.poll() is None:
        service.send_signal(signal.SIGTERM)
    try:
        service.wait(STOP_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


@contextmanager
def _broker(given: str | None) -> Iterator[tuple[str, int]]:
    """Host and port of the `given` broker, or of a broker that runs for the block and listens on loopback only."""
    if given is not None:
        host, port = host_and_port(given, "--broker")
        yield host, port or Mqtt().port
        return
    try:
        from iotcore import Broker as EmbeddedBroker  # noqa: PLC0415 - an optional extra
    except ImportError:
        problem, remedy = "the demo's own broker is not installed", "or name a broker with --broker HOST"
        raise ConfigError("iotcore", problem, f"run {pip_install('demo')}, {remedy}") from None
    port_number = _free_port()
    with tempfile.TemporaryDirectory(prefix="edge-pose-broker-") as folder:
        config = Path(folder) / "broker.toml"
        config.write_text(_BROKER_TOML.format(host=LOOPBACK, port=port_number), encoding="utf-8")
        with EmbeddedBroker(config_path=str(config)):
            yield LOOPBACK, port_number


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
