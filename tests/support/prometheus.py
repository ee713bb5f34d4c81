"""A real Prometheus that reads the metrics of a sensor, and promtool."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import LOOPBACK, free_port
from tests.support.cache import CACHE
from tests.support.waiting import until

Series = dict[tuple[tuple[str, str], ...], float]  # sorted labels -> value


def program(name: str) -> str:
    """The path of prometheus or promtool; the test is skipped without it."""
    found = shutil.which(name) or shutil.which(name, path=str(CACHE / "prometheus/usr/bin"))
    if found is None:
        pytest.skip("PROMETHEUS IS NOT HERE: run: make test-page")
    return found


def promtool(*arguments: str | Path, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program("promtool"), *map(str, arguments)], input=text, capture_output=True, text=True, check=False
    )


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    port: int
    log: Path

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/-/ready", timeout=30):
                return True
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of the HTTP API."""
        url = f"http://{LOOPBACK}:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> Series:
        """The values of an expression now, by their labels other than job and instance."""
        return {
            tuple(sorted((name, text) for name, text in one["metric"].items() if name not in {"job", "instance"})):
                float(one["value"][1])
            for one in self.get("query", query=expression)["result"]
        }  # fmt: skip

    def problem(self) -> str:
        """Why the last scrape failed; empty if it did not."""
        targets = self.get("targets")["activeTargets"]
        return str(targets[0]["lastError"]) if targets else "no targets"


@contextmanager
def prometheus(folder: Path, configuration: str) -> Iterator[Prometheus]:
    """Start Prometheus with this configuration."""
    file, log, port = folder / "prometheus.yml", folder / "prometheus.log", free_port()
    file.write_text(configuration)
    checked = promtool("check", "config", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    command = [program("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus-data'}",
               f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn"]  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        server = Prometheus(port, log)
        until(lambda: server.is_ready() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.kill()
        process.wait()
