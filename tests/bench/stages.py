"""Measure each stage by itself on one thread."""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec
import numpy as np

from edge.inference import loading
from edge.inference.letterbox import Letterboxer
from edge.people.filtering import Thresholds, keep_visible
from edge.people.smoothing import Smoother
from edge.people.tracking import Tracker
from edge.scenes.scenes import open_scene
from edge.types import Letterbox, RawOutputs
from tests.bench.sensors import FITTED, Gated, Memory, assemble, configured, painted
from tests.support.pipelines import Collector

ROUNDS = 40


def measure(port: int) -> dict[str, dict[str, float]]:
    """Median microseconds of each stage, and its share of an invoke with one thread in the same round."""
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

    # Several pictures, because the work of decoding differs between pictures.
    walkers, pairs, threes = ([outputs_of(scene, 7 * n) for n in range(20)] for scene in ("walk", "two", "three"))
    empty, full, small = outputs_of("empty", 0), painted("two", 40), painted("two", 40, FITTED)
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
        "decode, empty room": lambda: decoders["multi"](empty[0]),
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
    for _ in range(ROUNDS):
        for name, run in parts.items():
            run()  # not measured: the previous stage has left other data in the caches
            times = []
            for _ in range(10):
                started_s = time.perf_counter()
                run()
                times.append(time.perf_counter() - started_s)
                if name == "message + publish":
                    time.sleep(0.002)  # without a pause, this would measure the network thread
            rounds[name].append(statistics.median(times))
    sensor.close()
    return {
        name: {
            "us": statistics.median(times) * 1e6,
            "share": statistics.median(a / b for a, b in zip(times, rounds["invoke"], strict=True)),
        }
        for name, times in rounds.items()
    }
