"""The sensor of the demo: `edge-pose run` in a process of its own, with settings for the demo only."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from rich.text import Text

from edge.config import Mqtt, variable_of
from edge.config.load import ENV_PREFIX
from edge.system.library_notes import NOTE

LOOPBACK = "127.0.0.1"
PAGE_PORT = 8077  # if it is free
STOP_S = 5.0  # for the service to stop
ANSWER_S = 0.2  # for the page to accept a connection

TOUR = "synthetic:tour"
# In the tour, the room is empty for some seconds between the scenes. Feet of people at the wall are in the zone.
TOUR_SETTINGS = {
    "presence.leave_s": "2",
    "zones": '[{name = "armchair", points = [[0.6, 0.7], [0.84, 0.7], [0.84, 0.795], [0.6, 0.795]]}]',
    "lines": '[{name = "door", from = [0.28, 0.92], to = [0.28, 0.62]}]',
}


def settings_of(mqtt: Mqtt, device_id: str, source: str, page_port: int) -> dict[str, str]:
    """The keys that differ from their defaults."""
    painted = source.startswith("synthetic:")
    return {
        "device.id": device_id,
        "device.name": "Demo",
        "camera.source": source,
        "camera.loop": "true",
        "mqtt.host": mqtt.host,
        "mqtt.port": str(mqtt.port),
        "home_assistant.enabled": "false",
        "web.enabled": "true",
        "web.port": str(page_port),
        # A camera may show people without their consent.
        "privacy.allow_pictures": "true" if painted else "false",
    } | (TOUR_SETTINGS if source == TOUR else {})


def start(settings: dict[str, str], state: str) -> "subprocess.Popen[str]":
    """Start the service with default settings except for these. It keeps its state in the folder `state`."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", os.devnull, "--log-level", "warning"],
        env=inherited | {variable_of(key): value for key, value in settings.items()} | {"STATE_DIRECTORY": state},
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def read_log(service: "subprocess.Popen[str]", report: Callable[[Text], None]) -> None:
    """Report the service's warnings and errors, line by line, until it ends."""
    assert service.stderr is not None
    with service.stderr:
        for line in service.stderr:
            if not line.startswith(NOTE):
                report(Text(line.rstrip()))


def stop(service: "subprocess.Popen[str]") -> None:
    if service.poll() is None:
        service.send_signal(signal.SIGTERM)
    try:
        service.wait(STOP_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


def free_port(preferred: int = 0) -> int:
    """A free port on loopback: the preferred one if it is free."""
    for wanted in (preferred, 0):
        with socket.socket() as probe:
            # As servers do, so that connections of the last demo, which the system still keeps, are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise OSError("no free port")


class Page:
    """The sensor's page in a browser."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}/"
        self._answers = False

    def has_come_up(self) -> bool:
        """Whether the page accepts connections for the first time."""
        if self._answers:
            return False
        try:
            socket.create_connection((LOOPBACK, self.port), ANSWER_S).close()
        except OSError:
            return False
        self._answers = True
        return True


def open_browser(url: str) -> None:
    """Open the page in a browser, if this is a desktop."""
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if has_display and "SSH_CONNECTION" not in os.environ:
        # In a process of its own, because browsers write to the terminal, and may block.
        nothing = subprocess.DEVNULL
        command = [sys.executable, "-m", "webbrowser", url]
        subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
