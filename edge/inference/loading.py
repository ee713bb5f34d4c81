"""Open the networks that the configuration asks for: model files, their runtimes, and the decoders of their outputs."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from edge.config import Config
from edge.decode.families import Decoding, Options, open_decoder
from edge.errors import ModelError
from edge.inference import edgetpu
from edge.inference.edgetpu_protocol import Spec
from edge.inference.edgetpu_runtime import EdgeTpuRuntime
from edge.inference.fallback import EdgeTpuOnly, Fallback, OneNetwork
from edge.inference.model_trial import check_model
from edge.inference.network import Network, Runtime
from edge.inference.standby import Standby
from edge.inference.tflite import CpuRuntime, crashes_on_damage
from edge.models import catalogue
from edge.models.selection import preferred_size, select_model
from edge.models.strip_decoder import outline
from edge.types import Backend

AnySelector: TypeAlias = OneNetwork | EdgeTpuOnly | Fallback


def open_selector(config: Config) -> AnySelector:
    """Load the daemon's networks. With "auto" this loads only the CPU's, and `Fallback.start` opens the Edge TPU.

    Raises ModelError, AcceleratorError.
    """
    device, retry_s = config.inference.device, config.inference.retry_s

    def open_edge_tpu(cancelled: threading.Event) -> Network:
        return _open_edge_tpu(config, cancelled)

    if device == "cpu":
        return OneNetwork(_open_cpu(config), device)
    if device == "auto":
        model, load = _cpu_model(config)
        standby = Standby(load)
        cpu = Network(model, standby, decoding(config, standby))
        return Fallback(cpu, open_edge_tpu, device, retry_s, release_cpu=standby.release)
    return EdgeTpuOnly(open_edge_tpu, device, retry_s)


def open_network(config: Config) -> Network:
    """Load the network of a one-off command: on the Edge TPU if `inference.device` names it, else on the CPU.

    Raises ModelError, AcceleratorError.
    """
    return _open_edge_tpu(config) if config.inference.device.startswith("edgetpu") else _open_cpu(config)


def check_models(config: Config) -> catalogue.ModelFile:
    """Check the configured model without the Edge TPU, which a running daemon may be using. Raises ModelError."""
    if config.inference.device.startswith("edgetpu"):
        return _edge_tpu_model(config)
    return _open_cpu(config).model


def check_edge_tpu(config: Config) -> None:
    """Open the Edge TPU, run its model once, and close it. Raises AcceleratorError, ModelError."""
    _open_edge_tpu(config).runtime.close()


def input_sizes(config: Config, network: Network) -> list[tuple[int, int]]:
    """The (height, width) of every input that frames may be fitted into: of `network` and of the Edge TPU's model."""
    sizes = [network.runtime.input_size]
    if config.inference.device == "auto":
        with suppress(ModelError):
            sizes.append(outline(_edge_tpu_model(config).content).input_size)
    return sizes


def decoding(config: Config, runtime: Runtime) -> Decoding:
    """How the outputs of this runtime are decoded. Raises ModelError."""
    wanted = config.decode
    options = Options(wanted.mode, config.max_poses, config.filter.min_pose_score, wanted.nms_radius_px)
    return open_decoder(runtime.output_shapes, runtime.input_size, options)


def _open_cpu(config: Config) -> Network:
    model, load = _cpu_model(config)
    cpu = load()
    return Network(model, cpu, decoding(config, cpu))


def _cpu_model(config: Config) -> tuple[catalogue.ModelFile, Callable[[], CpuRuntime]]:
    """The model for the CPU, read and checked, and how to load it. Raises ModelError."""
    name = config.model.name if config.inference.device == "cpu" else _select_model(config, "cpu")
    model = catalogue.read(name)
    if not model.verified and crashes_on_damage():
        check_model(model.path)
    size = config.model.size or (None if name == config.model.name else preferred_size(config.model.name))
    threads = config.inference.thread_count
    return model, partial(CpuRuntime, model.content, label=str(model.path), input_size=size, threads=threads)


def _open_edge_tpu(config: Config, cancelled: threading.Event | None = None) -> Network:
    wanted = config.inference
    # With "auto", do not even load libedgetpu on a machine without a Coral.
    optional = wanted.device == "auto" and wanted.library == edgetpu.LIBRARY
    if optional and not any(device.has_driver for device in edgetpu.devices()):
        raise edgetpu.absent()
    model = _edge_tpu_model(config)
    spec = Spec(model.name, edge_tpu_name(wanted.device), wanted.library, wanted.thread_count)
    tpu = EdgeTpuRuntime(model.content, spec, cancelled=cancelled)
    try:
        return Network(model, tpu, decoding(config, tpu))
    except ModelError:
        tpu.close()
        raise


def edge_tpu_name(device: str) -> str:
    """`inference.device` as libedgetpu calls it: "" for any, "usb", "pci:0"."""
    return device.removeprefix("auto").removeprefix("edgetpu").removeprefix(":")


def _edge_tpu_model(config: Config) -> catalogue.ModelFile:
    return catalogue.read(_select_model(config, "edgetpu"))


def _select_model(config: Config, device: Backend) -> str:
    return select_model(config.model.name, device, config.model.size)
