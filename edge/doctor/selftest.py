"""`edge-pose check`: try each part alone, and say how to mend what fails."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edge import config as configuration
from edge.errors import EXIT_OK, BrokerError, CameraError, EdgeError

BROKER_ANSWER_S = 8.0
FIRST_FRAME_S = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check; `detail` says what was found, or what to do."""

    name: str
    ok: bool
    detail: str
    exit_code: int = EXIT_OK


def run(path: Path | None, *, offline: bool = False) -> list[Finding]:
    """Configuration, model, source, broker.

    With `offline` nothing that a running daemon may have in use: no source, no broker, no Edge TPU.
    Without a configuration there is nothing else to try.
    """
    loaded: list[configuration.Config] = []

    def load() -> str:
        loaded.append(configuration.load(path))
        config = loaded[0]
        topic = f"{config.mqtt.base_topic}/{config.device.topic_id}"
        return f"{path or configuration.DEFAULT_PATH} is fine; topics will be {topic}/..."

    findings = [_try("config", load)]
    if loaded:
        config = loaded[0]
        if offline:
            findings.append(_try("model", lambda: _check_models(config)))
        else:
            findings += [
                _try("model", lambda: _check_model(config)),
                _try("source", lambda: _check_source(config)),
                _try("broker", lambda: _check_broker(config)),
            ]
    return findings


def show(findings: list[Finding]) -> None:
    """A line each, never broken: green ticks, red crosses with the remedy."""
    console = Console(highlight=False)
    width = max(len(one.name) for one in findings)
    for one in findings:
        mark = Text("✓  ", style="bold green") if one.ok else Text("✗  ", style="bold red")
        console.print(Text.assemble(mark, (f"{one.name:<{width}}", "bold"), f"  {one.detail}"), soft_wrap=True)


def _try(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=check())
    except EdgeError as exc:
        return Finding(name, ok=False, detail=str(exc), exit_code=exc.exit_code)


def _check_models(config: configuration.Config) -> str:
    from edge.inference.loading import check_models  # noqa: PLC0415 - pulls the runtime in

    return f"{check_models(config).path.name} can be used"


def _check_model(config: configuration.Config) -> str:
    from edge.inference.loading import check_edge_tpu, open_network  # noqa: PLC0415 - pulls the runtime in

    network = open_network(config)
    model, cpu = network.model, network.runtime
    cpu.close()
    vouched = "its checksum is right" if model.verified else "nobody vouches for its checksum"
    found = f"{model.path.name} runs on {cpu.name} at {cpu.input_size[0]}x{cpu.input_size[1]}; {vouched}"
    if config.inference.device != "auto":
        return found
    try:
        check_edge_tpu(config)
    except EdgeError as exc:
        return f"{found}. On the CPU: {exc.text}"
    return f"{found}. The Edge TPU works too, and takes over"


def _check_source(config: configuration.Config) -> str:
    from edge.camera import open_source  # noqa: PLC0415

    with open_source(config.camera) as source:
        # A camera whose driver hangs must not hang this too.
        timer = threading.Timer(FIRST_FRAME_S, source.close)
        timer.daemon = True
        timer.start()
        try:
            frame = next(iter(source), None)
        finally:
            timer.cancel()
        if frame is None:
            raise CameraError(f"camera.source: {source.description} gave no frame; check the camera")
        return f"{source.description} gives frames of {frame.width}x{frame.height}"


def _check_broker(config: configuration.Config) -> str:
    from edge.mqtt.connection import Connection  # noqa: PLC0415
    from edge.mqtt.failures import UNANSWERED  # noqa: PLC0415

    mqtt = config.mqtt
    connection = Connection(mqtt, "")
    connection.open()
    try:
        connection.tried.wait(BROKER_ANSWER_S)
        if not connection.connected:
            failure = connection.failure or UNANSWERED
            raise BrokerError(f"{mqtt.host}:{mqtt.port}", failure.problem, failure.advice())
        return f"{mqtt.host}:{mqtt.port} lets us in, {connection.protocol}"
    finally:
        connection.close()
