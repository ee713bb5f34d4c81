"""The configuration: its schema, loading, checks, and the passwords."""

from edge.config.credentials import HOME, as_home, find_credential, password, web_password
from edge.config.hosts import host_and_port
from edge.config.load import DEFAULT_PATH, ENV_PREFIX, load, variable_of
from edge.config.schema import (
    Camera,
    Config,
    Decode,
    Device,
    Filter,
    HomeAssistant,
    Idle,
    Inference,
    InputPixels,
    Line,
    Model,
    Mqtt,
    People,
    Presence,
    Privacy,
    Recording,
    Smoothing,
    Tls,
    Tracking,
    Web,
    Zone,
)  # fmt: skip

__all__ = [
    "DEFAULT_PATH", "ENV_PREFIX", "HOME", "Camera", "Config", "Decode", "Device", "Filter", "HomeAssistant", "Idle",
    "Inference", "InputPixels", "Line", "Model", "Mqtt", "People", "Presence", "Privacy", "Recording", "Smoothing",
    "Tls", "Tracking", "Web", "Zone", "as_home", "find_credential", "host_and_port", "load", "password", "variable_of",
    "web_password",
]  # fmt: skip
