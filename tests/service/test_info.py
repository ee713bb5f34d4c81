"""`info` has what is known, and null for the rest."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.config import Config
from edge.errors import CameraError, ModelError
from edge.inference.accelerator import Loaded
from edge.inference.fallback import Failover
from edge.models.catalogue import ModelFile
from edge.mqtt.messages import Topics, schemas
from edge.pipeline.pipeline import Network
from edge.service.info import Profile
from tests.support.fakes import ListSource, PaintedRuntime, blank_frame

PARTS = ("model", "runtime", "backend", "camera")


def said(profile: Profile, error: Exception | None = None) -> dict[str, Any]:
    info: dict[str, Any] = json.loads(profile.message(error).payload)
    jsonschema.validate(info, schemas()["info"])
    return info


def test_what_is_not_known_is_null_until_it_is() -> None:
    profile = Profile(Config(), Topics("edge-pose", "test"))
    assert [said(profile)[part] for part in PARTS] == [None] * 4
    model = ModelFile("posenet", Path("posenet.tflite"), "0" * 64, b"", verified=True)
    network = Network(PaintedRuntime({}, (353, 481)), lambda _: pytest.fail("nothing is decoded here"))
    profile.failover = Failover(Loaded(model, network), "because")
    assert said(profile)["backend"] == {"name": "cpu", "reason": "because"}
    assert said(profile)["model"]["input_size"] == [353, 481]
    assert said(profile)["camera"] is None
    profile.source = ListSource([])
    assert (said(profile)["camera"]["source"], said(profile)["camera"]["frame"]) == ("list", None)
    profile.frame = blank_frame(0)
    assert said(profile)["camera"]["frame"] == {"width": 640, "height": 480}


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (None, None),
        (ModelError("model.name: mend it"), "model.name: mend it; the sensor stays off until that is mended and "),
        (
            CameraError("camera.source: plug it in"),
            "camera.source: plug it in; the sensor has ended, and under ",
        ),
        (KeyError("of\nours"), "an error that nobody foresaw (KeyError: 'of\\nours'); report it with "),
    ],
)
def test_a_problem_says_what_to_do_and_what_happens_next(error: Exception | None, problem: str | None) -> None:
    told = said(Profile(Config(), Topics("edge-pose", "test")), error)["problem"]
    assert told == problem if problem is None else told.startswith(problem)
