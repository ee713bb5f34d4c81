"""Measure what the page costs: processor time and memory of the daemon with the page off, on, and watched."""

import os
import socket
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.support.brokers import LOOPBACK, free_port
from tests.support.browser import Browser
from tests.support.sensor import Ear, Sensor, ear, sensor

SETTLED, FRAMES = 75, 150  # frames at 15 per second
ROUNDS = 3
PICTURE_S = 0.2
SITUATIONS = ("off", "on", "watched", "watched with pictures", "a viewer that reads nothing")
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(port: int, console: Console) -> dict[str, dict[str, Any]]:
    """Per situation the share of a core and the resident memory, medians of ROUNDS with one painted person."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SITUATIONS}
    for _ in track(range(ROUNDS), "page", console=console):
        for name in SITUATIONS:
            found[name].append(_round(port, name))
    return {
        name: {
            "core": statistics.median(core for core, _ in rounds),
            "rss_mb": statistics.median(mb for _, mb in rounds),
        }
        for name, rounds in found.items()
    }


def _round(port: int, situation: str) -> tuple[float, float]:
    page = free_port()
    settings = {
        "camera.source": "synthetic:walk", "web.enabled": situation != "off", "web.port": page,
        "privacy.allow_pictures": "pictures" in situation,
    }  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        ear(port) as heard,
        sensor(Path(folder), port, settings) as daemon,
        ExitStack() as stack,
    ):
        if situation != "off":
            browser = Browser(page).wait()
            if "watched" in situation:
                stack.enter_context(browser.live())
            if "pictures" in situation:
                stack.enter_context(_looking(browser))
            if "nothing" in situation:
                stack.enter_context(_stuck(page))
        heard.topics("keypoints", SETTLED)
        return _cost(daemon, heard)


def _cost(daemon: Sensor, heard: Ear) -> tuple[float, float]:
    before_s = _used_s(daemon)
    heard.heard.clear()
    heard.topics("keypoints", FRAMES)
    used_s = _used_s(daemon) - before_s
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1])
    return used_s / (FRAMES / 15), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _used_s(daemon: Sensor) -> float:
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def _stuck(page: int) -> Iterator[None]:
    """A viewer that asks for the live stream, and reads nothing."""
    with socket.create_connection((LOOPBACK, page)) as stream:
        stream.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield


@contextmanager
def _looking(browser: Browser) -> Iterator[None]:
    """A viewer that also fetches pictures, as often as the page does."""
    token = browser.ask("POST", "/pictures").json["token"]
    done = threading.Event()

    def fetch() -> None:
        while not done.wait(PICTURE_S):
            browser.ask("GET", f"/picture.jpg?token={token}")

    viewer = threading.Thread(target=fetch)
    viewer.start()
    try:
        yield
    finally:
        done.set()
        viewer.join()
