"""What `info` says: what the sensor is made of, as far as that is known, and what keeps it from working."""

from dataclasses import dataclass

from msgspec.structs import replace

from edge import __version__
from edge.config import Config
from edge.errors import EXIT_CONFIG, EdgeError
from edge.inference.fallback import Failover
from edge.mqtt import messages
from edge.mqtt.messages import Topics
from edge.pipeline.pipeline import FrameSource
from edge.types import CameraMode, Frame, Message


@dataclass(slots=True, eq=False)
class Profile:
    """Everything that is known of a sensor by now; what is not known yet is null in `info`."""

    config: Config
    topics: Topics
    failover: Failover | None = None
    source: FrameSource | None = None
    frame: Frame | None = None  # the first, of which only the size counts

    def message(self, error: Exception | None = None) -> Message:
        """`info`; with the error of which the daemon ends, if it does."""
        config, camera = self.config, self.config.camera
        info = messages.Info(
            v=messages.SCHEMA_VERSION,
            version=__version__,
            device={"id": config.device.topic_id, "name": config.device.name},
            problem=None if error is None else _problem(error),
            model=None,
            runtime=None,
            backend=None,
            camera=None,
        )
        if self.failover is not None:
            state = self.failover.state
            model, runtime = state.loaded.model, state.loaded.network.runtime
            info = replace(
                info,
                model=messages.ModelOut(
                    name=model.name, sha256=model.sha256, verified=model.verified, input_size=runtime.input_size
                ),
                runtime=messages.RuntimeOut(name=runtime.name, threads=config.inference.thread_count),
                backend=messages.BackendOut(name=runtime.backend, reason=state.reason),
            )
        if self.source is not None:
            info = replace(
                info,
                camera=messages.CameraOut(
                    source=self.source.description,
                    frame=None if self.frame is None else messages.size_out(self.frame),
                    fps=camera.fps,
                    rotation=camera.rotation,
                    mirror=camera.mirror,
                    granted=_granted(self.source.mode),
                ),
            )
        return self.topics.info_message(info)


def _problem(error: Exception) -> str:
    """What is wrong and what to do, and then what happens next, for somebody who sees nothing but this line."""
    if isinstance(error, EdgeError) and error.exit_code == EXIT_CONFIG:
        return f"{error}; the sensor stays off until that is mended and it is started again"
    problem = str(error)
    if not isinstance(error, EdgeError):
        said = " ".join(f"{type(error).__name__}: {error}".split())
        problem = f"an error that nobody foresaw ({said}); report it with what the log says of it"
    return f"{problem}; the sensor has ended, and under systemd it is started again after some seconds"


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
