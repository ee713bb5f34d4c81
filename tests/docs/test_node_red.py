"""The flow and the commands of docs/node-red.md."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.config.settings import SETTINGS
from edge.mqtt.commands import REQUESTS
from edge.mqtt.topics import CHANNELS, Topics
from tests.docs.pages import Page
from tests.support.brokers import LOOPBACK, Mosquitto, free_port, mosquitto_sub, publish
from tests.support.cache import CACHE, cached
from tests.support.contract import channel_of
from tests.support.waiting import until

pytestmark = pytest.mark.broker
NODE_RED = "node-red@4"
PAGE = Page("docs/node-red.md")
BROKER = "192.168.1.10"
MESSAGES = {block.mark.removeprefix("message: "): block.text for block in Page("docs/mqtt.md").blocks}
COMMANDS = [
    line.split("#")[0].strip() for line in PAGE.commands if line.startswith(("mosquitto_sub ", "mosquitto_pub "))
]
Start = Callable[..., Mosquitto]


def flow() -> list[dict[str, Any]]:
    (block,) = [block for block in PAGE.blocks if block.mark == "flow"]
    nodes: list[dict[str, Any]] = json.loads(block.text)
    return nodes


def test_the_nodes_of_the_flow_are_connected_and_listen_to_topics_of_the_contract() -> None:
    nodes = {node["id"]: node for node in flow()}
    assert len(nodes) == len(flow())
    for node in nodes.values():
        assert node.get("z", "edge_pose") in nodes
        assert {target for wires in node.get("wires", []) for target in wires} <= nodes.keys()
        if node["type"] == "mqtt in":
            assert channel_of(node["topic"].replace("+", "hall"))[0] in CHANNELS


@pytest.fixture(scope="module")
def node_red() -> Path:
    """The script that runs Node-RED."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NODE AND NPM ARE NOT INSTALLED, so the flow is not run: run: apt-get install nodejs npm")

    def install(folder: Path) -> None:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(CACHE / "npm")]
        done = subprocess.run(
            ["npm", "install", *options, NODE_RED], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"NPM CANNOT INSTALL {NODE_RED}, so the flow is not run: {done.stderr[-300:]}")

    return cached("node-red", NODE_RED, install) / "node_modules/node-red/red.js"


@contextmanager
def running(script: Path, folder: Path, nodes: list[dict[str, Any]]) -> Iterator[Callable[[], str]]:
    """Run Node-RED with a flow; gives a function that returns what it has printed."""
    (folder / "flows.json").write_text(json.dumps(nodes), encoding="utf-8")
    settings = {"uiHost": LOOPBACK, "uiPort": free_port(), "flowFile": "flows.json", "telemetry": {"enabled": False}}
    (folder / "settings.js").write_text(f"module.exports = {json.dumps(settings)}", encoding="utf-8")
    printed = folder / "printed"
    with printed.open("wb") as out:
        process = subprocess.Popen(["node", script, "-u", folder], stdout=out, stderr=out)
    try:
        yield lambda: printed.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


def test_node_red_shows_falls_and_sensors_that_are_offline(mosquitto: Start, node_red: Path, tmp_path: Path) -> None:
    broker, picture = mosquitto(), tmp_path / "fall.png"
    text = json.dumps(flow())
    for old, new in ((f'"{BROKER}"', f'"{LOOPBACK}"'), ('"1883"', f'"{broker.port}"'), ("/tmp/fall.png", str(picture))):  # noqa: S108
        assert old in text
        text = text.replace(old, new)
    topics = Topics("edge-pose", "hall")
    with (
        mosquitto_sub(broker.port, "edge-pose/hall/request/#", tmp_path / "requests", "-v") as requests,
        running(node_red, tmp_path, json.loads(text)) as printed,
    ):
        publish(broker.port, topics.status, "offline", "-r")
        until(lambda: "hall: the sensor is offline" in printed())  # so it has subscribed
        for event_type in ("suspected", "confirmed", "still_down", "cleared"):
            publish(
                broker.port,
                topics.event("fall"),
                json.dumps(json.loads(MESSAGES["event"]) | {"event_type": event_type}),
            )
        until(lambda: "hall: the fall was cleared at " in printed())
        assert re.findall(r"a person fell at .*\((.*)\)", printed()) == [
            ", ".join(json.loads(MESSAGES["event"])["reasons"])
        ]
        until(requests)
        assert requests() == ["edge-pose/hall/request/snapshot {}"]
        publish(broker.port, topics.snapshot, "drawing")
        until(lambda: picture.exists() and picture.read_bytes() == b"drawing")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_work_when_they_are_pasted(mosquitto: Start, tmp_path: Path, command: str) -> None:
    port, topics = mosquitto().port, Topics("edge-pose", "hall")
    assert f" -h {BROKER} " in command
    if "| jq " in command and shutil.which("jq") is None:
        pytest.skip("JQ IS NOT INSTALLED: run: apt-get install jq")
    local = command.replace(BROKER, f"{LOOPBACK} -p {port}").replace("mosquitto_sub", "mosquitto_sub -C 1 -W 60")
    for topic, payload in (("status", "online"), ("state", MESSAGES["state"]), ("event/fall", MESSAGES["event"])):
        publish(port, topics.below(topic), payload.replace("\n", " "), "-r")
    with mosquitto_sub(port, "edge-pose/+/+/+", tmp_path / "sent", "-F", "%t %r") as sent:
        shown = subprocess.run(local, shell=True, check=True, capture_output=True, text=True).stdout  # noqa: S602
        if command.startswith("mosquitto_pub"):
            until(lambda: f"{command.split()[4]} 0" in sent())
            _, _, kind, name = command.split()[4].split("/")
            assert name in {"set": SETTINGS, "request": REQUESTS}[kind]
        else:
            assert len(shown.splitlines()) == 1
            assert shown.strip() not in {"", "null", "null: "}
