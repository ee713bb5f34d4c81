"""Every check of `edge-pose doctor`, side by side, within a few seconds."""

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from edge.config import Config, Inference
from edge.doctor import accelerator, broker, camera, service, software, system
from edge.doctor.access import Account, account
from edge.doctor.machine import SUDO, Finding, Report, Run
from edge.doctor.machine import run as run_command
from edge.service import health

PATIENCE_S = 10.0
Check: TypeAlias = Callable[[], Finding | Iterable[Finding]]


def examine(path: Path | None, *, root: Path = Path("/"), run: Run = run_command) -> Report:
    """Title -> findings, of the configuration in `path`; takes PATIENCE_S at most, and never raises."""
    deadline_s = time.monotonic() + PATIENCE_S
    unit = service.show(run)
    user = account(root, unit.get("User") or service.USER, unit.get("SupplementaryGroups", "video").split())
    configured, config = service.config(path)
    wanted = config or Config()
    pi = system.board(root)
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
            else partial(_unread, "camera", configured)
        },
        "accelerator": {"Coral": partial(_accelerator, root, run, wanted.inference, user)},
        "broker": {
            "broker": partial(broker.steps, root, config)
            if config and configured.level != "problem"
            else partial(_unread, "broker", configured)
        },
        "machine": {
            "board": partial(system.name, root),
            "power": lambda: system.power(pi, health.throttled_flags(), run),
            "temperature": lambda: system.temperature(health.soc_temperature_c()),
            "disk": partial(system.disk, root),
            "memory": partial(system.memory, root),
            "clock": system.clock,
        },
    }
    return {
        title: [finding for found in started for finding in found(deadline_s)]
        for title, started in [
            (title, [_start(name, check) for name, check in checks.items()]) for title, checks in groups.items()
        ]
    }


def _accelerator(root: Path, run: Run, wanted: Inference, user: Account | None) -> Iterable[Finding]:
    yield from accelerator.coral(root, wanted.device, user)
    needed = wanted.device.startswith("edgetpu") or bool(accelerator.corals(root))
    yield accelerator.library(run, needed=needed, name=wanted.library)
    yield software.pycoral()


def _unread(name: str, configured: Finding) -> Finding:
    return Finding(name, "unknown", "the configuration comes first", SUDO if configured.level == "unknown" else "")


def _start(name: str, check: Check) -> Callable[[float], list[Finding]]:
    """Begin a check in a thread; returns what waits for its findings until a time of time.monotonic().

    Whatever a check dies of or waits for, the others are still wanted, so both become a Finding.
    """
    found: list[Finding] = []

    def look() -> None:
        try:
            result = check()
            found.extend([result] if isinstance(result, Finding) else result)
        except Exception as exc:  # noqa: BLE001 - see above
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())
            found.append(Finding(name, "unknown", f"this check failed: {reason}", "look at it by hand"))

    # A daemon, since a name server or a dead disk may keep it for ever.
    thread = threading.Thread(target=look, name=f"doctor {name}", daemon=True)
    thread.start()

    def wait(deadline_s: float) -> list[Finding]:
        thread.join(max(deadline_s - time.monotonic(), 0))
        late = [Finding(name, "unknown", f"no answer within {PATIENCE_S:.0f} s")] if thread.is_alive() else []
        return [*found, *late]

    return wait
