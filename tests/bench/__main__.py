"""`make bench`: compare the whole pipeline with a bare loop of `invoke()`, as ratios within one run.

The two alternate every third of a second, so that a temporary slowdown of the machine affects both.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edge.inference import loading
from tests.bench import daemon, economy, page, stages, steadiness, throughput
from tests.bench.sensors import configured
from tests.support.brokers import MOSQUITTO, Mosquitto

console = Console(stderr=True)


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
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=100, help="rounds of each kind (default 100)")
    parser.add_argument("--frames", type=int, default=40, help="frames per round (default 40)")
    parser.add_argument("--soak", type=int, default=20_000, help="frames of the memory test, 0: none (default 20000)")
    wanted = parser.parse_args()
    with broker() as port:
        found: dict[str, Any] = {
            "machine": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
            "runtime": loading.open_network(configured(port, 1)).runtime.name,
            "throughput": [
                throughput.measure(port, threads, wanted.rounds, wanted.frames, console) for threads in (1, 2)
            ],
            "economy": economy.measure(port, console),
            "page": page.measure(port, console),
            "stages": stages.measure(port),
            "start_up": daemon.start_up(port, 5, console),
            "steadiness": steadiness.measure(),
        }
        if wanted.soak:
            found["soak"] = daemon.soak(port, wanted.soak, console)
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
    cores = Table("at 15 frames per second from memory, one thread", "of a core", "frames a network saw per second")
    for name, one in found["economy"].items():
        cores.add_row(name, f"{one['core']:6.1%}", f"{one['seen_fps']:6.1f}")
    out.print(cores)
    pages = Table("the page at 15 frames per second, painted, one thread", "of a core", "memory, MiB")
    for name, one in found["page"].items():
        pages.add_row(name, f"{one['core']:6.1%}", f"{one['rss_mb']:6.1f}")
    out.print(pages)
    parts = Table("stage, by itself on one thread", "median µs", "share of invoke")
    for name, one in found["stages"].items():
        parts.add_row(name, f"{one['us']:8.0f}", f"{one['share']:7.2%}")
    out.print(parts)
    start = found["start_up"]
    out.print(
        f"first pose on the wire after {start['first_pose_s']:.2f} s, of which Python's start {start['python_s']:.2f} s"
    )
    steady = found["steadiness"]
    out.print(
        f"smoothing: a person at rest jitters by {steady['jitter_smoothed_px']:.2f} px instead of "
        f"{steady['jitter_px']:.2f} px ({steady['ratio']:.1f} times less), and a person who walks at 1 m/s lags by "
        f"{steady['lag_ms']:.0f} ms"
    )
    if "soak" in found:
        soaked = found["soak"]
        out.print(
            f"memory: {soaked['rss_mb']:.1f} MiB at most, {soaked['growth_mb']:+.1f} MiB growth "
            f"over {soaked['frames']} frames"
        )


if __name__ == "__main__":
    main()
