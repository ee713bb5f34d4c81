"""The daemon as its users run it: in another process, with a real broker, observed over MQTT."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edge.config import Model, Mqtt
from edge.mqtt.connection import send
from edge.mqtt.subscription import Subscription
from edge.types import Message
from tests.support import ROOT
from tests.support.brokers import LOOPBACK
from tests.support.contract import check
from tests.support.models import FAST_MODEL
from tests.support.waiting import LONG_S, until

STOP_LIMIT_S = 2.0


def run_edge(
    *arguments: str, environ: Mapping[str, str] | None = None, timeout_s: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run `edge-pose ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments],
        capture_output=True, text=True, check=False, timeout=timeout_s, env=_environ(environ or {}),
    )  # fmt: skip


@contextmanager
def watch(folder: Path, *arguments: str, **environ: str) -> Iterator[Callable[[str], list[str]]]:
    """Start `edge-pose watch`; gives a function that waits for a text and returns all lines so far."""
    path = folder / f"watch-{time.monotonic_ns()}.log"
    with path.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "watch", *arguments], stdout=out, stderr=out, env=_environ(environ)
        )

    def wait_for(text: str) -> list[str]:
        until(lambda: text in path.read_text(encoding="utf-8") or process.poll() is not None)
        printed = path.read_text(encoding="utf-8")
        assert text in printed, printed
        return printed.splitlines()

    try:
        yield wait_for
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG_S) == 0
    finally:
        process.kill()
        process.wait()


@dataclass
class Sensor:
    """A running daemon."""

    process: "subprocess.Popen[bytes]"
    log_path: Path

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait until the log has this text `count` times."""
        until(lambda: self.log.count(text) >= count or self.process.poll() is not None)
        assert self.log.count(text) >= count, self.log

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal and wait for the end; returns the exit code and the seconds that it took."""
        started_s = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(LONG_S), time.monotonic() - started_s

    def assert_stops(self, number: int = signal.SIGTERM) -> None:
        """Stop it, and check that it ends in time, with exit code 0 and without a traceback."""
        code, took_s = self.stop(number)
        assert code == 0, self.log
        assert took_s < STOP_LIMIT_S
        assert "Traceback" not in self.log


@contextmanager
def sensor(
    folder: Path,
    port: int,
    settings: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
    *,
    module: str = "edge",
    config: Path = Path(os.devnull),
) -> Iterator[Sensor]:
    """Start `edge-pose run` with settings such as {"camera.source": "synthetic:walk"}, which override `config`."""
    log_path = folder / f"sensor-{time.monotonic_ns()}.log"
    settings = {"device.id": "test", "mqtt.host": LOOPBACK, "mqtt.port": port, "inference.threads": 1, **settings}
    if Model().name != FAST_MODEL:  # only then, because this overrides a name in `config`
        settings = {"model.name": FAST_MODEL, **settings}
    environ = {"STATE_DIRECTORY": str(folder / "state"), **(environ or {})}
    overrides = {"EDGE_POSE_" + key.upper().replace(".", "__"): _plain(value) for key, value in settings.items()}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "run", "--config", config],
            stdin=subprocess.DEVNULL,
            stderr=log,
            env=_environ(overrides | environ),
        )
    try:
        yield Sensor(process, log_path)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@dataclass
class Ear:
    """All messages under edge-pose/, in order; each is checked against the contract."""

    subscription: Subscription
    heard: list[Message] = field(default_factory=list)

    def listen(self, until: Callable[[Message], bool], timeout_s: float = LONG_S) -> Message:
        """The next message for which `until` holds."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            message = self.subscription.next(0.1)
            if message is not None:
                if not message.topic.startswith("homeassistant/"):
                    check(message)
                self.heard.append(message)
                if until(message):
                    return message
            assert time.monotonic() < deadline_s, f"no such message; last topics: {[m.topic for m in self.heard[-10:]]}"

    def topic(self, name: str, payload: bytes | None = None, timeout_s: float = LONG_S) -> Message:
        """The next message on a topic, with that payload if one is given."""
        return self.listen(
            lambda message: message.topic.endswith(f"/{name}") and payload in (None, message.payload), timeout_s
        )

    def topics(self, name: str, count: int) -> None:
        for _ in range(count):
            self.topic(name)

    def all(self, name: str) -> list[Any]:
        """The payloads of a topic so far."""
        return [json.loads(message.payload) for message in self.heard if message.topic.endswith(f"/{name}")]

    def say(self, topic: str, payload: str | bytes = b"", *, retain: bool = False) -> None:
        """Publish a message."""
        content = payload.encode() if isinstance(payload, str) else payload
        with self.subscription.connection.lock:
            send(self.subscription.connection.client, Message(topic, content, qos=1, retain=retain))


@contextmanager
def ear(port: int, topics: str = "edge-pose/#") -> Iterator[Ear]:
    with _subscription(port, topics) as subscription:
        yield Ear(subscription)


def retained(port: int) -> dict[str, bytes]:
    """What the broker retains under edge-pose/: topic -> payload."""
    messages = {}
    with _subscription(port, "edge-pose/#") as subscription:
        # The broker sends what it retains before it reads our next message.
        end = Message(f"edge-pose/none/request/end-{time.monotonic_ns()}", b"", qos=1)
        with subscription.connection.lock:
            send(subscription.connection.client, end)
        while (message := subscription.next(LONG_S)) is not None and message.topic != end.topic:
            if message.retain:  # a sensor may publish meanwhile
                messages[message.topic] = message.payload
    return messages


@contextmanager
def _subscription(port: int, topic: str) -> Iterator[Subscription]:
    subscription = Subscription(msgspec.convert({"host": LOOPBACK, "port": port}, Mqtt), [topic])
    try:
        until(lambda: subscription.connection.connected)
        yield subscription
    finally:
        subscription.close()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_POSE_")}
    return ours | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(more)
