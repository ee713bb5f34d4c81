"""Measure how much of a core the sensor needs at 15 frames per second, with none, one and three people in view."""

import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
from rich.console import Console

from edge.config import Idle
from edge.scenes.scenes import SCENE_FPS
from edge.types import Frame
from tests.bench.sensors import FITTED, assemble, configured, painted

IDLE_AFTER_S = 2.0  # instead of 20, to measure sooner
SETTLE_S, MEASURED_S = 5.0, 20.0
PICTURES = 45


class Paced:
    """A live camera whose pictures are in memory already: painted people, forwards and backwards."""

    live = True
    continuous = True
    ready = False
    dropped = unreadable = reopened = 0
    mode = None
    waiting = off = False

    def __init__(self, scene: str) -> None:
        self.description = scene
        self._images = [painted(scene, 48 + number, FITTED).image for number in range(PICTURES)]
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        start_s = time.monotonic()
        for n in count():
            if self._closed.wait(max(start_s + n / SCENE_FPS - time.monotonic(), 0)):
                return
            image = self._images[min(n % (2 * PICTURES), 2 * PICTURES - 1 - n % (2 * PICTURES))]
            yield Frame(image, 640, 480, n, time.monotonic(), time.time())

    def close(self, timeout_s: float = 0) -> None:  # noqa: ARG002 - nothing hangs
        self._closed.set()


def measure(port: int, console: Console) -> dict[str, dict[str, Any]]:
    """Per situation: the share of a core that the process uses, and the frames per second that a network saw.

    Nothing else runs in this process. The broker is another process and is not counted.
    """
    found: dict[str, dict[str, Any]] = {}
    situations = {
        "empty room, idle": ("empty", IDLE_AFTER_S),
        "empty room, idle.after_s = 0": ("empty", 0.0),
        "one person": ("walk", IDLE_AFTER_S),
        "three people": ("three", IDLE_AFTER_S),
    }
    for name, (scene, after_s) in situations.items():
        config = msgspec.structs.replace(configured(port, 1, f"bench-economy-{len(found)}"), idle=Idle(after_s=after_s))
        source = Paced(scene)
        sensor = assemble(config, source)
        running = sensor.pipeline.run(source, [sensor.supervisor, sensor.reporter])

        def pass_time(seconds: float) -> None:
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                next(running)  # noqa: B023 - called before the next round
                sensor.supervisor.tick()  # noqa: B023

        with console.status(f"{name} …"):
            pass_time(SETTLE_S)
            started_s, used_s, processed = time.monotonic(), time.process_time(), sensor.supervisor.frames
            pass_time(MEASURED_S)
            passed_s = time.monotonic() - started_s
            found[name] = {
                "core": (time.process_time() - used_s) / passed_s,
                "seen_fps": (sensor.supervisor.frames - processed) / passed_s,
            }
        sensor.close()
    return found
