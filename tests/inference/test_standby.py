"""A network on the CPU that is released and used again."""

import numpy as np

from edge.inference.standby import Standby
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue
from edge.service.health import rss_mb, trim_memory

SIZE = (353, 481)


def load() -> CpuRuntime:
    return CpuRuntime(catalogue.read("posenet").content, label="", input_size=SIZE, threads=1)


def test_it_computes_the_same_after_it_was_released() -> None:
    loads: list[CpuRuntime] = []

    def counted() -> CpuRuntime:
        loads.append(load())
        return loads[-1]

    standby, plain = Standby(counted), load()
    assert (standby.name, standby.backend, standby.input_size) == (plain.name, "cpu", SIZE)
    assert standby.output_shapes == plain.output_shapes
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    for released in range(3):
        for one in (standby, plain):
            one.input()[:] = picture
            one.invoke()
        for name, tensor in plain.outputs().items():
            assert np.array_equal(tensor.data, standby.outputs()[name].data)
        assert len(loads) == released + 1
        standby.release()
        standby.release()


def test_releasing_frees_memory() -> None:
    standby = Standby(load)
    standby.input()[:] = 0
    standby.invoke()
    before = rss_mb()
    standby.release()
    trim_memory()
    after = rss_mb()
    assert before is not None
    assert after is not None
    assert after < before - 4
