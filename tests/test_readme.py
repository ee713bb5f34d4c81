"""What the README claims."""

import json
import re
from pathlib import Path

import jsonschema

from edge.mqtt.messages import PAYLOADS, schemas
from edge.scenes.scenes import SCENES
from tests.cli.test_app import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    examples = re.findall(r"<!-- example -->\n```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own text


def test_the_message_is_one() -> None:
    (message,) = re.findall(r"<!-- message: keypoints -->\n```json\n(.*?)```", README, re.DOTALL)
    jsonschema.validate(json.loads(message), schemas()["keypoints"])


def test_it_names_every_topic_command_and_scene() -> None:
    for name in [*PAYLOADS, "status"]:
        assert f"| `{name}` |" in README
    for command in COMMANDS:
        assert f"`edge-pose {command}" in README
    for scene in SCENES:
        assert f"`{scene}`" in README


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    headings = {"#" + line.lower().strip("# ").replace(" ", "-") for line in README.splitlines() if line[:2] == "##"}
    links = [link for link in links if link not in headings]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^    |`)make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
