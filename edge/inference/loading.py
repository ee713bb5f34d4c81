"""Open the networks that the configuration asks for: model files, their runtimes, and the decoders of their outputs."""

from contextlib import suppress

from edge.config import Config
from edge.decode import families
from edge.decode.families import Decoding, Options
from edge.errors import AbsentError, ModelError
from edge.inference import crashes, edgetpu, edgetpu_worker
from edge.inference.accelerator import Accelerator, Loaded
from edge.inference.fallback import Failover
from edge.inference.tflite import CpuRuntime, EdgeTpuRuntime, dies_of_damage
from edge.models import catalogue
from edge.models.selection import preferred_size, select_model
from edge.models.strip_decoder import outline
from edge.pipeline.pipeline import Network, Runtime
from edge.types import Backend


def open_model(config: Config) -> tuple[catalogue.ModelFile, CpuRuntime]:
    """Read, check and load the configured model, on the Edge TPU if `inference.device` says so, and not «auto».

    Raises ModelError, AcceleratorError.
    """
    if config.inference.device.startswith("edgetpu"):
        check_edge_tpu(config)
        return _open_edge_tpu(config)
    return _open_cpu(config)


def check_models(config: Config) -> catalogue.ModelFile:
    """The configured model, if it can be used, as far as that can be told without the Coral, which may be in use.

    Raises ModelError.
    """
    if config.inference.device.startswith("edgetpu"):
        return _edge_tpu_model(config)
    model, cpu = _open_cpu(config)
    open_decoder(config, cpu)
    return model


def _open_cpu(config: Config) -> tuple[catalogue.ModelFile, CpuRuntime]:
    name = config.model.name if config.inference.device == "cpu" else _select_model(config, "cpu")
    model = catalogue.read(name)
    if not model.verified and dies_of_damage():
        edgetpu_worker.check_model(model.path)
    size = config.model.size or (None if name == config.model.name else preferred_size(config.model.name))
    cpu = CpuRuntime(model.content, label=str(model.path), input_size=size, threads=config.inference.thread_count)
    return model, cpu


def find_accelerator(config: Config) -> Accelerator | None:
    """How to get at the Edge TPU that `inference.device` asks for, if it does; nothing is tried yet."""
    if config.inference.device == "cpu":
        return None
    return Accelerator(
        check=lambda: check_edge_tpu(config),
        load=lambda: _loaded(config, *_open_edge_tpu(config)),
        crashes=crashes.Crashes(crashes.place(config.device.topic_id)),
    )


def open_failover(config: Config, accelerator: Accelerator | None) -> Failover:
    """Load what `inference.device` asks for: with «auto» the CPU, which the Edge TPU may then take over from.

    Raises ModelError, AcceleratorError.
    """
    wanted = config.inference
    reason = f"inference.device = {wanted.device}"
    if accelerator is not None and wanted.device != "auto":
        accelerator.tried()
        return Failover(accelerator.opened(), reason, accelerator=accelerator, probe_s=wanted.retry_s)
    cpu = _loaded(config, *_open_cpu(config))
    return Failover(cpu, reason, cpu=cpu, accelerator=accelerator, probe_s=wanted.retry_s)


def _loaded(config: Config, model: catalogue.ModelFile, on: CpuRuntime) -> Loaded:
    return Loaded(model, Network(on, open_decoder(config, on).decode))


def check_edge_tpu(config: Config) -> None:
    """Try the Edge TPU in another process. Raises AcceleratorError, ModelError."""
    wanted = config.inference
    _look_for_edge_tpu(config)
    edgetpu_worker.check_edge_tpu(_edge_tpu_model(config).path, _edge_tpu(config), wanted.library)


def _open_edge_tpu(config: Config) -> tuple[catalogue.ModelFile, EdgeTpuRuntime]:
    wanted = config.inference
    _look_for_edge_tpu(config)
    model = _edge_tpu_model(config)
    tpu = EdgeTpuRuntime(
        model.content, label=model.name, device=_edge_tpu(config), library=wanted.library, threads=wanted.thread_count
    )
    tpu.invoke()  # the first one takes long: it brings the weights there
    return model, tpu


def _look_for_edge_tpu(config: Config) -> None:
    """With «auto», libedgetpu is not even loaded where there is no Coral, be it that there never was one."""
    if config.inference.device == "auto" and config.inference.library == edgetpu.LIBRARY and not edgetpu.devices():
        raise AbsentError(edgetpu.absent())


def _edge_tpu_model(config: Config) -> catalogue.ModelFile:
    return catalogue.read(_select_model(config, "edgetpu"))


def edge_tpu_size(config: Config) -> list[tuple[int, int]]:
    """The input size of the model that may take over on the Edge TPU, if there is one."""
    if config.inference.device == "auto":
        with suppress(ModelError):
            return [outline(_edge_tpu_model(config).content).input_size]
    return []


def _select_model(config: Config, device: Backend) -> str:
    return select_model(config.model.name, device, config.model.size)


def _edge_tpu(config: Config) -> str:
    """Which one, as libedgetpu calls it: "" for any, "usb", "pci:0"."""
    return config.inference.device.removeprefix("auto").removeprefix("edgetpu").removeprefix(":")


def open_decoder(config: Config, runtime: Runtime) -> Decoding:
    """The decoder for the outputs of this model. Raises ModelError if none knows them, or the input size is odd."""
    options = Options(
        config.decode.mode, config.decode.max_people, config.filter.min_pose_score, config.decode.nms_radius_px
    )
    return families.open_decoder(runtime.output_shapes, runtime.input_size, options)
