"""List the known models, and verify those on the device."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge.cli.app import app
from edge.models import catalogue
from edge.models.importing import import_model
from edge.models.listing import list_models, verify
from tests.support.model_host import NAME
from tests.support.tiny_posenet import tiny_posenet


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments])


def listed() -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads(command("list", "--json").stdout)}


def verified() -> dict[str, tuple[bool, str]]:
    return {model["name"]: (model["ok"], model["detail"]) for model in json.loads(command("verify", "--json").stdout)}


@pytest.mark.usefixtures("publishing")
def test_models_that_can_be_downloaded_are_listed(own: Path) -> None:
    models = listed()
    assert (models[NAME]["ok"], models[NAME]["folder"], models["posenet"]["ok"]) == (None, None, True)
    done = command("list")
    assert "edge-pose models fetch tiny" in done.stdout
    assert done.exit_code == 0
    command("fetch", NAME)
    assert (listed()[NAME]["ok"], listed()[NAME]["folder"]) == (True, str(own))


@pytest.mark.usefixtures("publishing")
def test_a_damaged_model_is_listed_with_its_problem(own: Path) -> None:
    command("fetch", NAME)
    (own / "tiny.tflite").write_bytes(b"")
    (tiny,) = (model for model in list_models() if model.name == NAME)
    assert tiny.problem is not None
    assert "is damaged" in tiny.problem.problem
    assert listed()[NAME]["problem"] == tiny.problem.text
    assert command("list").exit_code == 1


@pytest.mark.usefixtures("publishing")
def test_undamaged_models_are_verified(own: Path) -> None:
    command("fetch", NAME)
    models = verified()
    assert list(models) == ["posenet", "tiny"]
    assert all(ok and "runs on" in detail for ok, detail in models.values())
    assert command("verify").exit_code == 0
    assert own.exists()


@pytest.mark.usefixtures("publishing")
def test_verifying_a_damaged_model_names_the_command_that_restores_it(own: Path) -> None:
    command("fetch", NAME)
    file = own / "tiny.tflite"
    content = file.read_bytes()
    for damaged in (content[:-1], b"", bytes(len(content))):
        file.write_bytes(damaged)
        ok, detail = verified()[NAME]
        assert not ok
        assert detail.endswith("edge-pose models fetch tiny")
    file.unlink()
    assert "No such file" in verified()[NAME][1]
    refused = command("verify")
    assert refused.exit_code == 78
    assert "edge-pose models fetch tiny" in refused.stdout


@pytest.mark.usefixtures("publishing")
def test_a_model_that_cannot_run_fails_the_verification(own: Path) -> None:
    command("fetch", NAME)
    file, index = own / "tiny.tflite", own / "catalogue.toml"
    content = file.read_bytes()
    useless = content.replace(b"heatmaps", b"warmmaps")
    file.write_bytes(useless)
    text = index.read_text()
    index.write_text(text.replace(hashlib.sha256(content).hexdigest(), hashlib.sha256(useless).hexdigest()))
    assert "warmmaps [3, 4, 17]" in verified()[NAME][1]


def test_a_broken_catalogue_fails_the_verification(own: Path) -> None:
    own.mkdir(parents=True)
    (own / "catalogue.toml").write_text("[tiny")
    results = {model.name: model.ok for model in verify(lambda *_: "a runtime")}
    assert results == {**dict.fromkeys(catalogue.entries(), True), str(own): False}


@pytest.mark.usefixtures("own")
def test_a_model_for_the_edge_tpu_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "tpu.tflite"
    file.write_bytes(tiny_posenet(edge_tpu=True))
    ran: list[str] = []

    def check(_file: Path, label: str) -> str:
        ran.append(label)
        return "a runtime"

    import_model(file, None, check)
    shipped = catalogue.entries()
    assert {model.name: model.ok for model in verify(check)} == dict.fromkeys([*shipped, "tpu"], True)
    assert len(ran) == len(shipped)
