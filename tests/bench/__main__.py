"""`make bench`: what the pipeline costs beside a bare loop of `invoke()`, as ratios within one run.

Both take turns of a third of a second, so that a machine that is slower for a moment is slower for both.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge.camera import open_source
from edge.config import Camera, Config
from edge.inference import loading
from edge.inference.fallback import OneNetwork
from edge.inference.letterbox import Letterboxer
from edge.inference.network import Network
from edge.mqtt.messages import Topics
from edge.mqtt.publisher import Publisher
from edge.people.filtering import Thresholds, keep_visible
from edge.people.smoothing import Smoother
from edge.people.tracking import Tracker
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.seams import FrameSource
from edge.scenes.scenes import SCENE_FPS, open_scene
from edge.service.assembly import open_pipeline
from edge.service.info import Facts
from edge.service.reporter import Reporter
from edge.service.sd_notify import Notifier
from edge.service.supervisor import Supervisor
from edge.types import Frame, Letterbox, RawOutputs, fitted
from tests.bench import steadiness
from tests.support.brokers import LOOPBACK, MOSQUITTO, Mosquitto
from tests.support.pipelines import Collector
from tests.support.sensor import ear, sensor

console = Console(stderr=True)
FITTED = fitted((640, 480), (481, 353))
UNCOUNTED = 5  # frames at the start of each round, while the stages fill
STAGE_ROUNDS = 40
WARM = 200  # frames: the painter's and the allocator's first time is not the rest of it


class Gated:
    """Frames of another source, as many as are allowed; the next one waits until more are."""

    live = False
    continuous = True
    dropped = unreadable = reopened = 0
    mode = None
    waiting = False

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
    """Frames that cost nothing: the same few to and fro, in the size that a camera would deliver."""

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
    """Two painted people, as fast as it goes."""
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
        reporter=reporter, notifier=Notifier({}),
    )  # fmt: skip
    publisher.open()
    supervisor.wait_for_room(lambda: False)
    return Assembled(network, pipeline, supervisor, reporter, publisher)


@contextmanager
def bare_loop(config: Config) -> Iterator[Callable[[int], float]]:
    """Seconds that one of so many calls of invoke() takes, with nothing in between."""
    cpu = loading.open_network(config).runtime
    cpu.input()[:] = 128

    def run(frames: int) -> float:
        for _ in range(UNCOUNTED):
            cpu.invoke()
        started_s = time.perf_counter()
        for _ in range(frames):
            cpu.invoke()
        return (time.perf_counter() - started_s) / frames

    yield run


@contextmanager
def end_to_end(config: Config, frames: "FrameSource | Memory") -> Iterator[Callable[[int], float]]:
    """Seconds that one of so many frames takes from source to broker, in the midst of others."""
    source = Gated(frames)
    sensor = assemble(config, source)
    done = sensor.pipeline.run(source, [sensor.supervisor, sensor.reporter])

    def follow(frames: int) -> None:
        wanted = sensor.supervisor.frames + frames
        while sensor.supervisor.frames < wanted:
            next(done)
            sensor.supervisor.tick()

    def run(frames: int) -> float:
        source.allow(UNCOUNTED + frames)
        follow(UNCOUNTED)
        started_s = time.perf_counter()
        follow(frames)
        return (time.perf_counter() - started_s) / frames

    try:
        yield run
    finally:
        sensor.close()


def throughput(port: int, threads: int, rounds: int, frames: int) -> dict[str, Any]:
    """Frames a second of each kind, and how much of the bare loop's that is: of that right before and right after."""
    with ExitStack() as stack:
        bare = stack.enter_context(bare_loop(configured(port, threads)))
        kinds = {
            kind: stack.enter_context(end_to_end(configured(port, threads, f"bench-{kind}"), source))
            for kind, source in (("memory", Memory()), ("synthetic", synthetic()))
        }
        for run in kinds.values():
            run(WARM)
        seen: dict[str, list[float]] = {kind: [] for kind in ("bare", *kinds)}
        pairs: dict[str, list[float]] = {kind: [] for kind in kinds}
        before_s = bare(frames)
        for _ in track(range(rounds), f"throughput, {threads} thread{'s'[: threads - 1]}", console=console):
            for kind, run in kinds.items():
                took_s, after_s = run(frames), bare(frames)
                pairs[kind].append((before_s + after_s) / 2 / took_s)
                seen[kind].append(took_s)
                seen["bare"].append(after_s)
                before_s = after_s
    return {
        "threads": threads,
        "fps": {kind: 1 / statistics.median(times) for kind, times in seen.items()},
        "ratio": {"bare": 1.0} | {kind: statistics.median(ratios) for kind, ratios in pairs.items()},
    }


def painted(scene: str, sequence: int, size: tuple[int, int] = (640, 480)) -> Frame:
    image = np.empty((*size[::-1], 3), np.uint8)
    open_scene(scene, width=640, height=480, painted=size).paint(sequence, image)
    return Frame(image, 640, 480, sequence, 0.0, 0.0)


def stages(port: int) -> dict[str, dict[str, float]]:
    """Median microseconds of each stage alone, and its share of an invoke with one thread that came right after."""
    config = configured(port, 1)
    source = Gated(Memory(), 1)
    sensor = assemble(config, source)
    cpu = sensor.network.runtime
    single = msgspec.structs.replace(config, decode=msgspec.structs.replace(config.decode, mode="single"))
    decoders = {"single": loading.decoding(single, cpu).decode, "multi": loading.decoding(config, cpu).decode}
    fit = Letterboxer()

    def outputs_of(scene: str, sequence: int) -> tuple[RawOutputs, Letterbox]:
        letterbox = fit(painted(scene, sequence), cpu.input())
        cpu.invoke()
        return cpu.outputs(), letterbox

    # Several pictures, because how much there is to decode differs from one to the next.
    walkers, pairs, threes = ([outputs_of(scene, 7 * n) for n in range(20)] for scene in ("walk", "two", "three"))
    nobody, full, small = outputs_of("empty", 0), painted("two", 40), painted("two", 40, FITTED)
    thresholds = Thresholds.of(confidence=0.3, parts={}, score=0.2, keypoints=5)
    letterbox = pairs[0][1]
    decoded = [decoders["multi"](outputs) for outputs, _ in pairs]
    poses = [keep_visible(one, letterbox, thresholds) for one in decoded]
    clock, turn = count(), count()
    tracker, smoother = Tracker(), Smoother(thresholds)
    tracks = [Tracker(min_hits=1).update(seen, 0) for seen in poses]
    scene = open_scene("two", width=640, height=480, painted=FITTED)
    image = np.empty((*FITTED[::-1], 3), np.uint8)
    for sequence in range(2000):
        scene.paint(sequence, image)
    collector = Collector()
    done = sensor.pipeline.run(source, [collector])
    while not collector.updates:
        next(done)
    (update,) = collector.updates

    def published() -> None:
        sensor.supervisor.publish(update)
        sensor.reporter.publish(update)

    def each(rows: Sequence[Any], run: Callable[[Any], object]) -> Callable[[], object]:
        return lambda: run(rows[next(turn) % len(rows)])

    parts: dict[str, Callable[[], object]] = {
        "paint (source's thread)": lambda: scene.paint(next(clock) % 2000, image),
        "fit, 640x480": lambda: fit(full, cpu.input()),
        "fit, as large as wanted": lambda: fit(small, cpu.input()),
        "outputs": cpu.outputs,
        "decode single": each(walkers, lambda one: decoders["single"](one[0])),
        "decode, nobody": lambda: decoders["multi"](nobody[0]),
        "decode, one person": each(walkers, lambda one: decoders["multi"](one[0])),
        "decode, two people": each(pairs, lambda one: decoders["multi"](one[0])),
        "decode, three people": each(threes, lambda one: decoders["multi"](one[0])),
        "filter": each(decoded, lambda one: keep_visible(one, letterbox, thresholds)),
        "track": each(poses, lambda one: tracker.update(one, next(clock) / 15)),
        "smooth": each(tracks, lambda one: smoother.smooth(one, next(clock) / 15)),
        "message + publish": published,
        "invoke": cpu.invoke,
    }
    rounds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(STAGE_ROUNDS):
        for name, run in parts.items():
            run()  # finds the caches as the stage before has left them
            times = []
            for _ in range(10):
                started_s = time.perf_counter()
                run()
                times.append(time.perf_counter() - started_s)
                if name == "message + publish":
                    time.sleep(0.002)  # at this rate the network thread would be what is measured
            rounds[name].append(statistics.median(times))
    sensor.close()
    return {
        name: {
            "us": statistics.median(times) * 1e6,
            "share": statistics.median(a / b for a, b in zip(times, rounds["invoke"], strict=True)),
        }
        for name, times in rounds.items()
    }


def start_up(port: int, runs: int) -> dict[str, float]:
    """Seconds from the start of the process to the first keypoints on the wire, less what Python itself takes."""
    first, python = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in track(range(runs), "start-up", console=console):
            with ear(port) as heard:
                started_s = time.perf_counter()
                with sensor(Path(folder), port, {"camera.source": "synthetic:walk"}):
                    heard.topic("keypoints")
                    first.append(time.perf_counter() - started_s)
            started_s = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            python.append(time.perf_counter() - started_s)
    return {"first_pose_s": statistics.median(first), "python_s": statistics.median(python)}


def soak(port: int, frames: int) -> dict[str, float]:
    """Memory of a daemon over so many frames."""
    with tempfile.TemporaryDirectory() as folder, ear(port) as heard:
        settings = {"camera.source": "synthetic:walk", "camera.fps": 0, "mqtt.heartbeat_s": 1}
        with sensor(Path(folder), port, settings):
            rss: list[tuple[int, float]] = []
            with console.status("memory …"):
                while not rss or rss[-1][0] < frames:
                    report = json.loads(heard.topic("health").payload)
                    rss.append((report["frames"]["processed"], report["rss_mb"]))
                    heard.heard.clear()
    after = [mb for done, mb in rss if done > frames / 10]
    return {"frames": rss[-1][0], "rss_mb": max(mb for _, mb in rss), "growth_mb": after[-1] - after[0]}


@contextmanager
def broker() -> Iterator[int]:
    if MOSQUITTO is None:
        sys.exit("the benchmark needs mosquitto: apt-get install mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        server = Mosquitto(Path(folder)).start()
        try:
            yield server.port
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--rounds", type=int, default=100, help="of each kind (default 100)")
    parser.add_argument("--frames", type=int, default=40, help="a round (default 40)")
    parser.add_argument("--soak", type=int, default=20_000, help="frames of the memory test, 0 = without (20000)")
    wanted = parser.parse_args()
    with broker() as port:
        found: dict[str, Any] = {
            "machine": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
            "runtime": loading.open_network(configured(port, 1)).runtime.name,
            "throughput": [throughput(port, threads, wanted.rounds, wanted.frames) for threads in (1, 2)],
            "stages": stages(port),
            "start_up": start_up(port, 5),
            "steadiness": steadiness.measure(),
        }
        if wanted.soak:
            found["soak"] = soak(port, wanted.soak)
    if wanted.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show(found)


def show(found: dict[str, Any]) -> None:
    out = Console()
    out.print(
        f"[bold]edge-pose bench[/]  {found['machine']}, {found['runtime']}, two people, 640x480 frames into 353x481"
    )
    table = Table("threads", "bare invoke()", "in-memory frames", "synthetic frames")
    for row in found["throughput"]:
        cells = [f"{row['fps'][kind]:6.1f} fps  {row['ratio'][kind]:5.3f}" for kind in ("bare", "memory", "synthetic")]
        table.add_row(str(row["threads"]), *cells)
    out.print(table)
    parts = Table("stage, alone on one thread", "median µs", "share of invoke")
    for name, one in found["stages"].items():
        parts.add_row(name, f"{one['us']:8.0f}", f"{one['share']:7.2%}")
    out.print(parts)
    start = found["start_up"]
    out.print(
        f"first pose on the wire after {start['first_pose_s']:.2f} s, of which Python's start {start['python_s']:.2f} s"
    )
    steady = found["steadiness"]
    out.print(
        f"smoothing: a person at rest trembles by {steady['jitter_smoothed_px']:.2f} px instead of "
        f"{steady['jitter_px']:.2f} px ({steady['ratio']:.1f} times less), one who walks 1 m/s is shown "
        f"{steady['lag_ms']:.0f} ms later"
    )
    if "soak" in found:
        soaked = found["soak"]
        out.print(
            f"memory: {soaked['rss_mb']:.1f} MiB at most, {soaked['growth_mb']:+.1f} MiB growth "
            f"over {soaked['frames']} frames"
        )


if __name__ == "__main__":
    main()
