"""The configuration: one frozen Struct per table of the TOML file, and `load`, the only reader of it.

Every default stands here; `config/edge-pose.toml` repeats them for people. `EDGE_POSE_<TABLE>__<KEY>` in the
environment overrides a key. Whatever does not fit is one ConfigError: file, key, what is wrong, what is right.
"""

import difflib
import hashlib
import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from edge.errors import ConfigError, UsageError
from edge.explain import explain, plain_type

DEFAULT_PATH = Path("/etc/edge-pose/edge-pose.toml")
ENV_PREFIX = "EDGE_POSE_"
PASSWORD_CREDENTIAL = "mqtt_password"  # noqa: S105 - a name, not a password

# The names of edge.skeleton, which needs numpy; a test holds the two together.
PART_NAMES = (
    "NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR", "LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW",
    "RIGHT_ELBOW", "LEFT_WRIST", "RIGHT_WRIST", "LEFT_HIP", "RIGHT_HIP", "LEFT_KNEE", "RIGHT_KNEE", "LEFT_ANKLE",
    "RIGHT_ANKLE",
)  # fmt: skip

ID_PATTERN = "^[a-z0-9_-]*$"
DEVICE_PATTERN = "^(auto|cpu|edgetpu(:(usb|pci)(:[0-9]{1,2})?)?)$"
DEVICES = '"auto", "cpu", "edgetpu", "edgetpu:usb", "edgetpu:pci", or one of several: "edgetpu:usb:1", "edgetpu:pci:0"'
TOPIC_PATTERN = "^[^+#$/]([^+#]*[^+#/])?$"
SLOWEST_FPS = 0.1
Share = Annotated[float, Meta(ge=0, le=1)]
Pixels = Annotated[int, Meta(ge=1, le=8192)]
InputPixels = Annotated[int, Meta(ge=33, le=2049)]


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Device(Table, frozen=True):
    id: Annotated[str, Meta(pattern=ID_PATTERN, max_length=64, description="text in quotes of a-z, 0-9, _ and -")] = ""
    name: Annotated[str, Meta(min_length=1, max_length=128)] = "Pose sensor"

    @property
    def topic_id(self) -> str:
        """The id in topics: the configured one, or one made of this machine's id."""
        return self.id or _machine_device_id()


class Camera(Table, frozen=True):
    source: Annotated[str, Meta(min_length=1)] = "picamera2"
    width: Pixels = 640
    height: Pixels = 480
    fps: Annotated[float, Meta(ge=0, le=240)] = 15
    rotation: Literal[0, 90, 180, 270] = 0
    mirror: bool = False
    loop: bool = False
    stall_s: Annotated[float, Meta(ge=0.5, le=3600)] = 5.0
    autofocus: Literal["continuous", "auto", "manual"] = "continuous"


class Model(Table, frozen=True):
    name: Annotated[str, Meta(min_length=1)] = "posenet"
    input_size: Annotated[
        Literal["auto"] | tuple[InputPixels, InputPixels],
        Meta(description='"auto" or two whole numbers from 33 to 2049: [height, width] in px'),
    ] = "auto"

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the input, px; None for those that the model declares."""
        return None if self.input_size == "auto" else self.input_size


class Inference(Table, frozen=True):
    device: Annotated[str, Meta(pattern=DEVICE_PATTERN, description=DEVICES)] = "auto"
    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    probe_s: Annotated[float, Meta(ge=1, le=86400)] = 300
    library: Annotated[str, Meta(min_length=1)] = "libedgetpu.so.1"

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))


class Decode(Table, frozen=True):
    mode: Literal["multi", "single"] = "multi"
    max_people: Annotated[int, Meta(ge=1, le=100)] = 10
    nms_radius_px: Annotated[float, Meta(ge=0, le=1000)] = 10
    turned: bool = True


class Filter(Table, frozen=True):
    min_confidence: Share = 0.3
    min_pose_score: Share = 0.2
    min_keypoints: Annotated[int, Meta(ge=1, le=17)] = 5
    parts: dict[str, Share] = field(default_factory=dict)


class Tracking(Table, frozen=True):
    min_hits: Annotated[int, Meta(ge=1, le=1000)] = 3
    max_age_s: Annotated[float, Meta(ge=0, le=3600)] = 2.0


class Smoothing(Table, frozen=True):
    enabled: bool = True
    min_cutoff_hz: Annotated[float, Meta(ge=0.001, le=1000)] = 0.25
    beta_hz: Annotated[float, Meta(ge=0, le=1000)] = 4
    hysteresis: Share = 0.05


class Tls(Table, frozen=True):
    enabled: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


class Mqtt(Table, frozen=True):
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    username: str = ""
    password_file: str = ""
    base_topic: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            pattern=TOPIC_PATTERN,
            description="text in quotes without +, # and without / at its ends",
        ),
    ] = "edge-pose"
    max_rate_hz: Annotated[float, Meta(ge=0, le=1000)] = 0
    heartbeat_s: Annotated[float, Meta(ge=1, le=86400)] = 60
    tls: Tls = field(default_factory=Tls)


class Config(Table, frozen=True):
    device: Device = field(default_factory=Device)
    camera: Camera = field(default_factory=Camera)
    model: Model = field(default_factory=Model)
    inference: Inference = field(default_factory=Inference)
    decode: Decode = field(default_factory=Decode)
    filter: Filter = field(default_factory=Filter)
    tracking: Tracking = field(default_factory=Tracking)
    smoothing: Smoothing = field(default_factory=Smoothing)
    mqtt: Mqtt = field(default_factory=Mqtt)


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ, *, broker: bool = True) -> Config:
    """Read `path`, lay the environment over it, and check everything that can be checked without a network.

    Without a path the default one is read. With `broker=False`, for work that publishes nothing, no file is read
    without a path, and what concerns the broker is not looked at. Raises ConfigError.
    """
    if path is None and not broker:
        return _settled({}, "defaults", environ, broker=broker)
    path = path or DEFAULT_PATH
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make it (config/edge-pose.toml is the pattern) or name another "
                          "with --config") from None  # fmt: skip
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); it must be a readable UTF-8 text file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: is not TOML: {exc}; mend that place") from exc
    return _settled(tables, str(path), environ, broker=broker)


def _settled(tables: dict[str, Any], origin: str, environ: Mapping[str, str], *, broker: bool) -> Config:
    overridden = _overlay(tables, environ)
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as exc:
        key, problem = explain(exc, tables, Config)
        raise ConfigError(f"{_origin(key, origin, overridden)}: {key}: {problem}") from exc
    try:
        _check_text(msgspec.to_builtins(config))
        _check_parts(config.filter)
        _check_rate(config.camera)
        if broker:
            _check_mqtt(config.mqtt)
    except ConfigError as exc:
        key = str(exc).partition(":")[0]
        raise ConfigError(f"{_origin(key, origin, overridden)}: {exc}") from exc
    return config


def password(mqtt: Mqtt, environ: Mapping[str, str] = os.environ) -> str | None:
    """The broker password: from `mqtt.password_file`, or the systemd credential; None where there is neither.

    Raises ConfigError if the file cannot be read or is empty.
    """
    key, file = "mqtt.password_file", Path(mqtt.password_file)
    if not mqtt.password_file:
        if not environ.get("CREDENTIALS_DIRECTORY"):
            return None
        key, file = f"credential {PASSWORD_CREDENTIAL}", Path(environ["CREDENTIALS_DIRECTORY"]) / PASSWORD_CREDENTIAL
    try:
        # Editors end a file with a newline, and nobody has one in a password.
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        if isinstance(exc, FileNotFoundError) and not mqtt.password_file:
            return None
        reason = getattr(exc, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{key}: cannot read {file} ({reason}); make it readable for the user that runs this, "
                          "who is «edge-pose» under systemd") from exc  # fmt: skip
    if not secret and not mqtt.password_file:
        return None
    if not secret:
        raise ConfigError(f"{key}: {file} is empty; write the password of {mqtt.username!r} into it")
    return secret


def find_credential(environ: MutableMapping[str, str] = os.environ, folder: Path = DEFAULT_PATH.parent) -> None:
    """By hand as by systemd: let `password` look into `folder`, if this user may read the password there."""
    if os.access(folder / PASSWORD_CREDENTIAL, os.R_OK):
        environ.setdefault("CREDENTIALS_DIRECTORY", str(folder))


def host_and_port(named: str, option: str) -> tuple[str, int | None]:
    """HOST or HOST:PORT, as a command line takes it by `option`. Raises UsageError."""
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\s/]+))(?::(?P<port>\d{1,5}))?", named)
    host = (found["v6"] or found["host"]) if found else ""
    port = int(found["port"]) if found and found["port"] else None
    if not _is_host(host) or not (port is None or 1 <= port <= 65535):
        raise UsageError(f"{option}: {named!r} is not HOST or HOST:PORT, e.g. 192.168.1.10:1883 or [fe80::1]:1883")
    return host, port


def _origin(key: str, origin: str, overridden: Mapping[str, str]) -> str:
    return f"environment: {overridden[key]}" if key in overridden else origin


def _check_text(value: Any, key: str = "") -> None:
    """No file name, topic or address has a line break or a NUL in it, and most of who takes them would choke."""
    if isinstance(value, dict):
        for name, entry in value.items():
            _check_text(entry, f"{key}.{name}" if key else name)
    elif isinstance(value, str) and any(ord(character) < ord(" ") for character in value):
        raise ConfigError(f"{key}: {value!r} has control characters in it; leave them out")


def _check_rate(camera: Camera) -> None:
    if 0 < camera.fps < SLOWEST_FPS:
        raise ConfigError(f"camera.fps: {camera.fps} is too slow for systemd's watchdog; use 0 or {SLOWEST_FPS} to 240")


def _check_parts(filtering: Filter) -> None:
    for name in filtering.parts:
        if name not in PART_NAMES:
            near = difflib.get_close_matches(name.upper(), PART_NAMES, 1)
            right = f"did you mean {near[0]}?" if near else f"known are {', '.join(PART_NAMES)}"
            raise ConfigError(f"filter.parts.{name}: unknown body part; {right}")


def _is_host(name: str) -> bool:
    try:
        name.encode("idna")  # as the system's resolver will have it
        if ":" in name:
            ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return bool(name) and not re.search(r"[\s/]", name)


def _check_mqtt(mqtt: Mqtt) -> None:
    """What cannot be said of one key alone."""
    if not mqtt.host:
        raise ConfigError('mqtt.host: is missing; name the broker, e.g. host = "192.168.1.10"')
    if not _is_host(mqtt.host):
        raise ConfigError(f"mqtt.host: {mqtt.host!r} is no host name; give the name or address alone, "
                          "without mqtt:// and without the port")  # fmt: skip
    secret = password(mqtt)
    if mqtt.password_file and secret and not mqtt.username:
        raise ConfigError("mqtt.username: is missing beside mqtt.password_file; name the broker's user")
    tls = mqtt.tls
    if not tls.enabled and (tls.ca_file or tls.cert_file or tls.key_file):
        raise ConfigError("mqtt.tls.enabled: is false although files are named; set enabled = true")
    if bool(tls.cert_file) != bool(tls.key_file):
        raise ConfigError("mqtt.tls: cert_file and key_file belong together; name both or neither")
    for key in ("ca_file", "cert_file", "key_file"):
        if file := getattr(tls, key):
            try:
                Path(file).read_bytes()
            except OSError as exc:
                raise ConfigError(f"mqtt.tls.{key}: cannot read {file} ({exc.strerror}); "
                                  "check the path and its permissions") from exc  # fmt: skip


def _overlay(tables: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Write the environment's keys into `tables`; returns key -> name of the variable that set it."""
    overridden = {}
    for variable, raw in environ.items():
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            _check_meant(variable)
            continue
        names = variable.removeprefix(ENV_PREFIX).split("__")
        # Keys are lower case, but for the body parts, which the wire spells in capitals.
        names = [
            name if names[:2] == ["FILTER", "PARTS"] and at == 2 else name.lower() for at, name in enumerate(names)
        ]
        place: Any = tables
        for name in names[:-1]:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"environment: {variable}: {name} is not a table; the form is {ENV_PREFIX}TABLE__KEY")
        place[names[-1]] = _env_value(raw, plain_type(Config, names))
        overridden[".".join(names)] = variable
    return overridden


def _check_meant(variable: str) -> None:
    """Refuse what has one underscore too few, which would change nothing; what names no table may be another's."""
    table = variable.removeprefix(ENV_PREFIX).partition("_")[0].lower()
    if variable.startswith(ENV_PREFIX) and table in Config.__struct_fields__:
        (near,) = difflib.get_close_matches(variable, _variables(msgspec.to_builtins(Config())), 1, cutoff=0)
        raise ConfigError(f"environment: {variable}: unknown key; did you mean {near}?")


def _variables(tables: Mapping[str, Any], start: str = ENV_PREFIX) -> Iterator[str]:
    """What sets each key, in the environment."""
    for name, value in tables.items():
        variable = start + name.upper()
        if isinstance(value, dict) and value:
            yield from _variables(value, variable + "__")
        else:
            yield variable


def _env_value(raw: str, wanted: Any) -> Any:
    """Text for a key that wants text; TOML for all others, and the text itself if that fails."""
    if wanted is str:
        return raw
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return raw


def _machine_device_id() -> str:
    """edge-xxxxxx: the same for the life of this installation, and telling nothing about the machine."""
    try:
        # machine-id(5) asks that the id itself never leaves the machine: hence the hash.
        identity = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    return "edge-" + hashlib.sha256(f"edge-pose {identity or socket.gethostname()}".encode()).hexdigest()[:6]
