"""Which networks the configuration asks for."""

import threading
from pathlib import Path

import msgspec
import pytest

from edge.config import Config
from edge.inference import loading
from edge.inference.fallback import EdgeTpuOnly, Fallback, OneNetwork
from edge.models.strip_decoder import strip_decoder
from tests.support.delegate import StandIn, add_model
from tests.support.tiny_posenet import INPUT_SIZE, tiny_posenet
from tests.support.waiting import LONG_S


def config(**tables: dict[str, object]) -> Config:
    return msgspec.convert({"inference": {"threads": 2}, **tables}, Config)


@pytest.mark.parametrize("name", ["posenet", "tpu"])
def test_each_device_runs_its_own_model_whichever_one_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: StandIn, name: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    add_model(tmp_path, "tpu", strip_decoder(tiny_posenet(edge_tpu=True)), INPUT_SIZE)
    wanted = config(model={"name": name}, inference={"library": str(standin.library)})
    assert loading.open_network(wanted).model.name == "posenet"
    selector = loading.open_selector(wanted)
    assert isinstance(selector, Fallback)
    assert selector.selected.network.model.name == "posenet"
    selector.start(LONG_S, threading.Event())
    used = selector.selected.network
    assert (used.model.name, used.runtime.backend, used.runtime.input_size) == ("tpu", "edgetpu", INPUT_SIZE)
    selector.close()


@pytest.mark.parametrize("device", ["edgetpu", "edgetpu:usb"])
def test_a_named_edge_tpu_has_no_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: StandIn, device: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    add_model(tmp_path, "tpu", strip_decoder(tiny_posenet(edge_tpu=True)), INPUT_SIZE)
    wanted = config(inference={"device": device, "library": str(standin.library)})
    network = loading.open_network(wanted)
    assert (network.model.name, network.runtime.backend) == ("tpu", "edgetpu")
    network.runtime.close()
    selector = loading.open_selector(wanted)
    assert isinstance(selector, EdgeTpuOnly)
    selector.close()
    loading.check_edge_tpu(wanted)
    loads = [line.split(" load")[1].strip() for line in standin.loads]
    assert set(loads) == {"device=usb" if device == "edgetpu:usb" else ""}


def test_the_cpu_has_no_second_network() -> None:
    selector = loading.open_selector(config(inference={"device": "cpu"}))
    assert isinstance(selector, OneNetwork)
    assert loading.input_sizes(config(inference={"device": "cpu"}), selector.selected.network) == [(353, 481)]


@pytest.mark.parametrize(
    ("device", "wanted"), [("auto", ""), ("edgetpu", ""), ("edgetpu:usb", "usb"), ("edgetpu:pci:1", "pci:1")]
)
def test_devices_are_named_as_libedgetpu_names_them(device: str, wanted: str) -> None:
    assert loading.edge_tpu_name(device) == wanted
