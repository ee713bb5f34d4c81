"""Which network the configuration asks for, and which decoder goes with it."""

import threading
from pathlib import Path

import msgspec
import pytest

from edge.config import Config
from edge.errors import ModelError
from edge.inference import loading
from edge.models.strip_decoder import strip_decoder
from tests.support.delegate import StandIn, add_model
from tests.support.tiny_posenet import INPUT_SIZE, tiny_posenet


def config(**tables: dict[str, object]) -> Config:
    return msgspec.convert({"inference": {"threads": 2}, **tables}, Config)


def test_a_model_that_cannot_tell_people_apart_is_for_one_person() -> None:
    class OnePersonOnly:
        name, backend, input_size = "one", "cpu", (353, 481)
        output_shapes = {"heatmaps": (23, 31, 17), "short_offsets": (23, 31, 34)}  # noqa: RUF012 - as a Runtime has it

    with pytest.raises(ModelError, match=r'decode\.mode: .*"single"'):
        loading.open_decoder(config(), OnePersonOnly())  # type: ignore[arg-type]
    loading.open_decoder(config(decode={"mode": "single"}), OnePersonOnly())  # type: ignore[arg-type]


def test_auto_and_a_model_for_the_edge_tpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: StandIn) -> None:
    """Whichever of the two is named: on the CPU runs the one for the CPU, on the Edge TPU the other."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    add_model(tmp_path, "tpu", strip_decoder(tiny_posenet(edge_tpu=True)), INPUT_SIZE)
    for name in ("posenet", "tpu"):
        wanted = config(model={"name": name}, inference={"library": str(standin.library)})
        assert loading.open_model(wanted)[0].name == "posenet"
        failover = loading.open_failover(wanted, loading.find_accelerator(wanted))
        assert failover.state.loaded.model.name == "posenet"
        failover.try_accelerator(60, threading.Event())
        state = failover.state
        assert (state.loaded.model.name, state.loaded.network.runtime.input_size) == ("tpu", INPUT_SIZE)
        failover.close()
        for device in ("edgetpu", "edgetpu:usb"):
            always = config(model={"name": name}, inference={"device": device, "library": str(standin.library)})
            model, tpu = loading.open_model(always)
            assert (model.name, tpu.backend) == ("tpu", "edgetpu")
            tpu.close()


@pytest.mark.parametrize(
    ("device", "wanted"), [("auto", ""), ("edgetpu", ""), ("edgetpu:usb", "usb"), ("edgetpu:pci:1", "pci:1")]
)
def test_devices_as_libedgetpu_calls_them(device: str, wanted: str) -> None:
    assert loading._edge_tpu(config(inference={"device": device})) == wanted
