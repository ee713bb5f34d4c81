"""The daemon as its users run it: start-up and memory."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.support.sensor import ear, sensor


def start_up(port: int, runs: int, console: Console) -> dict[str, float]:
    """Seconds from the start of the process to the first keypoints, and seconds that an empty Python process takes."""
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


def soak(port: int, frames: int, console: Console) -> dict[str, float]:
    """The memory of a daemon while it processes so many frames, and its growth after the first tenth, MiB."""
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
