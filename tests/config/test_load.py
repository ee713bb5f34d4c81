"""Loading the configuration: defaults, file, environment, and their errors."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, Line, Zone, load, variable_of
from edge.config.schema import PART_NAMES
from edge.errors import EXIT_CONFIG, ConfigError
from edge.skeleton import PARTS
from tests.support import ROOT

SHIPPED = (ROOT / "config/edge-pose.toml").read_text(encoding="utf-8")
HOST = '[mqtt]\nhost = "broker"\n'
ZONE = "[[zones]]\nname = 'bed'\npoints = [[0, 0], [0.5, 0], [0.5, 0.5]]\n"
LINE = "[[lines]]\nname = 'door'\nfrom = [0.2, 0.9]\nto = [0.2, 0.4]\n"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_config(text: str) -> Path:
        path = tmp_path / "edge-pose.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_config


def test_the_shipped_file_has_every_key_with_its_default() -> None:
    shipped = tomllib.loads(SHIPPED)
    defaults = msgspec.json.decode(msgspec.json.encode(Config()))  # with lists, as in TOML
    assert shipped | {"zones": [], "lines": []} == defaults
    assert msgspec.convert(shipped, Config) == Config()


def test_the_shipped_file_has_an_example_of_each_array_of_tables(write: Write) -> None:
    """They are comments. Without the comment marks, they are valid and have every key."""
    example = re.sub(r"^# (?=\[\[|\w+ = )", "", SHIPPED, flags=re.MULTILINE)
    config = load(write(example.replace('host = ""', 'host = "broker"')), {})
    assert msgspec.convert(tomllib.loads(example), Config).zones == config.zones
    tables = tomllib.loads(example)
    for name, table, entries in (("zones", Zone, config.zones), ("lines", Line, config.lines)):
        assert len(entries) == 1
        assert set(tables[name][0]) == {field.encode_name for field in msgspec.structs.fields(table)}


def test_the_shipped_file_explains_every_key() -> None:
    for line in SHIPPED.splitlines():
        if "=" in line and not line.startswith("#"):
            assert "#" in line, f"no comment: {line}"


def test_values_come_from_the_file(write: Write) -> None:
    config = load(write(HOST + "port = 8883\n[camera]\nfps = 7.5\nrotation = 90\n[filter.parts]\nNOSE = 0.5"), {})
    assert (config.mqtt.host, config.mqtt.port, config.camera.fps) == ("broker", 8883, 7.5)
    assert config.camera.rotation == 90
    assert config.filter.parts == {"NOSE": 0.5}


@pytest.mark.parametrize(
    "device", ["auto", "cpu", "edgetpu", "edgetpu:usb", "edgetpu:usb:1", "edgetpu:pci", "edgetpu:pci:0"]
)
def test_valid_devices_are_accepted(write: Write, device: str) -> None:
    assert load(write(HOST + f'[inference]\ndevice = "{device}"'), {}).inference.device == device


@pytest.mark.parametrize("host", ["homeassistant.local", "192.168.1.10", "::1", "fe80::1%eth0", "2001:db8::1883"])
def test_valid_hosts_are_accepted(write: Write, host: str) -> None:
    assert load(write(f'[mqtt]\nhost = "{host}"'), {}).mqtt.host == host


@pytest.mark.parametrize(
    ("text", "key", "problem", "remedy"),
    [
        ("[camra]\nfps = 1", "camra", "unknown key", "did you mean camera?"),
        (HOST + "prt = 1883", "mqtt.prt", "unknown key", "did you mean port?"),
        (HOST + "[mqtt.tls]\nzzz = 1", "mqtt.tls.zzz", "unknown key", "ca_file"),
        (HOST + 'port = "1883"', "mqtt.port", '"1883"', "a whole number from 1 to 65535"),
        (HOST + "port = 0", "mqtt.port", "0", "from 1 to 65535"),
        (HOST + "[camera]\nfps = -1", "camera.fps", "-1", "a number from 0 to 240"),
        (HOST + "[camera]\nfps = nan", "camera.fps", "nan", "a number from 0 to 240"),
        (HOST + "[camera]\nfps = 0.01", "camera.fps", "0.01", "0.1 to 240"),
        (HOST + "[camera]\nrotation = 45", "camera.rotation", "45", "0, 90, 180 or 270"),
        (HOST + "[camera]\nmirror = 1", "camera.mirror", "1", "true or false"),
        (HOST + '[camera]\nsource = ""', "camera.source", '""', "not empty"),
        (HOST + '[decode]\nmode = "best"', "decode.mode", '"best"', '"single"'),
        (HOST + '[inference]\ndevice = "tpu"', "inference.device", '"tpu"', '"auto", "cpu", "edgetpu"'),
        (HOST + '[inference]\ndevice = "edgetpu:0"', "inference.device", '"edgetpu:0"', '"edgetpu:usb:1"'),
        (HOST + '[inference]\ndevice = "edgetpu:usb\\n"', "inference.device", "control characters", "remove"),
        (HOST + "[inference]\nretry_s = 0", "inference.retry_s", "0", "a number from 1 to 86400"),
        (HOST + "[model]\ninput_size = [353]", "model.input_size", "[353]", "[height, width]"),
        (HOST + '[model]\ninput_size = [353, "a"]', "model.input_size", '[353, "a"]', "[height, width]"),
        (HOST + '[model]\nname = "a\\u0000b"', "model.name", "control characters", "remove"),
        (HOST + "[filter.parts]\nLEFT_EAR = 3", "filter.parts.LEFT_EAR", "3", "a number from 0 to 1"),
        (HOST + "[filter.parts]\nLEFT_EA = 0.3", "filter.parts.LEFT_EA", "unknown body part", "LEFT_EAR"),
        (HOST + '[device]\nid = "Living room"', "device.id", '"Living room"', "a-z, 0-9"),
        (HOST + '[device]\nid = "abc\\n"', "device.id", "control characters", "remove"),
        (HOST + 'base_topic = "a/#"', "mqtt.base_topic", '"a/#"', "without +, #"),
        ("zones = 3\n" + HOST, "zones", "3", "[[zones]]"),
        (HOST + "[zones]\nname = 'a'", "zones", '{"name": "a"}', "[[zones]]"),
        (HOST + "[[zones]]\nkind = 'bed'", "zones[1].name", "is missing", "a-z, 0-9"),
        (HOST + "[[zones]]\nname = 'a'", "zones.a.points", "is missing", "points [x, y]"),
        (HOST + ZONE + "knd = 'bed'", "zones.bed.knd", "unknown key", "did you mean kind?"),
        (HOST + ZONE + "kind = 'sofa'", "zones.bed.kind", '"sofa"', '"area", "bed" or "exclude"'),
        (HOST + ZONE + "loitering_s = -1", "zones.bed.loitering_s", "-1", "from 0 to 86400"),
        (HOST + ZONE + "kind = 'exclude'\nloitering_s = 3", "zones.bed.loitering_s", "no effect", "remove it"),
        (HOST + ZONE + ZONE, "zones[2].name", '"bed" is used twice', "its own name"),
        (HOST + ZONE.replace("bed", "Bed"), "zones.Bed.name", '"Bed"', "a-z, 0-9"),
        (HOST + ZONE.replace("'bed'", '"bed\\n"'), "zones[1].name", "control characters", "remove"),
        (HOST + ZONE.replace("bed", "items"), "zones[1].name", '"items"', '"items_1"'),
        (HOST + ZONE.replace(", [0.5, 0.5]", ""), "zones.bed.points", "[[0, 0], [0.5, 0]]", "3 to 64 points"),
        (HOST + ZONE.replace("[0.5, 0]", "[1.5, 0]"), "zones.bed.points", "[1.5, 0]", "from 0 to 1"),
        (HOST + ZONE.replace("[0.5, 0]", "[nan, 0]"), "zones.bed.points", "[nan, 0]", "from 0 to 1"),
        (HOST + ZONE.replace("[0.5, 0]", "[0.2, 0.2]"), "zones.bed.points", "no area", "not on one line"),
        (
            HOST + ZONE.replace("0.5]]", "0.5], [0.4, 0.1], [0.6, 0.1]]"),
            "zones.bed.points",
            "point 2 and from point 4 cross",
            "in order",
        ),
        (HOST + LINE.replace("to = [0.2, 0.4]", ""), "lines.door.to", "is missing", "[x, y]"),
        (HOST + LINE.replace("0.4]", "0.9]"), "lines.door", "the same point", "two different points"),
        (HOST + LINE + LINE, "lines[2].name", '"door" is used twice', "its own name"),
        (HOST + LINE.replace("to =", "too ="), "lines.door.too", "unknown key", "did you mean to?"),
        (HOST + "[presence]\nleave_s = 0", "presence.leave_s", "0", "from 1 to 3600"),
        ("mqtt = 3", "mqtt", "3", "a table: [mqtt]"),
        ("", "mqtt.host", "is missing", "host = "),
        ('[mqtt]\nhost = "mqtt://a"', "mqtt.host", "mqtt://a", "without mqtt://"),
        ('[mqtt]\nhost = "homeassistant.local:1883"', "mqtt.host", "1883", "without the port"),
        ('[mqtt]\nhost = "[fe80::1]:1883"', "mqtt.host", "1883", "without the port"),
        ('[mqtt]\nhost = "192.168..10"', "mqtt.host", "'192.168..10'", "name or address"),
        (HOST + 'username = "u"\npassword_file = "/no/secret"', "mqtt.password_file", "/no/secret", "readable"),
        (HOST + 'password_file = "/etc/hostname"', "mqtt.username", "is missing", "user name"),
        (HOST + '[mqtt.tls]\nenabled = true\nca_file = "/no/ca"', "mqtt.tls.ca_file", "/no/ca", "path"),
        (HOST + '[mqtt.tls]\nca_file = "/etc/hostname"', "mqtt.tls.enabled", "false", "enabled = true"),
        (HOST + '[mqtt.tls]\nenabled = true\ncert_file = "/etc/hostname"', "mqtt.tls", "key_file", "both or neither"),
    ],
)
def test_an_invalid_file_is_one_error_with_origin_key_and_remedy(
    write: Write, text: str, key: str, problem: str, remedy: str
) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    error = refused.value
    assert (error.origin, error.key) == (str(path), key)
    assert problem in error.problem
    assert remedy in error.remedy
    assert "\n" not in str(error)
    assert error.exit_code == EXIT_CONFIG


def test_the_error_of_a_missing_or_unreadable_file_names_the_file(tmp_path: Path, write: Write) -> None:
    nowhere, latin, broken = tmp_path / "nowhere.toml", tmp_path / "latin.toml", write("[mqtt\n")
    latin.write_bytes(b'name = "\xe4"')
    for path, problem in (
        (nowhere, "no such file"),
        (tmp_path, "cannot be read (Is a directory)"),
        (latin, "cannot be read (not UTF-8 text)"),
        (broken, "is not valid TOML"),
    ):
        with pytest.raises(ConfigError) as refused:
            load(path, {})
        assert (refused.value.origin, refused.value.key) == ("", str(path))
        assert refused.value.problem.startswith(problem)
        assert refused.value.remedy


def test_the_environment_overrides_keys(write: Write) -> None:
    config = load(
        write(HOST),
        {
            "EDGE_POSE_MQTT__PORT": "1999",
            "EDGE_POSE_MQTT__USERNAME": "123",
            "EDGE_POSE_MQTT__TLS__ENABLED": "true",
            "EDGE_POSE_MODEL__INPUT_SIZE": "[257, 257]",
            "EDGE_POSE_FILTER__PARTS__LEFT_EAR": "0.7",
            "EDGE_POSE_UNRELATED": "1",
            "PATH": "/bin",
        },
    )
    assert (config.mqtt.port, config.mqtt.username, config.mqtt.tls.enabled) == (1999, "123", True)
    assert config.model.input_size == (257, 257)
    assert config.filter.parts == {"LEFT_EAR": 0.7}


def test_one_variable_sets_all_zones(write: Write) -> None:
    wanted = '[{name = "door", points = [[0, 0], [0.5, 0], [0.5, 1]]}, {name = "b", points = [[0, 0], [1, 0], [1, 1]]}]'
    config = load(write(HOST + ZONE), {"EDGE_POSE_ZONES": wanted})
    assert [zone.name for zone in config.zones] == ["door", "b"]
    assert config.zones[0] == Zone(name="door", points=((0, 0), (0.5, 0), (0.5, 1)))


@pytest.mark.parametrize(
    ("variable", "value", "key", "problem"),
    [
        ("EDGE_POSE_MQTT__PORT", "abc", "mqtt.port", 'invalid value "abc"'),
        ("EDGE_POSE_SMOOTHING__ENABLED", "1", "smoothing.enabled", "invalid value 1"),
        ("EDGE_POSE_MQTT__PORT", "true", "mqtt.port", "invalid value true"),
        ("EDGE_POSE_MQTT__PRT", "1", "mqtt.prt", "unknown key"),
        ("EDGE_POSE_CAMERA__FPS", "0.01", "camera.fps", "too slow"),
        ("EDGE_POSE_ZONES", "[{name = 'bed', points = []}]", "zones.bed.points", "invalid value []"),
        ("EDGE_POSE_ZONES", "'bed'", "zones", 'invalid value "bed"'),
    ],
)
def test_the_origin_of_an_invalid_override_is_its_variable(
    write: Write, variable: str, value: str, key: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(HOST), {variable: value})
    assert (refused.value.origin, refused.value.key) == (f"environment: {variable}", key)
    assert problem in refused.value.problem


@pytest.mark.parametrize(
    ("variable", "problem", "remedy"),
    [
        ("EDGE_POSE_MQTT__HOST__NAME", "host is not a table", "EDGE_POSE_TABLE__KEY"),
        ("EDGE_POSE_MQTT_HOST", "unknown key", "did you mean EDGE_POSE_MQTT__HOST?"),
        ("EDGE_POSE_MQTT_TLS_CA_FILE", "unknown key", "did you mean EDGE_POSE_MQTT__TLS__CA_FILE?"),
        ("EDGE_POSE_ZONES__BED__POINTS", "zones is a list of tables", "EDGE_POSE_ZONES"),
        ("EDGE_POSE_ZONES", "is not valid TOML", "[{name = ...}, ...]"),
        ("EDGE_POSE_ZONES_BED", "unknown key", "did you mean EDGE_POSE_ZONES?"),
        ("EDGE_POSE_DEVICE", "unknown key", "did you mean EDGE_POSE_DEVICE__ID?"),
    ],
)
def test_the_error_of_a_misspelt_variable_names_the_variable(
    write: Write, variable: str, problem: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(HOST), {variable: "x"})
    error = refused.value
    assert (error.origin, error.key, error.problem) == ("environment", variable, problem)
    assert remedy in error.remedy


def test_load_reads_the_variable_that_variable_of_names(write: Write) -> None:
    assert load(write(HOST), {variable_of("mqtt.tls.enabled"): "true"}).mqtt.tls.enabled


def test_the_device_id_is_stable_and_valid_in_a_topic() -> None:
    first = Config().device.topic_id
    assert first == Config().device.topic_id
    assert first.startswith("edge-")
    assert len(first) == 11
    assert set(first[5:]) <= set("0123456789abcdef")
    assert msgspec.convert({"device": {"id": "door-2"}}, Config).device.topic_id == "door-2"


def test_body_parts_are_those_of_the_skeleton() -> None:
    assert list(PART_NAMES) == list(PARTS.values())


def test_without_a_broker_no_file_is_needed_and_the_environment_applies(write: Write) -> None:
    wanted = {"EDGE_POSE_MODEL__INPUT_SIZE": "[481, 641]", "EDGE_POSE_DECODE__MODE": "single"}
    config = load(None, wanted, broker=False)
    assert (config.model.input_size, config.decode.mode, config.mqtt.host) == ((481, 641), "single", "")
    assert load(write("decode.max_people = 3"), {}, broker=False).decode.max_people == 3
    with pytest.raises(ConfigError) as refused:
        load(None, {"EDGE_POSE_FILTER__PARTS": "{NOES = 0.5}"}, broker=False)
    assert (refused.value.origin, refused.value.key) == ("environment: EDGE_POSE_FILTER__PARTS", "filter.parts.NOES")


PAGE = HOST + "[web]\nenabled = true\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "pose.example.org"])  # noqa: S104 - nothing listens
def test_a_page_for_other_machines_needs_a_password(write: Write, tmp_path: Path, host: str) -> None:
    page = f'{PAGE}host = "{host}"\n'
    with pytest.raises(ConfigError) as refused:
        load(write(page), {})
    assert refused.value.key == "web.host"
    assert "web.password_file" in refused.value.remedy
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert load(write(f'{page}password_file = "{secret}"'), {}).web.beyond_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_page_for_this_machine_needs_no_password(write: Write, host: str) -> None:
    assert not load(write(f'{PAGE}host = "{host}"'), {}).web.beyond_loopback


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ('host = "http://pi"', "web.host"),
        ('host = "127.0.0.1"\nnames = ["pi", "a b"]', "web.names"),
        ('cert_file = "/pi.pem"', "web"),
        ('password_file = "/none"', "web.password_file"),
    ],
)
def test_the_page_is_checked_if_it_is_enabled(write: Write, keys: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(PAGE + keys), {})
    assert refused.value.key == key
    assert not load(write(PAGE.replace("true", "false") + keys), {}).web.enabled


def test_commands_that_publish_nothing_do_not_check_the_page(write: Write) -> None:
    assert load(write(f'{PAGE}host = "0.0.0.0"'), {}, broker=False).web.beyond_loopback
