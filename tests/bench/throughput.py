"""Measure the frame rate of the whole sensor as a share of the rate of a bare loop of `invoke()`."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import track

from edge.config import Config
from edge.inference import loading
from edge.pipeline.seams import FrameSource
from tests.bench.sensors import Gated, Memory, assemble, configured, synthetic

UNCOUNTED = 5  # frames at the start of each round, while the stages fill
WARM = 200  # frames before the first round: the painter and the allocator are slower at first


@contextmanager
def bare_loop(config: Config) -> Iterator[Callable[[int], float]]:
    """A function that makes so many calls of invoke() with nothing in between, and returns the seconds per call."""
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
    """A function that passes so many frames from source to broker, and returns the seconds per frame."""
    source = Gated(frames)
    sensor = assemble(config, source)
    done = sensor.pipeline.run(source, [sensor.supervisor, sensor.reporter])

    def process(frames: int) -> None:
        wanted = sensor.supervisor.frames + frames
        while sensor.supervisor.frames < wanted:
            next(done)
            sensor.supervisor.tick()

    def run(frames: int) -> float:
        source.allow(UNCOUNTED + frames)
        process(UNCOUNTED)
        started_s = time.perf_counter()
        process(frames)
        return (time.perf_counter() - started_s) / frames

    try:
        yield run
    finally:
        sensor.close()


def measure(port: int, threads: int, rounds: int, frames: int, console: Console) -> dict[str, Any]:
    """Frames per second of each kind, and the ratio to the bare loop, which runs right before and right after."""
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
