"""Real brokers for tests: mosquitto on a free port of the loopback, to be stopped, killed and started again."""

import random
import select
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import LONG_S, until

LOOPBACK = "127.0.0.1"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def free_port() -> int:
    """A port on which nothing listens. The kernel picks ports above 32768 for other sockets, so this one stays free."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def accepts_connections(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def publish(port: int, topic: str, payload: str, *options: str) -> None:
    """Publish with QoS 1, so the broker has it when this returns."""
    subprocess.run(["mosquitto_pub", "-p", str(port), "-t", topic, "-m", payload, "-q", "1", *options], check=True)


@contextmanager
def mosquitto_sub(port: int, topic: str, out: Path, *options: str) -> Iterator[Callable[[], list[str]]]:
    """Subscribe with the program mosquitto_sub; gives a function that returns the lines it has printed into `out`."""
    publish(port, "subscribed", "yes", "-r")
    with out.open("wb") as file:
        command = ["mosquitto_sub", "-p", str(port), "-t", topic, "-t", "subscribed", *options]
        process = subprocess.Popen(command, stdout=file)
    try:
        until(lambda: out.stat().st_size)
        yield lambda: out.read_text(encoding="utf-8").splitlines()[1:]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def relay(port: int, target: int) -> Iterator[None]:
    """Forward one connection from a port to another."""

    def forward() -> None:
        with suppress(OSError):  # the server was closed before anyone connected
            peer, _ = server.accept()
            with peer, socket.create_connection((LOOPBACK, target)) as broker:
                other = {peer: broker, broker: peer}
                while True:
                    for one in select.select(list(other), [], [])[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        other[one].sendall(data)

    with socket.create_server((LOOPBACK, port)) as server:
        thread = threading.Thread(target=forward)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(LONG_S)


@dataclass
class Mosquitto:
    """A mosquitto process. `settings` are lines of mosquitto.conf besides the listener."""

    folder: Path
    settings: tuple[str, ...] = ("allow_anonymous true",)
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "Mosquitto":
        assert MOSQUITTO is not None
        config = self.folder / f"mosquitto-{self.port}.conf"
        lines = [f"listener {self.port} {LOOPBACK}", "log_type none", *self.settings]
        if Path("/etc/mosquitto").exists():
            lines.append("user root")  # the user mosquitto could not read our certificates
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process = process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)
        until(lambda: process.poll() is not None or accepts_connections(self.port))
        assert process.poll() is None, f"mosquitto ended with {process.returncode}"
        return self

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Suspend it while the block runs: connections stay open, but it reads nothing."""
        assert self._process is not None
        process = self._process  # the block may kill it
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(LONG_S)
            self._process = None
