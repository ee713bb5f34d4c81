"""`make fuzz N=100000 SEED=1`."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz.attack import CAMERA, attack
from tests.support.brokers import Mosquitto
from tests.support.sensor import sensor


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder)).start()
        try:
            with sensor(Path(folder), broker.port, CAMERA) as running:
                os.nice(10)  # an attacker is on another machine
                report = attack(
                    broker.port, count=options.count, requests=options.requests, calm_s=10, seed=options.seed
                )
                running.assert_stops()
                lines = len(running.log.splitlines())
        finally:
            broker.stop()
    print(f"sent                {options.count} messages, {report.sent_hz:.0f} per second, seed {options.seed}")  # noqa: T201
    print(f"keypoints           {report.calm_hz:.2f} Hz before, {report.flood_hz:.2f} Hz meanwhile: {report.share:.1%}")  # noqa: T201
    print(f"an answer again     {report.answer_s:.1f} s after the last message")  # noqa: T201
    print(f"memory              {report.grown_mb:+.1f} MiB")  # noqa: T201
    print(f"log                 {lines} lines")  # noqa: T201
    print(f"requests            {options.requests}, not answered once: {report.wrong or 'none'}")  # noqa: T201
    print(f"invalid values      {report.strange or 'none'}")  # noqa: T201
    print(f"breaches            {report.problems[:3] or 'none'}")  # noqa: T201
    return 0 if report.share > 0.9 and not (report.wrong or report.strange or report.problems) else 1


sys.exit(main())
