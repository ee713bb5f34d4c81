"""The daemon as its users run it: another process, a real broker, everything heard over MQTT."""

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

import jsonschema
import msgspec

from edge.config import Mqtt
from edge.mqtt.messages import schemas
from edge.mqtt.subscription import Subscription
from edge.types import Message
from tests.support import ROOT
from tests.support.brokers import LOOPBACK

SCHEMAS = schemas()


def run_edge(
    *arguments: str, environ: Mapping[str, str] | None = None, timeout_s: float = 60
) -> "subprocess.CompletedProcess[str]":
    """`edge-pose ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments],
        capture_output=True, text=True, check=False, timeout=timeout_s, env=_environ(environ or {}),
    )  # fmt: skip


@dataclass
class Sensor:
    """A running daemon."""

    process: "subprocess.Popen[bytes]"
    log_path: Path

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; exit code and seconds that it took."""
        started_s = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(20), time.monotonic() - started_s


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
    settings = {"device.id": "test", "mqtt.host": LOOPBACK, "mqtt.port": port, **settings}
    overrides = {"EDGE_POSE_" + key.upper().replace(".", "__"): _plain(value) for key, value in settings.items()}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "run", "--config", config],
            stdin=subprocess.DEVNULL,
            stderr=log,
            env=_environ(overrides | dict(environ or {})),
        )
    try:
        yield Sensor(process, log_path)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@dataclass
class Ear:
    """Everything that is said under edge-pose/, in order; JSON payloads are checked against their schemas."""

    subscription: Subscription
    heard: list[Message] = field(default_factory=list)

    def listen(self, until: Callable[[Message], bool], timeout_s: float = 30) -> Message:
        """The next message for which `until` holds."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.subscription.next(0.1)
            if message is not None:
                self._check(message)
                self.heard.append(message)
                if until(message):
                    return message
            assert time.monotonic() < deadline, f"in vain; heard {[m.topic for m in self.heard[-10:]]}"

    def topic(self, name: str, payload: bytes | None = None) -> Message:
        return self.listen(lambda message: message.topic.endswith(f"/{name}") and payload in (None, message.payload))

    def all(self, name: str) -> list[Any]:
        """The payloads of a topic so far."""
        return [json.loads(message.payload) for message in self.heard if message.topic.endswith(f"/{name}")]

    @staticmethod
    def _check(message: Message) -> None:
        name = message.topic.rsplit("/", 1)[1]
        if name == "status":
            assert message.payload in (b"online", b"offline")
        else:
            jsonschema.validate(json.loads(message.payload), SCHEMAS[name])


@contextmanager
def ear(port: int) -> Iterator[Ear]:
    subscription = Subscription(msgspec.convert({"host": LOOPBACK, "port": port}, Mqtt), ["edge-pose/#"])
    deadline = time.monotonic() + 10
    while not subscription.connection.connected:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield Ear(subscription)
    finally:
        subscription.close()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_POSE_")}
    return ours | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(more)
