"""Open the second network, or say why there is none."""

import logging
import os
import sys
from dataclasses import dataclass

from edge.config import Config
from edge.decode.families import Options, family_of, open_decoder
from edge.errors import ModelError
from edge.inference.network import Network
from edge.inference.tflite import CpuRuntime, crashes_on_damage
from edge.models import catalogue

log = logging.getLogger(__name__)

MODEL = "movenet-multipose"
FLOAT_MODEL = "movenet-multipose-float16"  # for tflite-runtime, which runs the quantised one several times slower
FIRST_FAMILY = "posenet"  # the networks that the second one completes
MIN_MEMORY_MB = 900  # of the device; the second network needs about 20


@dataclass(frozen=True, slots=True, eq=False)
class SecondOpinion:
    """The second network, if there is one."""

    network: Network | None
    reason: str  # why it is used, or why there is none


def open_second_opinion(config: Config, first: Network) -> SecondOpinion:
    """Load the second network if `first`, this device and the configuration allow it.

    A missing or damaged model never stops the sensor: it is logged, and becomes the reason.
    """
    reason = _why_not(config, first)
    if reason is not None:
        return SecondOpinion(None, reason)
    try:
        model = catalogue.read(FLOAT_MODEL if crashes_on_damage() else MODEL)
        runtime = CpuRuntime(
            model.content, label=str(model.path), input_size=None, threads=config.inference.thread_count
        )
        decoding = open_decoder(runtime.output_shapes, runtime.input_size, Options(max_poses=config.max_poses))
    except ModelError as exc:
        log.warning("there is no second opinion: %s", exc)
        return SecondOpinion(None, str(exc))
    return SecondOpinion(Network(model, runtime, decoding), 'people.second_opinion = "auto"')


def _why_not(config: Config, first: Network) -> str | None:
    if config.people.second_opinion == "off":
        return 'people.second_opinion = "off"'
    if family_of(first.runtime.output_shapes).name != FIRST_FAMILY:
        return f"{first.model.name} needs none"
    if config.decode.mode == "single":
        return 'decode.mode = "single"'
    if sys.maxsize < 2**32:
        return "this system is 32-bit"
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    if memory_mb < MIN_MEMORY_MB:
        return f"this device has only {memory_mb} MB of memory"
    return None
