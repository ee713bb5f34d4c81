"""A whole sensor in this process, and sources of frames for it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue

import msgspec
import numpy as np

from edge.camera import open_source
from edge.config import Camera, Config
from edge.inference import loading
from edge.inference.fallback import OneNetwork
from edge.inference.network import Network
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.seams import FrameSource
from edge.scenes.scenes import SCENE_FPS, open_scene
from edge.service.assembly import open_pipeline
from edge.service.info import Facts
from edge.service.reporter import Reporter
from edge.service.sd_notify import Notifier
from edge.service.supervisor import Supervisor
from edge.types import Frame, fitted
from tests.support.brokers import LOOPBACK

FITTED = fitted((640, 480), (481, 353))


def painted(scene: str, sequence: int, size: tuple[int, int] = (640, 480)) -> Frame:
    image = np.empty((*size[::-1], 3), np.uint8)
    open_scene(scene, width=640, height=480, painted=size).paint(sequence, image)
    return Frame(image, 640, 480, sequence, 0.0, 0.0)


class Gated:
    """Passes on as many frames of another source as are allowed, and waits until more are."""

    live = False
    continuous = True
    dropped = unreadable = reopened = 0
    mode = None
    waiting = off = False

    def __init__(self, source: "FrameSource | Memory", allowed: int = 0) -> None:
        self.description = source.description
        self._source = source
        self._allowed: SimpleQueue[bool] = SimpleQueue()  # a semaphore would cost as much as a small stage
        self.allow(allowed)

    def allow(self, frames: int) -> None:
        for _ in range(frames):
            self._allowed.put(True)

    @property
    def ready(self) -> bool:
        return not self._allowed.empty() and self._source.ready

    def __iter__(self) -> Iterator[Frame]:
        frames = iter(self._source)
        while self._allowed.get():
            yield next(frames)

    def close(self, timeout_s: float = 0) -> None:
        self._allowed.put(False)
        self._source.close(timeout_s)


class Memory:
    """Frames at no cost: eight pictures, forwards and backwards, in the size that a camera would deliver."""

    description = "in-memory frames"
    ready = True

    def __init__(self) -> None:
        self._images = [painted("two", 48 + number, FITTED).image for number in range(8)]

    def __iter__(self) -> Iterator[Frame]:
        for n in count():
            yield Frame(self._images[min(n % 16, 15 - n % 16)], 640, 480, n, n / SCENE_FPS, time.time())

    def close(self, timeout_s: float = 0) -> None:
        pass


def synthetic() -> FrameSource:
    """Two painted people, as fast as possible."""
    return open_source(Camera(source="synthetic:two", fps=0), largest=FITTED)


def configured(port: int, threads: int, name: str = "bench") -> Config:
    settings = {"mqtt": {"host": LOOPBACK, "port": port}, "inference": {"threads": threads}, "device": {"id": name}}
    return msgspec.convert(settings, Config)


@dataclass(frozen=True)
class Assembled:
    """A whole sensor that is connected to its broker."""

    network: Network
    pipeline: Pipeline
    supervisor: Supervisor
    reporter: Reporter
    publisher: Publisher

    def close(self) -> None:
        self.pipeline.detector.close()
        self.publisher.close()


def assemble(config: Config, source: FrameSource) -> Assembled:
    network = loading.open_network(config)
    selector = OneNetwork(network, "cpu")
    topics = Topics(config.mqtt.base_topic, config.device.topic_id)
    publisher = Publisher(
        config.mqtt,
        config.device.topic_id,
        online=topics.status_message(online=True),
        offline=topics.status_message(online=False),
    )
    pipeline = open_pipeline(config, selector, continuous=True)
    reporter = Reporter(publisher, topics, max_rate_hz=0, wait_for_room=lambda: supervisor.wait_for_room(lambda: False))
    supervisor = Supervisor(
        facts=Facts(config, selector, source), source=source, selector=selector, publisher=publisher,
        reporter=reporter, notifier=Notifier({}), gate=pipeline.gate,
    )  # fmt: skip
    publisher.open()
    supervisor.wait_for_room(lambda: False)
    return Assembled(network, pipeline, supervisor, reporter, publisher)
