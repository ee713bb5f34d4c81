"""The parts of `info` that are not known yet are null."""

from typing import Any

import jsonschema
import msgspec
import pytest

from edge.config import Config
from edge.errors import CameraError, ModelError
from edge.inference.fallback import OneNetwork
from edge.mqtt.topics import schemas
from edge.service.info import Facts, assemble
from tests.support.fakes import ListSource, PaintedRuntime, blank_frame
from tests.support.pipelines import network_of

PARTS = ("model", "runtime", "backend", "camera")


def published(facts: Facts, error: Exception | None = None) -> dict[str, Any]:
    info: dict[str, Any] = msgspec.to_builtins(assemble(facts, error))
    jsonschema.validate(msgspec.json.decode(msgspec.json.encode(info)), schemas()["info"])
    return info


def test_unknown_parts_are_null() -> None:
    facts = Facts(Config())
    assert [published(facts)[part] for part in PARTS] == [None] * 4
    network = network_of(PaintedRuntime({}, (353, 481)), lambda _: pytest.fail("nothing is decoded"), name="posenet")
    facts.selector = OneNetwork(network, "cpu")
    info = published(facts)
    assert info["backend"] == {"name": "cpu", "code": "configured", "reason": "inference.device = cpu"}
    assert (info["model"]["name"], tuple(info["model"]["input_size"])) == ("posenet", (353, 481))
    assert info["camera"] is None
    facts.source = ListSource([])
    assert (published(facts)["camera"]["source"], published(facts)["camera"]["frame"]) == ("list", None)
    facts.frame = blank_frame(0)
    assert published(facts)["camera"]["frame"] == {"width": 640, "height": 480}


@pytest.mark.parametrize(
    ("error", "start", "end"),
    [
        (ModelError("model.name", "it is damaged", "fetch it again"),
         "model.name: it is damaged; fetch it again; ",
         "the sensor stays off until you fix it and restart the service"),
        (CameraError("camera.source", "it is silent", "plug it in"),
         "camera.source: it is silent; plug it in; ",
         "the sensor has stopped, and systemd restarts it after a few seconds"),
        (KeyError("of\nours"), "unexpected error (KeyError: 'of\\nours'); report it with ",
         "the sensor has stopped, and systemd restarts it after a few seconds"),
    ],
)  # fmt: skip
def test_a_problem_names_the_remedy_and_what_happens_next(error: Exception, start: str, end: str) -> None:
    problem = published(Facts(Config()), error)["problem"]
    assert problem.startswith(start)
    assert problem.endswith(end)


def test_a_working_sensor_has_no_problem() -> None:
    assert published(Facts(Config()))["problem"] is None
