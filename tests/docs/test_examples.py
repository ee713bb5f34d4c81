"""The examples of the documentation are executed."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import msgspec
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge.config import Config, load
from edge.homeassistant.components import component
from edge.homeassistant.entities import entities_of
from edge.mqtt.topics import Topics, schemas
from edge.recording.format import schema as schema_of_recording
from edge.recording.read import Flaw, observations
from tests.docs.pages import Block, Page, blocks
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import run_edge

ZONE = {"points": [[0, 0], [1, 0], [1, 1]]}
BROKER = '"192.168.1.10", 1883'
EXAMPLES = [block for block in blocks("python") if block.mark == "example"]
MESSAGES = [block for block in blocks("json") if block.mark.startswith("message: ")]


def name(block: Block) -> str:
    return f"{block.page}: {block.mark}"


def test_no_example_is_left_out() -> None:
    untested = [block for block in (*blocks("python"), *blocks("json")) if block not in (*EXAMPLES, *MESSAGES)]
    # These have tests of their own.
    assert {name(block) for block in untested} == {
        "README.md: example: subscriber",
        "docs/mqtt.md: example: events",
        "docs/node-red.md: flow",
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_python_examples_run(example: Block) -> None:
    exec(compile(example.text, example.page, "exec"), {})  # noqa: S102 - our own text


@pytest.mark.parametrize("message", MESSAGES, ids=name)
def test_messages_follow_their_schema(message: Block) -> None:
    schema = schemas()[message.mark.removeprefix("message: ")]
    jsonschema.validate(json.loads(message.text), schema)


def test_the_example_of_a_recording_can_be_read(tmp_path: Path) -> None:
    (example,) = [block.text for block in blocks("jsonl")]
    for line in example.splitlines():
        jsonschema.validate(json.loads(line), schema_of_recording())
    file, flaws = tmp_path / "hall-000001.jsonl", list[Flaw]()
    file.write_text(example, encoding="utf-8")
    assert [seen.sequence for seen in observations(file, flaws.append)] == [1234, 1235]
    assert [flaw.line for flaw in flaws] == [5]  # the gap


@pytest.mark.parametrize("example", blocks("toml"), ids=name)
def test_toml_examples_load(example: Block, tmp_path: Path) -> None:
    file = tmp_path / "edge-pose.toml"
    file.write_text(example.text, encoding="utf-8")
    (tmp_path / "password").write_text("s3cret")
    tables = tomllib.loads(example.text)
    environ = {} if "host" in tables.get("mqtt", {}) else {"EDGE_POSE_MQTT__HOST": LOOPBACK}
    load(file, environ | {"EDGE_POSE_WEB__PASSWORD_FILE": str(tmp_path / "password")})


def test_a_wrong_key_is_reported_as_shown(tmp_path: Path) -> None:
    file = tmp_path / "edge-pose.toml"
    file.write_text("[camera]\nfsp = 30\n", encoding="utf-8")
    shown = Page("docs/configuration.md").section("Strict reading").replace("/etc/edge-pose/edge-pose.toml", str(file))
    assert run_edge("run", "--config", str(file)).stderr in shown


@pytest.mark.parametrize(
    ("mark", "topic", "printed"),
    [
        ("README.md: example: subscriber", "keypoints", "person 3 raises the left hand\n"),
        ("docs/mqtt.md: example: events", "state", "hall people: 2\n"),
        ("docs/mqtt.md: example: events", "event/fall", "hall fall confirmed - torso 78 degrees from upright, "),
    ],
)
def test_the_subscribers_print_the_messages_of_their_page(
    mosquitto: Callable[..., Mosquitto], tmp_path: Path, mark: str, topic: str, printed: str
) -> None:
    broker = mosquitto()
    (script,) = [block for block in blocks("python") if name(block) == mark]
    message = f"{script.page}: message: {topic.partition('/')[0]}"
    (payload,) = [block.text for block in blocks("json") if name(block) == message]
    assert BROKER in script.text
    file = tmp_path / "subscriber.py"
    file.write_text(script.text.replace(BROKER, f'"{LOOPBACK}", {broker.port}'), encoding="utf-8")
    publisher = Client(CallbackAPIVersion.VERSION2)
    publisher.connect(LOOPBACK, broker.port)
    publisher.loop_start()
    # Retained, so that it does not matter which of the two connects first.
    publisher.publish(f"edge-pose/hall/{topic}", payload, retain=True).wait_for_publish(10)
    with subprocess.Popen([sys.executable, file], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(printed)
        finally:
            process.kill()
    publisher.loop_stop()


def test_every_automation_is_tested_with_entities_that_exist() -> None:
    examples = [block for block in Page("docs/home-assistant.md").blocks if block.language == "yaml"]
    tested = (ROOT / "tests/homeassistant/test_automations.py").read_text(encoding="utf-8")
    assert {f'automation("{block.mark.removeprefix("automation: ")}"' in tested for block in examples} == {True}
    config = msgspec.convert({"device": {"id": "hall"}, "zones": [ZONE | {"name": "bed"}]}, Config)
    topics = Topics(config.mqtt.base_topic, "hall")
    existing = {component(entity, topics, "hall")["default_entity_id"] for entity in entities_of(config)}
    for block in examples:
        named = set(re.findall(r"\b(?:binary_sensor|sensor|event|image|switch|number|button)\.hall_\w+", block.text))
        assert named
        assert named <= existing
