"""`edge-pose check`: try configuration, model, source and broker, and say how to fix what fails."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edge import config as configuration
from edge.doctor.result import Result, from_error
from edge.errors import AbsentError, BrokerError, CameraError, EdgeError
from edge.system.library_notes import without_notes

BROKER_ANSWER_S = 8.0
FIRST_FRAME_S = 20.0


def run(path: Path | None, *, offline: bool = False) -> list[Result]:
    """Try each part with the configuration in `path`; if that is invalid, its problem is the only result.

    With `offline`, leave out what a running daemon may be using: source, broker and Edge TPU.
    """
    try:
        config = configuration.load(path)
    except EdgeError as exc:
        return [from_error("config", exc)]
    topic = f"{config.mqtt.base_topic}/{config.device.topic_id}"
    text = f"{path or configuration.DEFAULT_PATH} is valid; topics will be {topic}/..."
    configured = Result("config", "ok", text)
    if offline:
        return [configured, _try("model", _check_models, config)]
    return [
        configured,
        _try("model", _check_model, config),
        _try("source", _check_source, config),
        _try("broker", _check_broker, config),
    ]


def show(results: Sequence[Result]) -> None:
    """Print a line per result, with a green tick or a red cross. Lines are not wrapped."""
    console = Console(highlight=False)
    width = max(len(result.name) for result in results)
    for result in results:
        ok = result.level == "ok"
        mark = Text("✓  ", style="bold green") if ok else Text("✗  ", style="bold red")
        console.print(Text.assemble(mark, (f"{result.name:<{width}}", "bold"), f"  {result.line}"), soft_wrap=True)


def _try(name: str, check: Callable[[configuration.Config], str], config: configuration.Config) -> Result:
    try:
        return Result(name, "ok", check(config))
    except EdgeError as exc:
        return from_error(name, exc)


def _check_models(config: configuration.Config) -> str:
    from edge.inference.loading import check_models  # noqa: PLC0415 - imports the runtime

    return f"{check_models(config).path.name} can be used"


def _check_model(config: configuration.Config) -> str:
    from edge.inference.loading import check_edge_tpu, open_network  # noqa: PLC0415 - imports the runtime

    with without_notes():
        network = open_network(config)
    model, runtime = network.model, network.runtime
    runtime.close()
    height, width = runtime.input_size
    checksum = "its checksum is correct" if model.verified else "no catalogue has its checksum"
    runs = f"{model.path.name} runs on {runtime.name} at {height}x{width}; {checksum}"
    if config.inference.device != "auto":
        return runs
    try:
        check_edge_tpu(config)
    except AbsentError:
        return f"{runs}. No Edge TPU is attached"
    except EdgeError as exc:
        return f"{runs}. Not on the Edge TPU: {exc.text}"
    return f"{runs}. The Edge TPU works too, and is used instead"


def _check_source(config: configuration.Config) -> str:
    from edge.camera import open_source  # noqa: PLC0415 - imports the camera's library

    with open_source(config.camera) as source:
        # Closing the source ends the wait for a frame from a driver that hangs.
        timer = threading.Timer(FIRST_FRAME_S, source.close)
        timer.daemon = True
        timer.start()
        try:
            frame = next(iter(source), None)
        finally:
            timer.cancel()
        if frame is None:
            raise CameraError("camera.source", f"{source.description} gave no frame", "check the camera")
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
        return f"{mqtt.host}:{mqtt.port} accepts the login, {connection.protocol}"
    finally:
        connection.close()
