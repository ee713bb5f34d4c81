"""The documentation is complete, and what it names exists."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
from PIL import Image

from edge import __version__
from edge.camera import SOURCES
from edge.cli.app import app
from edge.config import Config, Line, Zone
from edge.config.settings import SETTINGS, is_switch, limits_of
from edge.errors import ReasonCode
from edge.homeassistant.entities import entities_of
from edge.mqtt.answers import ANSWERS
from edge.mqtt.commands import KINDS, REQUESTS
from edge.mqtt.topics import CHANNELS, MISSED_HEARTBEATS, PAYLOADS, Channel
from edge.recording.format import Cleared, End, FrameLine, Gap, Header, Resumed
from edge.rules.aim import VERDICTS
from edge.rules.values import EVENT_TYPES
from edge.scenes.scenes import SCENES
from edge.skeleton import PARTS
from tests.docs.pages import Page, pages
from tests.support import ROOT
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import run_edge

CONFIGURATION, MQTT, COMMANDS = Page("docs/configuration.md"), Page("docs/mqtt.md"), Page("docs/commands.md")
ARRAYS: dict[str, type[msgspec.Struct]] = {"zones": Zone, "lines": Line}
PAGE_IDS = [page.name for page in pages()]


def keys(tables: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """Every configuration key with its default."""
    for name, value in tables.items():
        if isinstance(value, dict) and value:
            yield from keys(value, f"{start}{name}.")
        elif f"{start}{name}" not in ARRAYS:
            yield start + name, value


def array_keys() -> dict[str, Any]:
    """Every key of the arrays of tables with its default; None if it is required."""
    return {
        f"{name}.{field.encode_name}": None if field.required else field.default
        for name, table in ARRAYS.items()
        for field in msgspec.structs.fields(table)
    }


def options() -> dict[str, set[str]]:
    """Every command, such as "models fetch", and its options."""

    def of(command: Any, start: str = "") -> Iterator[tuple[str, set[str]]]:
        for name, one in command.commands.items():
            if hasattr(one, "commands"):
                yield from of(one, f"{start}{name} ")
            else:
                yield start + name, {option for parameter in one.params for option in parameter.opts} | {"--help"}

    return dict(of(typer.main.get_command(app)))


def test_every_verdict_about_the_aim_is_documented() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", Page("docs/page.md").section("Aim the camera"), re.MULTILINE)
    assert [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)] == list(VERDICTS)


def test_every_key_is_documented_with_its_default() -> None:
    text = CONFIGURATION.text.replace(CONFIGURATION.section("Renamed keys"), "")
    rows = dict(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \| `([^`]*)` \|", text, re.MULTILINE))
    documented = {key: tomllib.loads(f"value = {value}")["value"] for key, value in rows.items()}
    required = set(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \| required \|", text, re.MULTILINE))
    defaults = dict(keys(msgspec.json.decode(msgspec.json.encode(Config())))) | array_keys()
    assert documented == {key: value for key, value in defaults.items() if value is not None}
    assert required == {key for key, value in defaults.items() if value is None}


def shown(channel: Channel) -> str:
    """The topic of a channel as in docs/mqtt.md."""
    return channel.topic.replace("{setting}", "<name>").replace("{", "<").replace("}", ">")


@pytest.mark.parametrize("name", CHANNELS)
def test_every_topic_is_documented_as_it_is_sent(name: str) -> None:
    channel = CHANNELS[name]
    assert MQTT.section("set and setting" if name in {"set", "setting"} else name)
    assert f"`{shown(channel)}`" in Page("README.md").section("What it publishes")
    if name in KINDS:
        assert f"| `{shown(channel)}` |" in MQTT.text
        return
    expiry = "never" if channel.expiry_s is None else f"{channel.expiry_s} s"
    if channel.expires_unrepeated:
        expiry = f"{MISSED_HEARTBEATS} × `mqtt.heartbeat_s`"
    retained = "yes" if channel.retain else "no"
    kind = "JSON" if channel.payload else "PNG" if name == "snapshot" else "plain text"
    assert f"| `{shown(channel)}` | {retained} | {channel.qos} | {expiry} | {kind} |" in MQTT.text


def test_every_setting_and_request_is_documented() -> None:
    for name, key in SETTINGS.items():
        values = "`ON`, `OFF`" if is_switch(name) else "{:g} to {:g}".format(*limits_of(name))
        assert f"| `{name}` | `{key}` | {values} |" in MQTT.section("set and setting")
    documented = re.findall(r"^\| `(\w+)` \|", MQTT.section("request").partition("field")[0], re.MULTILINE)
    assert documented == list(REQUESTS)


def test_every_phase_is_documented() -> None:
    for rule, phases in EVENT_TYPES.items():
        (row,) = re.findall(rf"^\| \[`event/{rule}`\]\S+ \| (.*) \|$", MQTT.section("event"), re.MULTILINE)
        assert re.findall(r"`(\w+)`", row) == list(phases)


@pytest.mark.parametrize("topic", PAYLOADS)
def test_every_field_is_documented(topic: str) -> None:
    assert set(_undocumented(PAYLOADS[topic], MQTT.section(topic))) == set()


@pytest.mark.parametrize("request_", ANSWERS)
def test_every_field_of_an_answer_is_documented(request_: str) -> None:
    (data,) = get_args(ANSWERS[request_])
    assert set(_undocumented(data, MQTT.section(f"request/{request_}"))) == set()


def _undocumented(payload: Any, section: str) -> Iterator[str]:
    for field in msgspec.structs.fields(payload):
        if not re.search(rf'`(?:\w+\.)*{field.name}(?:\.\w+)*`|"{field.name}":', section):
            yield field.name
        for inner in _structs(field.type):
            yield from _undocumented(inner, section)


@pytest.mark.parametrize("line", [Header, FrameLine, Gap, End, Cleared, Resumed])
def test_every_field_of_a_recording_is_documented(line: Any) -> None:
    section = Page("docs/recording.md").section(line.__struct_config__.tag)
    for field in msgspec.structs.fields(line):
        assert f"| `{field.name}` |" in section, field.name


def _structs(kind: Any) -> Iterator[Any]:
    """The Structs in a type such as `tuple[PoseOut, ...]` or `ModelOut | None`."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for argument in getattr(kind, "__args__", ()):
        yield from _structs(argument)


def test_every_entity_of_home_assistant_is_documented() -> None:
    table = Page("docs/home-assistant.md").section("Entities")
    documented = Counter(
        (name, kind) for names, kind in re.findall(r"^\| ([A-Z][^|]*) \| ([^|]*) \|", table, re.MULTILINE)
        for name in names.split(", ")
    )  # fmt: skip
    zone = {"name": "bed", "points": [[0, 0], [1, 0], [1, 1]]}
    line = {"name": "door", "from": [0, 0], "to": [1, 1]}
    page = {"web": {"enabled": True}, "privacy": {"allow_pictures": True}}
    everything = msgspec.convert({"device": {"id": "hall"}, "zones": [zone], "lines": [line], **page}, Config)
    named = {"", "enum", "duration", "temperature", "restart"}  # kinds that say nothing beyond the value
    assert documented == Counter(
        (
            entity.name,
            entity.platform.replace("_", " ")
            + ("" if entity.device_class in named else f", {entity.device_class}")
            + ("" if entity.enabled else ", disabled"),
        )
        for entity in entities_of(everything)
    )


@pytest.mark.parametrize("command", options())
def test_every_command_and_option_is_documented(command: str) -> None:
    (usage,) = re.findall(rf"^\| `(edge-pose {command}(?: [^`]*)?)` \|", COMMANDS.text, re.MULTILINE)
    documented = set(re.findall(r"--[a-z-]+", usage))
    if command == "evaluate":  # it has a page of its own
        documented = set(re.findall(r"--[a-z-]+", Page("docs/evaluate.md").text))
    assert {option for option in options()[command] if option.startswith("--")} - {"--help"} <= documented


def test_every_source_and_scene_is_documented() -> None:
    text = Page("docs/cameras.md").text
    for source in SOURCES:
        assert source.partition("<")[0].rstrip("/") in text, source
    for scene in SCENES:
        assert f"`{scene}`" in text


def test_every_part_is_documented() -> None:
    table = Page("docs/python.md").section("Keypoint names")
    assert all(f"| {index} | `{part}` |" in table for index, part in PARTS.items())


def test_every_line_of_the_doctor_is_documented(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    file = tmp_path / "edge-pose.toml"
    file.write_text(f'[mqtt]\nhost = "{LOOPBACK}"\nport = {mosquitto().port}\n', encoding="utf-8")
    lines = json.loads(run_edge("doctor", "--config", str(file), "--json").stdout)
    assert {"configuration", "login", "topics", "clock"} <= {line["name"] for line in lines}
    for line in lines:
        assert f"\n| {line['name']} |" in Page("docs/doctor.md").section(line["group"]), line


def test_every_line_of_the_unit_is_explained() -> None:
    unit = (
        (ROOT / "systemd/edge-pose.service")
        .read_text(encoding="utf-8")
        .partition("[Service]")[2]
        .partition("[Install]")[0]
    )
    explained = Page("systemd/README.md").section("The unit, line by line")
    directives = set(re.findall(r"^(\w+)=", unit, re.MULTILINE)) - {"ExecStart", "User", "Group"}
    assert {directive for directive in directives if f"`{directive}" not in explained} == set()


def test_the_rooms_are_listed_in_the_order_of_imports() -> None:
    table = Page("docs/architecture.md").section("The rooms")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    rooms = [room for row in rows for room in re.findall(r"\w+", row)]
    assert sorted(rooms) == sorted(
        path.stem for path in (ROOT / "edge").iterdir() if path.suffix in {"", ".py"} and not path.name.startswith("__")
    )
    (layers,) = [
        contract["layers"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    level = {
        room: number for number, layer in enumerate(reversed(layers)) for room in re.findall(r"edge\.(\w+)", layer)
    }
    ground = {"types", "errors", "skeleton", "geometry"}  # in one row
    assert [level[room] for room in rooms if room not in ground] == sorted(level[r] for r in rooms if r not in ground)


def test_the_changelog_dates_this_version() -> None:
    newest = re.findall(r"^## (.+)$", Page("CHANGELOG.md").text, re.MULTILINE)[0]
    assert re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", newest)


def test_every_reason_code_is_explained() -> None:
    codes = re.findall(r"^\| `(\w+)` \|", Page("docs/edge-tpu.md").section("What info and health say"), re.MULTILINE)
    assert codes == list(ReasonCode)


def test_the_readme_shows_a_small_animation_and_the_page() -> None:
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", Page("README.md").text)
    assert sum((ROOT / name).stat().st_size for name in names) < 1_500_000
    frames = []
    for name in names:
        with Image.open(ROOT / name) as picture:
            frames.append(getattr(picture, "n_frames", 1))
    assert frames[0] > 10
    assert frames[1:] == [1]
    assert names[0] in (ROOT / "Makefile").read_text(encoding="utf-8").partition("\npictures:")[2].partition("\n\n")[0]


def test_the_readme_fits_a_reader_of_five_minutes() -> None:
    assert len(Page("README.md").text.splitlines()) <= 150


@pytest.mark.parametrize("page", pages(), ids=PAGE_IDS)
def test_links_and_anchors_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target.relative_to(ROOT).as_posix()).anchors, link


@pytest.mark.parametrize("page", pages(), ids=PAGE_IDS)
def test_files_exist_that_are_named(page: Page) -> None:
    named = re.findall(r"`((?:edge|tests|models|docs|systemd|config)/[\w./-]+)`", page.prose)
    imagined = {"edge/camera/colour.py", "edge/decode/points.py", "edge/rules/crowd.py"}
    assert [name for name in named if name not in imagined and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=PAGE_IDS)
def test_commands_and_options_exist(page: Page) -> None:
    known = options()
    groups = {command.split()[0] for command in known if " " in command}
    for line in page.commands:
        for call in re.findall(r"(?:^|[ /])edge-pose ([a-z].*)", line.split("#")[0]):
            words = call.split()
            command = " ".join(words[:2]) if words[0] in groups else words[0]
            if command not in known:
                assert command in groups | {"<command>"}, line
                continue
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", call))
            assert named <= known[command], line


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", pages(), ids=PAGE_IDS)
def test_make_targets_exist(page: Page) -> None:
    for line in page.commands:
        assert set(re.findall(r"(?:^|&& )make ([a-z][a-z0-9-]*)", line)) <= make_targets(), line


def test_every_make_target_is_documented() -> None:
    text = Page("docs/development.md").text
    assert {target for target in make_targets() - {"help", "clean"} if f"`make {target}`" not in text} == set()


@pytest.mark.parametrize("file", [".github/workflows/test.yml", ".pre-commit-config.yaml"])
def test_automation_calls_make_targets(file: str) -> None:
    called = set(re.findall(r"(?:run:|entry:|sudo) make ([a-z0-9-]+)", (ROOT / file).read_text(encoding="utf-8")))
    assert called
    assert called <= make_targets()


@pytest.mark.parametrize("page", pages(), ids=PAGE_IDS)
def test_options_of_the_installer_exist(page: Page) -> None:
    installer = (ROOT / "systemd/install.sh").read_text(encoding="utf-8")
    for line in page.commands:
        if "install.sh" in line:
            for option in re.findall(r"--[a-z][a-z-]*", line.split("#")[0]):
                assert f"{option})" in installer, line
