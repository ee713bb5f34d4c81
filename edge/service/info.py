"""The `info` message: the parts of the sensor that are known so far, and the problem that stops it."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from edge import __version__
from edge.config import Config
from edge.config.settings import Value
from edge.errors import EXIT_CONFIG, EdgeError
from edge.inference.network import Selector
from edge.inference.second_opinion import SecondOpinion
from edge.mqtt import messages
from edge.pipeline.seams import FrameSource
from edge.types import CameraMode, Frame


@dataclass(slots=True, eq=False)
class Facts:
    """What is known of the sensor so far; the rest is null in `info`."""

    config: Config
    selector: Selector | None = None
    source: FrameSource | None = None
    frame: Frame | None = None  # the first one, for its size
    second_opinion: SecondOpinion | None = None
    overrides: dict[str, Value] = field(default_factory=dict)  # settings that differ from the file
    places_changed: bool = False  # whether zones and lines differ from the file


def assemble(facts: Facts, error: Exception | None = None) -> messages.Info:
    """The payload of `info`; `error` is the one that stops the daemon."""
    config = facts.config
    info = messages.Info(
        v=messages.SCHEMA_VERSION,
        version=__version__,
        device={"id": config.device.topic_id, "name": config.device.name},
        problem=None if error is None else _problem(error),
        model=None,
        runtime=None,
        backend=None,
        camera=None,
        second_opinion=None,
        overrides=facts.overrides,
        places_changed=facts.places_changed,
    )
    if facts.selector is not None:
        info = _with_network(info, facts.selector, config.inference.thread_count)
    if facts.second_opinion is not None:
        info = replace(info, second_opinion=_second_opinion(facts.second_opinion))
    if facts.source is not None:
        info = replace(info, camera=_camera(facts.source, facts.frame, config))
    return info


def _with_network(info: messages.Info, selector: Selector, threads: int) -> messages.Info:
    selected = selector.selected
    model, runtime, state = selected.network.model, selected.network.runtime, selected.state
    return replace(
        info,
        model=messages.ModelOut(
            name=model.name, sha256=model.sha256, verified=model.verified, input_size=runtime.input_size
        ),
        runtime=messages.RuntimeOut(name=runtime.name, threads=threads),
        backend=messages.BackendOut(name=state.backend, code=state.code, reason=state.text),
    )


def _second_opinion(opinion: SecondOpinion) -> messages.SecondOpinionOut:
    network = opinion.network
    return messages.SecondOpinionOut(model=None if network is None else network.model.name, reason=opinion.reason)


def _camera(source: FrameSource, frame: Frame | None, config: Config) -> messages.CameraOut:
    return messages.CameraOut(
        source=source.description,
        frame=None if frame is None else messages.size_out(frame),
        fps=config.camera.fps,
        rotation=config.camera.rotation,
        mirror=config.camera.mirror,
        granted=_granted(source.mode),
    )


def _granted(mode: CameraMode | None) -> messages.GrantedOut | None:
    if mode is None:
        return None
    return messages.GrantedOut(
        model=mode.model,
        format=mode.format,
        pixels=messages.Size(width=mode.width, height=mode.height),
        fps=mode.fps,
        autofocus=mode.autofocus,
    )


def _problem(error: Exception) -> str:
    """What is wrong, what to do, and what happens next, for readers of `info` only."""
    if isinstance(error, EdgeError) and error.exit_code == EXIT_CONFIG:
        return f"{error}; the sensor stays off until you fix it and restart the service"
    problem = str(error)
    if not isinstance(error, EdgeError):
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        problem = f"unexpected error ({reason}); report it with the log"
    return f"{problem}; the sensor has stopped, and systemd restarts it after a few seconds"
