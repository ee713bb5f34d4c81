"""The schemas and the AsyncAPI document under docs/ are current, and tools can read them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.config import Config
from edge.config.settings import SETTINGS, is_switch, parse, value_of, with_values
from edge.errors import ConfigError
from edge.mqtt.asyncapi import document, text_schemas
from edge.mqtt.commands import KINDS
from edge.mqtt.topics import CHANNELS, Topics
from tests.docs.pages import blocks
from tests.support import ROOT
from tests.support.cache import CACHE, cached
from tests.support.contract import channel_of
from tests.support.sensor import run_edge

PARSER = "@asyncapi/parser@3.6.6"
PARSE = """
import { readFileSync } from 'node:fs'
import { Parser } from '@asyncapi/parser'
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'))
const channels = document?.allChannels().all().map((channel) => channel.address())
console.log(JSON.stringify({ channels, diagnostics }))
"""
WARNING = 1  # and 0 is an error
MESSAGES = {
    block.mark.removeprefix("message: "): block.text for block in blocks("json") if block.page == "docs/mqtt.md"
}


def test_the_files_under_docs_are_current(tmp_path: Path) -> None:
    """Otherwise run: edge-pose schema --write docs."""
    assert run_edge("schema", "--write", str(tmp_path)).returncode == 0
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")}
    assert written == {
        path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.json") if path.parent.name != "monitoring"
    }
    for path in written:
        assert (ROOT / "docs" / path).read_text() == (tmp_path / path).read_text(), path


def test_the_document_is_printed_and_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    assert json.loads(run_edge("schema", "--asyncapi").stdout) == document()
    (tmp_path / "schema").write_text("")
    refused = run_edge("schema", "--write", str(tmp_path))
    assert refused.returncode == 2
    assert "--write" in refused.stderr


@pytest.fixture(scope="module")
def parsed() -> Any:
    """What AsyncAPI's parser says about the document."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NODE AND NPM ARE NOT INSTALLED, so AsyncAPI's parser is not run: run: apt-get install nodejs npm")

    def install(folder: Path) -> None:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(CACHE / "npm")]
        command = ["npm", "install", *options, PARSER]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"NPM CANNOT INSTALL {PARSER}, so AsyncAPI's parser is not run: {done.stderr[-300:]}")
        (folder / "parse.mjs").write_text(PARSE, encoding="utf-8")

    folder = cached("asyncapi-parser", PARSER + PARSE, install)
    script, file = folder / "parse.mjs", ROOT / "docs/asyncapi.json"
    done = subprocess.run(["node", script, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_official_parser_finds_neither_errors_nor_warnings(parsed: Any) -> None:
    assert [one for one in parsed["diagnostics"] if one["severity"] <= WARNING] == []
    assert parsed["channels"] == [channel["address"] for channel in document()["channels"].values()]


def test_every_topic_of_a_sensor_is_in_the_document() -> None:
    topics = Topics("edge-pose", "hall")
    commands = [topics.command(kind, "x") for kind in KINDS]
    for topic in (
        *topics.all,
        *topics.retained,
        topics.snapshot,
        *commands,
        topics.response("ping"),
        topics.event("fall"),
    ):
        name, _ = channel_of(topic)
        address = document()["channels"][name]["address"].format(
            base_topic="edge-pose", device_id="hall", **dict.fromkeys(("rule", "setting", "request"), "")
        )
        assert topic.startswith(address)


def test_the_sensor_receives_commands_and_sends_everything_else() -> None:
    operations = document()["operations"]
    assert {name for name in CHANNELS if operations[name]["action"] == "receive"} == set(KINDS)
    assert all("reply" in operations[name] for name in KINDS)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_messages_of_the_page_follow_the_document(name: str) -> None:
    """Its schemas are a translation of those in docs/schema."""
    api = document()
    message = api["channels"][name.partition("/")[0]]["messages"][name.replace("/", "_")]
    content = json.loads(MESSAGES[name])
    jsonschema.Draft7Validator(api | message["payload"]).validate(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(api | message["payload"]).validate(content | {"v": 2, "transaction": {}})


@pytest.mark.parametrize("name", [name for name in SETTINGS if not is_switch(name)])
def test_the_limits_in_the_document_are_those_of_the_configuration(name: str) -> None:
    schema = text_schemas("set")[name]
    for limit, step in ((schema["x-minimum"], -0.01), (schema["x-maximum"], 0.01)):
        assert value_of(with_values(Config(), {name: limit}), name) == limit
        with pytest.raises(ConfigError):
            with_values(Config(), {name: limit + step})


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("text", ["ON", "off", "1", "+1.5", "1e3", "nan", "", "1.", ".5", "ONE", "٣", "o\ufb00"])
def test_the_sensor_understands_the_texts_that_the_document_allows(name: str, text: str) -> None:
    allowed = jsonschema.Draft7Validator(text_schemas("set")[name]).is_valid(text)
    try:
        parse(name, text)
    except ConfigError:
        assert not allowed
    else:
        assert allowed
