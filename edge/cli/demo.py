"""`edge-pose demo`: run the real service with its page, a broker, and a subscriber on this machine."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edge.camera import named_by_option, open_source
from edge.camera.feed import redact_url
from edge.cli import demo_sensor
from edge.cli.demo_sensor import LOOPBACK, PAGE_PORT, STOP_S, TOUR, Page
from edge.cli.demo_view import Lines, Screen, View
from edge.config import Camera, Mqtt, host_and_port
from edge.errors import EXIT_FAILURE, EXIT_OK, BrokerError, ConfigError, pip_install
from edge.mqtt.failures import UNANSWERED
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import Topics

BROKER_S = 10.0  # for connecting to the broker
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


def run(broker: str | None, frames: int, source: str, *, as_json: bool = False, browser: bool = True) -> int:
    """Show messages until Ctrl-C, or `frames` of them; returns the exit code.

    On a terminal, unless `as_json`, a table shows the newest message, and a `browser` opens the page if this is a
    desktop; otherwise each message is one line. Leaves no messages on a `broker` given by the user.
    Raises UsageError, ConfigError, BrokerError, CameraError.
    """
    out = Console(highlight=False, soft_wrap=True)
    lines = as_json or not out.is_terminal
    # Each signal must also stop the service and the broker. Shells disable SIGINT for programs in the background.
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    with named_by_option("--source", source):
        open_source(Camera(source=source)).close()  # reports an invalid source before the service starts
    with _broker(broker) as (host, port), tempfile.TemporaryDirectory(prefix="edge-pose-demo-") as state:
        mqtt = Mqtt(host=host, port=port)
        device_id = f"demo-{os.getpid()}"  # must differ from the ID of this machine's own sensor
        topics = Topics(mqtt.base_topic, device_id)
        # Standard output receives only messages, so that it can be piped.
        notes = Console(stderr=True, highlight=False, soft_wrap=True)
        view: View = Lines(out, notes) if lines else Screen(out, topics, is_tour=source == TOUR)
        subscription = _subscribe(mqtt, [topics.below(name) for name in view.topics])
        for line in _header(mqtt, source):
            view.note(line)
        page = Page(demo_sensor.free_port(PAGE_PORT))
        service = demo_sensor.start(demo_sensor.settings_of(mqtt, device_id, source, page.port), state)
        log = threading.Thread(target=demo_sensor.read_log, args=(service, view.note), daemon=True)
        log.start()
        try:
            return _show(subscription, service, view, page, frames, browser=browser and not lines)
        finally:
            for number in SIGNALS:  # a second Ctrl-C must not interrupt the cleanup
                signal.signal(number, signal.SIG_IGN)
            # On Ctrl-C, the terminal has signalled the service as well. A second signal does no harm.
            demo_sensor.stop(service)
            log.join(STOP_S)
            if broker is not None and subscription.clear(topics.retained):
                with suppress(OSError):  # the terminal was closed
                    view.note(Text(f"{host}:{port} still has retained messages under {topics.root}/", "red"))
            subscription.close()


def _header(mqtt: Mqtt, source: str) -> list[Text]:
    where = f"{mqtt.host}:{mqtt.port}"
    return [
        Text.assemble(("edge-pose demo", "bold"), f": {redact_url(source)} → PoseNet → mqtt://{where}"),
        Text(f"Messages: mosquitto_sub -h {mqtt.host} -p {mqtt.port} -t '{mqtt.base_topic}/#' -v", "dim"),
        Text(f"Events: {_this_command()} watch --events --host {where}", "dim"),
    ]


def _this_command() -> str:
    """How this program was called, for a command to copy: in a checkout, .venv/bin/edge-pose."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "edge-pose" else "edge-pose"


def _subscribe(mqtt: Mqtt, topics: list[str]) -> Subscription:
    """A connected subscription to the topics. Raises BrokerError."""
    subscription = Subscription(mqtt, topics)
    connection = subscription.connection
    if connection.tried.wait(BROKER_S) and connection.failure is None:
        return subscription
    subscription.close()
    # The failure's own remedy names configuration keys, which the demo does not read.
    failure = connection.failure or UNANSWERED
    remedy = "name a running broker that requires neither a password nor TLS"
    raise BrokerError(f"--broker {mqtt.host}:{mqtt.port}", failure.problem, remedy)


def _show(  # noqa: PLR0913 - the parts of the demo
    subscription: Subscription, service: "subprocess.Popen[str]", view: View, page: Page, frames: int, *, browser: bool
) -> int:
    """Show messages until Ctrl-C, or `frames` frames, or the service ends; returns the exit code."""
    count = 0
    try:
        while not frames or count < frames:
            message = subscription.next(timeout_s=0.5)
            if page.has_come_up():
                view.page(page.url)
                if browser:
                    demo_sensor.open_browser(page.url)
            if message is not None:
                count += view.show(message, time.monotonic())
            elif service.poll() is not None:
                break
    except (KeyboardInterrupt, OSError):  # OSError: the terminal was closed
        pass
    finally:
        with suppress(OSError):
            view.end(count)
    # The service never ends by itself, because files are looped. If it has ended, it has failed and logged the reason.
    return EXIT_OK if service.returncode is None else max(service.returncode, EXIT_FAILURE)


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
    port_number = demo_sensor.free_port()
    with tempfile.TemporaryDirectory(prefix="edge-pose-broker-") as folder:
        config = Path(folder) / "broker.toml"
        config.write_text(_BROKER_TOML.format(host=LOOPBACK, port=port_number), encoding="utf-8")
        with EmbeddedBroker(config_path=str(config)):
            yield LOOPBACK, port_number
