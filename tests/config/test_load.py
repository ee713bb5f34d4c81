import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, Mqtt, find_credential, load, password
from edge.config.schema import PART_NAMES
from edge.errors import ConfigError
from edge.skeleton import PARTS
from tests.support import ROOT

HOST = '[mqtt]\nhost = "broker"\n'


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_config(text: str) -> Path:
        path = tmp_path / "edge-pose.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_config


def test_the_shipped_file_has_every_key_with_its_default() -> None:
    shipped = tomllib.loads((ROOT / "config/edge-pose.toml").read_text(encoding="utf-8"))
    assert shipped == tomllib.loads(tomllib_like(msgspec.to_builtins(Config())))
    assert msgspec.convert(shipped, Config) == Config()


def tomllib_like(tables: dict[str, object], prefix: str = "") -> str:
    """Enough of a TOML writer for the defaults."""
    lines = [f"[{prefix}]"] if prefix else []
    for key, value in tables.items():
        if not isinstance(value, dict):
            lines.append(f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}".replace("'", '"'))
    for key, value in tables.items():
        if isinstance(value, dict):
            lines.append(tomllib_like(value, f"{prefix}.{key}".strip(".")))
    return "\n".join(lines).replace("(", "[").replace(")", "]")


def test_the_shipped_file_explains_every_key() -> None:
    for line in (ROOT / "config/edge-pose.toml").read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            assert "#" in line, f"no comment: {line}"


def test_what_the_file_says_is_taken(write: Write) -> None:
    config = load(write(HOST + "port = 8883\n[camera]\nfps = 7.5\nrotation = 90\n[filter.parts]\nNOSE = 0.5"), {})
    assert (config.mqtt.host, config.mqtt.port, config.camera.fps) == ("broker", 8883, 7.5)
    assert config.camera.rotation == 90
    assert config.filter.parts == {"NOSE": 0.5}


@pytest.mark.parametrize(
    "device", ["auto", "cpu", "edgetpu", "edgetpu:usb", "edgetpu:usb:1", "edgetpu:pci", "edgetpu:pci:0"]
)
def test_devices(write: Write, device: str) -> None:
    assert load(write(HOST + f'[inference]\ndevice = "{device}"'), {}).inference.device == device


@pytest.mark.parametrize("host", ["homeassistant.local", "192.168.1.10", "::1", "fe80::1%eth0", "2001:db8::1883"])
def test_hosts(write: Write, host: str) -> None:
    assert load(write(f'[mqtt]\nhost = "{host}"'), {}).mqtt.host == host


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mqtt\n", ["is not TOML", "line 1"]),
        ("[camra]\nfps = 1", ["camra: unknown key", "did you mean 'camera'"]),
        (HOST + "prt = 1883", ["mqtt.prt: unknown key", "did you mean 'port'"]),
        (HOST + "[mqtt.tls]\nzzz = 1", ["mqtt.tls.zzz: unknown key", "ca_file"]),
        (HOST + 'port = "1883"', ["mqtt.port: '1883' will not do", "a whole number from 1 to 65535"]),
        (HOST + "port = 0", ["mqtt.port: 0 will not do", "from 1 to 65535"]),
        (HOST + "[camera]\nfps = -1", ["camera.fps: -1", "a number from 0 to 240"]),
        (HOST + "[camera]\nfps = nan", ["camera.fps: nan", "a number from 0 to 240"]),
        (HOST + "[camera]\nrotation = 45", ["camera.rotation: 45", "0, 90, 180 or 270"]),
        (HOST + "[camera]\nmirror = 1", ["camera.mirror: 1", "true or false"]),
        (HOST + '[camera]\nsource = ""', ["camera.source: ''", "not empty"]),
        (HOST + '[decode]\nmode = "best"', ["decode.mode: 'best'", '"single"']),
        (HOST + '[inference]\ndevice = "tpu"', ["inference.device: 'tpu'", '"auto", "cpu", "edgetpu"']),
        (HOST + '[inference]\ndevice = "edgetpu:0"', ["inference.device: 'edgetpu:0'", '"edgetpu:usb:1"']),
        (HOST + '[inference]\ndevice = "edgetpu:usb\\n"', ["inference.device", "control characters"]),
        (HOST + "[inference]\nprobe_s = 0", ["inference.probe_s: 0", "a number from 1 to 86400"]),
        (HOST + "[model]\ninput_size = [353]", ["model.input_size: [353]", "[height, width]"]),
        (HOST + '[model]\ninput_size = [353, "a"]', ["model.input_size", "[height, width]"]),
        (HOST + "[filter.parts]\nLEFT_EAR = 3", ["filter.parts.LEFT_EAR: 3", "a number from 0 to 1"]),
        (HOST + "[filter.parts]\nLEFT_EA = 0.3", ["filter.parts.LEFT_EA: unknown body part", "LEFT_EAR"]),
        (HOST + '[device]\nid = "Living room"', ["device.id: 'Living room'", "a-z, 0-9"]),
        (HOST + 'base_topic = "a/#"', ["mqtt.base_topic: 'a/#'", "without +, #"]),
        ("mqtt = 3", ["mqtt: 3", "a table: [mqtt]"]),
        ("", ["mqtt.host: is missing", "host = "]),
        ('[mqtt]\nhost = "mqtt://a"', ["mqtt.host", "without mqtt://"]),
        ('[mqtt]\nhost = "homeassistant.local:1883"', ["mqtt.host", "without the port"]),
        ('[mqtt]\nhost = "[fe80::1]:1883"', ["mqtt.host", "without the port"]),
        ('[mqtt]\nhost = "192.168..10"', ["mqtt.host: '192.168..10'"]),
        (HOST + '[model]\nname = "a\\u0000b"', ["model.name", "control characters"]),
        (HOST + '[device]\nid = "abc\\n"', ["device.id", "control characters"]),
        (HOST + "[camera]\nfps = 0.01", ["camera.fps: 0.01", "0.1 to 240"]),
        (HOST + 'username = "u"\npassword_file = "/does/not/exist"', ["mqtt.password_file", "/does/not/exist"]),
        (HOST + 'password_file = "/etc/hostname"', ["mqtt.username: is missing"]),
        (HOST + '[mqtt.tls]\nenabled = true\nca_file = "/no/ca"', ["mqtt.tls.ca_file", "/no/ca"]),
        (HOST + '[mqtt.tls]\nca_file = "/etc/hostname"', ["mqtt.tls.enabled"]),
        (HOST + '[mqtt.tls]\nenabled = true\ncert_file = "/etc/hostname"', ["cert_file and key_file"]),
    ],
)
def test_what_is_wrong_is_one_line_with_file_key_and_remedy(write: Write, text: str, words: list[str]) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert all(word in message for word in words), message
    assert refused.value.exit_code == 78


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file.*--config"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


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


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("EDGE_POSE_MQTT__PORT", "abc", ["mqtt.port: 'abc'", "a whole number"]),
        ("EDGE_POSE_MQTT__PRT", "1", ["mqtt.prt: unknown key", "port"]),
        ("EDGE_POSE_MQTT__HOST__NAME", "x", ["host is not a table"]),
        ("EDGE_POSE_MQTT_HOST", "x", ["unknown key; did you mean EDGE_POSE_MQTT__HOST?"]),
        ("EDGE_POSE_MQTT_TLS_CA_FILE", "x", ["unknown key; did you mean EDGE_POSE_MQTT__TLS__CA_FILE?"]),
        ("EDGE_POSE_DEVICE", "x", ["unknown key; did you mean EDGE_POSE_DEVICE__ID?"]),
    ],
)
def test_a_wrong_override_is_named(write: Write, variable: str, value: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(HOST), {variable: value})
    assert all(word in str(refused.value) for word in [f"environment: {variable}: ", *words])


def test_the_password_comes_from_a_file_without_its_newline(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pass word \n")
    config = load(write(HOST + f'username = "u"\npassword_file = "{secret}"'), {})
    assert password(config.mqtt, {}) == "pass word "
    secret.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        password(config.mqtt, {})


def test_the_password_may_be_a_systemd_credential(write: Write, tmp_path: Path) -> None:
    config = load(write(HOST + 'username = "u"'), {})
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert password(config.mqtt, {}) is None
    assert password(config.mqtt, environ) is None
    (tmp_path / "mqtt_password").write_text("s3cret")
    assert password(config.mqtt, environ) == "s3cret"
    (tmp_path / "mqtt_password").write_text("")  # the unit's stand-in for a file that is not there
    assert password(config.mqtt, environ) is None


def test_who_may_read_the_password_by_hand_logs_in_with_it(tmp_path: Path) -> None:
    mqtt, environ = Mqtt(username="u"), dict[str, str]()
    find_credential(environ, tmp_path)
    assert password(mqtt, environ) is None
    (tmp_path / "mqtt_password").write_text("s3cret\n")
    find_credential(environ, tmp_path)
    assert password(mqtt, environ) == "s3cret"
    systemd = {"CREDENTIALS_DIRECTORY": str(tmp_path / "systemd")}
    find_credential(systemd, tmp_path)
    assert password(mqtt, systemd) is None, "what systemd says counts"


def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r": cannot be read \(Is a directory\); it must be"):
        load(tmp_path, {})
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(ConfigError, match=r": cannot be read \(not UTF-8 text\); it must be"):
        load(tmp_path / "latin.toml", {})


def test_a_password_is_never_shown(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s3cret\xff")
    config_file = write(HOST + f'username = "u"\npassword_file = "{secret}"')
    with pytest.raises(ConfigError) as refused:
        load(config_file, {})
    assert "s3cret" not in str(refused.value)
    secret.write_text("s3cret")
    assert "s3cret" not in repr(load(config_file, {}))


def test_an_unreadable_password_file_says_so(write: Write, tmp_path: Path) -> None:
    """A directory cannot be read as a file by anyone, not even by root."""
    with pytest.raises(ConfigError, match=r"mqtt\.password_file: cannot read .*Is a directory"):
        load(write(HOST + f'username = "u"\npassword_file = "{tmp_path}"'), {})


def test_the_device_id_is_stable_and_fit_for_a_topic() -> None:
    first = Config().device.topic_id
    assert first == Config().device.topic_id
    assert first.startswith("edge-")
    assert len(first) == 11
    assert set(first[5:]) <= set("0123456789abcdef")
    assert msgspec.convert({"device": {"id": "door-2"}}, Config).device.topic_id == "door-2"


def test_body_parts_are_those_of_the_skeleton() -> None:
    assert list(PART_NAMES) == list(PARTS.values())


def test_without_a_broker_no_file_is_needed_and_the_environment_counts(write: Write) -> None:
    wanted = {"EDGE_POSE_MODEL__INPUT_SIZE": "[481, 641]", "EDGE_POSE_DECODE__MODE": "single"}
    config = load(None, wanted, broker=False)
    assert (config.model.input_size, config.decode.mode, config.mqtt.host) == ((481, 641), "single", "")
    assert load(write("decode.max_people = 3"), {}, broker=False).decode.max_people == 3
    with pytest.raises(ConfigError, match=r"environment: EDGE_POSE_DECODE__MODE: decode\.mode.*mutli"):
        load(None, {"EDGE_POSE_DECODE__MODE": "mutli"}, broker=False)
    with pytest.raises(ConfigError, match=r"defaults: filter\.parts\.NOES: unknown body part"):
        load(None, {"EDGE_POSE_FILTER__PARTS": "{NOES = 0.5}"}, broker=False)
