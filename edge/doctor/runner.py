"""Run every check of `edge-pose doctor` at the same time, within a few seconds."""

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from edge.config import Config, Inference
from edge.doctor import accelerator, broker, camera, machine, page, recording, service, software
from edge.doctor.access import Account, find_account
from edge.doctor.command import Run
from edge.doctor.command import run as run_command
from edge.doctor.result import SUDO, Report, Result
from edge.inference.edgetpu import devices
from edge.service import health
from edge.system.board import board_name

LIMIT_S = 10.0
Check: TypeAlias = Callable[[], Result | Iterable[Result]]


def examine(path: Path | None, *, root: Path = Path("/"), run: Run = run_command) -> Report:
    """Examine the machine with the configuration in `path`; takes at most LIMIT_S, and never raises."""
    deadline_s = time.monotonic() + LIMIT_S
    unit = service.unit_properties(run)
    user = find_account(root, unit.get("User") or service.USER, unit.get("SupplementaryGroups", "video").split())
    configured, config = service.config(path)
    wanted = config or Config()
    board = board_name(root)
    groups: dict[str, dict[str, Check]] = {
        "service": {
            "configuration": lambda: configured,
            "user": partial(service.user, root, user, unit),
            "service": partial(service.services, run, unit),
        },
        "software": {
            "Python": software.python,
            "numpy": partial(software.numpy, run, picamera2=wanted.camera.source.startswith("picamera2")),
            "runtime": partial(software.runtime, run),
            "models": software.models,
        },
        "camera": {
            "camera": partial(camera.camera, root, run, config.camera.source, user)
            if config
            else partial(_not_configured, "camera", configured)
        },
        "accelerator": {"Coral": partial(_accelerator, root, run, wanted.inference, user)},
        "broker": {
            "broker": partial(broker.steps, root, config)
            if config and configured.level != "problem"
            else partial(_not_configured, "broker", configured)
        },
        "page": {"page": partial(page.page, root, config) if config else partial(_not_configured, "page", configured)},
        "machine": {
            "board": partial(machine.board, root),
            "power": lambda: machine.power(board, health.throttled_flags(), run),
            "temperature": lambda: machine.temperature(health.soc_temperature_c()),
            "disk": partial(machine.disk, root),
            "recording": partial(recording.recording, root, config, user, unit)
            if config
            else partial(_not_configured, "recording", configured),
            "memory": partial(machine.memory, root),
            "clock": machine.clock,
        },
    }
    started = {title: [_start(name, check) for name, check in checks.items()] for title, checks in groups.items()}
    return {title: [result for wait in waits for result in wait(deadline_s)] for title, waits in started.items()}


def _accelerator(root: Path, run: Run, wanted: Inference, user: Account | None) -> Iterable[Result]:
    yield from accelerator.coral(root, wanted.device, user)
    needed = wanted.device.startswith("edgetpu") or bool(devices(root))
    yield accelerator.library(run, needed=needed, name=wanted.library)
    yield software.pycoral()


def _not_configured(name: str, configured: Result) -> Result:
    fix = SUDO if configured.level == "unknown" else ""
    return Result(name, "unknown", "this check needs the configuration", fix)


def _start(name: str, check: Check) -> Callable[[float], list[Result]]:
    """Start a check in a thread. The returned function waits for its results, until a given time.monotonic().

    A check that raises or takes too long becomes a result, so that the other checks still count.
    """
    results: list[Result] = []

    def collect() -> None:
        try:
            found = check()
            results.extend([found] if isinstance(found, Result) else found)
        except Exception as exc:  # noqa: BLE001 - any error becomes a result
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())
            results.append(Result(name, "unknown", f"this check failed: {reason}", "check it by hand"))

    # A daemon thread, because a dead disk or name server can block it for ever.
    thread = threading.Thread(target=collect, name=f"doctor {name}", daemon=True)
    thread.start()

    def wait(deadline_s: float) -> list[Result]:
        thread.join(max(deadline_s - time.monotonic(), 0))
        late = [Result(name, "unknown", f"no answer within {LIMIT_S:.0f} s")] if thread.is_alive() else []
        return [*results, *late]

    return wait
