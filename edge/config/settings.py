"""Settings: the keys of the configuration that can be changed while the sensor runs."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from edge.config.checks import check
from edge.config.schema import Config
from edge.config.validation import explain, limits, plain_type
from edge.errors import ConfigError

Value: TypeAlias = bool | float
# As it may be sent. Programs print the nearest number to 0.3 with 17 decimals: 0.30000000000000004.
NUMBER = r"[+-]?[0-9]{1,9}(\.[0-9]{1,20})?"

# The name of each setting on the wire, and its key.
SETTINGS = {
    "enabled": "camera.enabled",
    "min_confidence": "filter.min_confidence",
    "max_rate_hz": "mqtt.max_rate_hz",
    "presence": "presence.enabled",
    "posture": "posture.enabled",
    "fall": "fall.enabled",
    "gestures": "gestures.enabled",
    "fall_confirm_s": "fall.confirm_s",
    "presence_leave_s": "presence.leave_s",
}


def value_of(config: Config, name: str) -> Value:
    """The value of a setting in a configuration."""
    value: Any = config
    for step in SETTINGS[name].split("."):
        value = getattr(value, step)
    return value if isinstance(value, bool) else float(value)


def is_switch(name: str) -> bool:
    """Whether the values of a setting are ON and OFF; otherwise they are numbers."""
    return plain_type(Config, SETTINGS[name].split(".")) is bool


def limits_of(name: str) -> tuple[float, float]:
    """The smallest and the largest value of a setting that is a number."""
    return limits(Config, SETTINGS[name].split("."))


def text_of(value: Value) -> str:
    """A value as on the wire: ON, OFF, or the shortest number without an exponent."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return format(Decimal(repr(int(value) if value == int(value) else value)), "f")


def parse(name: str, text: str) -> Value:
    """The value that a text means. Limits are checked by `with_values`. Raises ConfigError."""
    if is_switch(name):
        if re.fullmatch("on|off", text, re.ASCII | re.IGNORECASE):
            return len(text) == len("on")
        raise ConfigError(name, f"{text!r} is no switch position", "send ON or OFF")
    if not re.fullmatch(NUMBER, text):
        raise ConfigError(name, f"{text!r} is no number", "send digits, such as 2.5")
    return float(text)


def with_values(config: Config, values: Mapping[str, Value]) -> Config:
    """The configuration with these settings, checked like the file. Raises ConfigError; its key is the setting."""
    tables: dict[str, Any] = msgspec.to_builtins(config)
    for name, value in values.items():
        table, key = SETTINGS[name].split(".")
        tables[table][key] = value
        try:
            config = msgspec.convert(tables, Config)
        except msgspec.ValidationError as exc:
            _, problem, remedy = explain(exc, tables, Config)
            raise ConfigError(name, problem, remedy) from exc
    check(config)
    return config
