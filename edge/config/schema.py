"""The tables of the configuration: one frozen Struct each, with every default and limit.

`config/edge-pose.toml` repeats the defaults and explains them; a test compares the two.
"""

import hashlib
import os
import socket
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from edge.config.hosts import is_loopback
from edge.system.files import read_text

# Repeated from edge.skeleton, because importing that also imports numpy, which is slow. A test compares the two.
PART_NAMES = (
    "NOSE", "LEFT_EYE", "RIGHT_EYE", "LEFT_EAR", "RIGHT_EAR", "LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW",
    "RIGHT_ELBOW", "LEFT_WRIST", "RIGHT_WRIST", "LEFT_HIP", "RIGHT_HIP", "LEFT_KNEE", "RIGHT_KNEE", "LEFT_ANKLE",
    "RIGHT_ANKLE",
)  # fmt: skip

ID_PATTERN = "^[a-z0-9_-]*$"
DEVICE_PATTERN = "^(auto|cpu|edgetpu(:(usb|pci)(:[0-9]{1,2})?)?)$"
DEVICE_HELP = (
    '"auto", "cpu", "edgetpu", "edgetpu:usb", "edgetpu:pci", or one of several: "edgetpu:usb:1", "edgetpu:pci:0"'
)
TOPIC_PATTERN = "^[^+#$/]([^+#]*[^+#/])?$"
SLOWEST_FPS = 0.1
TopicStart = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        pattern=TOPIC_PATTERN,
        description="text in quotes without +, #, or / at either end",
    ),
]
EXCLUDED_POSES = 10  # in the mirrors and screens of one frame, at most
Share = Annotated[float, Meta(ge=0, le=1)]
Pixels = Annotated[int, Meta(ge=1, le=8192)]
InputPixels = Annotated[int, Meta(ge=33, le=2049)]
Name = Annotated[str, Meta(pattern="^[a-z0-9_]+$", max_length=64, description="up to 64 of a-z, 0-9 and _, in quotes")]
Place = Annotated[
    tuple[Share, Share],
    Meta(description="[x, y]: fractions of the picture from 0 to 1, from the left and from the top"),
]


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration file."""


class Device(Table, frozen=True):
    id: Annotated[
        str, Meta(pattern=ID_PATTERN, max_length=64, description="up to 64 of a-z, 0-9, _ and -, in quotes")
    ] = ""
    name: Annotated[str, Meta(min_length=1, max_length=128)] = "Pose sensor"

    @property
    def topic_id(self) -> str:
        """The ID in topics: the configured one, or one derived from this machine's ID."""
        return self.id or _machine_device_id()


class Camera(Table, frozen=True):
    enabled: bool = True
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
        """Height and width of the input, px; None for the model's own."""
        return None if self.input_size == "auto" else self.input_size


class Inference(Table, frozen=True):
    device: Annotated[str, Meta(pattern=DEVICE_PATTERN, description=DEVICE_HELP)] = "auto"
    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    retry_s: Annotated[float, Meta(ge=1, le=86400)] = 300
    library: Annotated[str, Meta(min_length=1)] = "libedgetpu.so.1"

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))


class Decode(Table, frozen=True):
    mode: Literal["multi", "single"] = "multi"
    max_people: Annotated[int, Meta(ge=1, le=100)] = 10
    nms_radius_px: Annotated[float, Meta(ge=0, le=1000)] = 10


class People(Table, frozen=True):
    second_opinion: Literal["auto", "off"] = "auto"
    detect_lying: bool = True


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


class Presence(Table, frozen=True):
    enabled: bool = True
    enter_s: Annotated[float, Meta(ge=0, le=60)] = 0.5
    leave_s: Annotated[float, Meta(ge=1, le=3600)] = 10.0


class Postures(Table, frozen=True):
    enabled: bool = True


class Fall(Table, frozen=True):
    enabled: bool = True
    confirm_s: Annotated[float, Meta(ge=0.5, le=10)] = 2.0
    still_down_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    clear_s: Annotated[float, Meta(ge=1, le=3600)] = 10.0
    lost_clear_s: Annotated[float, Meta(ge=10, le=86400)] = 600.0


class Gestures(Table, frozen=True):
    enabled: bool = True
    hold_s: Annotated[float, Meta(ge=0.3, le=60)] = 1.0


class Zone(Table, frozen=True):
    name: Name
    points: Annotated[
        tuple[Place, ...],
        Meta(min_length=3, max_length=64, description="3 to 64 points [x, y], as fractions of the picture from 0 to 1"),
    ]
    kind: Literal["area", "bed", "exclude"] = "area"
    loitering_s: Annotated[float, Meta(ge=0, le=86400)] = 0.0


class Line(Table, frozen=True):
    name: Name
    start: Place = field(name="from")
    to: Place


class Recording(Table, frozen=True):
    enabled: bool = False
    folder: Annotated[str, Meta(pattern="^/", description="a path in quotes that begins with /")] = (
        "/var/lib/edge-pose/recordings"
    )
    max_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 500


class Idle(Table, frozen=True):
    after_s: Annotated[float, Meta(ge=0, le=86400)] = 20.0
    check_s: Annotated[float, Meta(ge=0.1, le=3)] = 2.0  # rules count at most 3 s between two frames


class HomeAssistant(Table, frozen=True):
    enabled: bool = True
    prefix: TopicStart = "homeassistant"


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
    base_topic: TopicStart = "edge-pose"
    max_rate_hz: Annotated[float, Meta(ge=0, le=1000)] = 0
    heartbeat_s: Annotated[float, Meta(ge=1, le=86400)] = 60
    snapshot_s: Annotated[float, Meta(ge=0, le=86400)] = 0
    tls: Tls = field(default_factory=Tls)


class Web(Table, frozen=True):
    enabled: bool = False
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8077
    names: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=253)], ...],
        Meta(max_length=16, description="a list of up to 16 host names in quotes"),
    ] = ()
    password_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @property
    def beyond_loopback(self) -> bool:
        """Whether other machines can open the page."""
        return not is_loopback(self.host)

    @property
    def tls(self) -> bool:
        """Whether the page uses https."""
        return self.beyond_loopback or bool(self.cert_file)


class Privacy(Table, frozen=True):
    allow_pictures: bool = False


class Config(Table, frozen=True):
    device: Device = field(default_factory=Device)
    camera: Camera = field(default_factory=Camera)
    model: Model = field(default_factory=Model)
    inference: Inference = field(default_factory=Inference)
    decode: Decode = field(default_factory=Decode)
    people: People = field(default_factory=People)
    filter: Filter = field(default_factory=Filter)
    tracking: Tracking = field(default_factory=Tracking)
    smoothing: Smoothing = field(default_factory=Smoothing)
    presence: Presence = field(default_factory=Presence)
    posture: Postures = field(default_factory=Postures)
    fall: Fall = field(default_factory=Fall)
    gestures: Gestures = field(default_factory=Gestures)
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    idle: Idle = field(default_factory=Idle)
    recording: Recording = field(default_factory=Recording)
    mqtt: Mqtt = field(default_factory=Mqtt)
    home_assistant: HomeAssistant = field(default_factory=HomeAssistant)
    web: Web = field(default_factory=Web)
    privacy: Privacy = field(default_factory=Privacy)

    @property
    def max_poses(self) -> int:
        """The most poses to decode per frame: those in excluded zones do not count as people.

        The decoders are opened once, and the page may add such a zone while they run.
        """
        may_exclude = self.web.enabled or any(zone.kind == "exclude" for zone in self.zones)
        return self.decode.max_people + (EXCLUDED_POSES if may_exclude else 0)


def _machine_device_id() -> str:
    """An ID such as edge-0a1b2c, which stays the same until the system is reinstalled."""
    # machine-id(5) says that the machine ID itself must not leave the machine.
    identity = read_text(Path("/etc/machine-id"))
    return "edge-" + hashlib.sha256(f"edge-pose {identity or socket.gethostname()}".encode()).hexdigest()[:6]
