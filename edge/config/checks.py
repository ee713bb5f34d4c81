"""Checks that go beyond the type and range of one key."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge.config.credentials import has_web_password, password
from edge.config.hosts import is_host
from edge.config.schema import PART_NAMES, SLOWEST_FPS, Config, Mqtt, Tls, Web, Zone
from edge.config.validation import key_of_entry
from edge.errors import ConfigError
from edge.geometry import area, crossing_sides

# `state.zones.<name>` in a template would be one of these methods or constants instead of the zone.
_RESERVED_NAMES = {"get", "items", "keys", "values", "none", "null", "true", "false", "unknown", "unavailable"}
MOST_PLACES = 64  # zones, and as many lines: every frame is compared with all of them
_SMALLEST_AREA = 1e-4  # of the picture: 5 x 6 px of 640 x 480


def check(config: Config) -> None:
    """Check everything except the tables [mqtt] and [web]. Raises ConfigError."""
    _check_text(msgspec.to_builtins(config))
    for name in config.filter.parts:
        if name not in PART_NAMES:
            near = difflib.get_close_matches(name.upper(), PART_NAMES, 1)
            remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(PART_NAMES)}"
            raise ConfigError(f"filter.parts.{name}", "unknown body part", remedy)
    if 0 < config.camera.fps < SLOWEST_FPS:
        problem = f"{config.camera.fps} is too slow for systemd's watchdog"
        raise ConfigError("camera.fps", problem, f"use 0 or {SLOWEST_FPS} to 240")
    _check_names("zones", [zone.name for zone in config.zones])
    _check_names("lines", [line.name for line in config.lines])
    for zone in config.zones:
        _check_zone(zone)
    for line in config.lines:
        if line.start == line.to:
            remedy = "use two different points: the arrow between them shows which side is which"
            raise ConfigError(f"lines.{line.name}", "from and to are the same point", remedy)


def check_broker(mqtt: Mqtt) -> None:
    """Check the table [mqtt], which includes reading the password and the certificates. Raises ConfigError."""
    if not mqtt.host:
        raise ConfigError("mqtt.host", "is missing", 'name the broker, e.g. host = "192.168.1.10"')
    if not is_host(mqtt.host):
        remedy = "write only the name or address, without mqtt:// and without the port"
        raise ConfigError("mqtt.host", f"{mqtt.host!r} is not a host name", remedy)
    if mqtt.password_file and password(mqtt) and not mqtt.username:
        problem = "is missing, although mqtt.password_file is set"
        raise ConfigError("mqtt.username", problem, "write the broker's user name")
    _check_tls(mqtt.tls)


def check_web(web: Web) -> None:
    """Check the table [web] if the page is enabled, which includes reading the password. Raises ConfigError.

    The certificate is not read: without one, the sensor works and only the page is missing.
    """
    if not web.enabled:
        return
    for key, hosts in (("web.host", [web.host]), ("web.names", web.names)):
        for host in hosts:
            if not is_host(host):
                raise ConfigError(key, f"{host!r} is not a host name", "write only a name or address, without a port")
    if bool(web.cert_file) != bool(web.key_file):
        raise ConfigError("web", "only one of cert_file and key_file is set", "set both or neither")
    check_reach(web, has_password=has_web_password(web))


def check_reach(web: Web, *, has_password: bool) -> None:
    """Refuse a page that other machines can open without a password. Raises ConfigError."""
    if web.beyond_loopback and not has_password:
        problem = f"{web.host} can be reached from other machines, and no password is set"
        raise ConfigError("web.host", problem, "set web.password_file, or use 127.0.0.1")


def _check_names(key: str, names: Sequence[str]) -> None:
    if len(names) > MOST_PLACES:
        raise ConfigError(key, f"there are {len(names)}", f"use at most {MOST_PLACES}")
    for index, name in enumerate(names):
        if name in _RESERVED_NAMES:
            problem = f'"{name}" has a meaning of its own in templates'
            raise ConfigError(f"{key}[{index + 1}].name", problem, f'use another name, e.g. "{name}_1"')
        if name in names[:index]:
            raise ConfigError(f"{key}[{index + 1}].name", f'"{name}" is used twice', "give each its own name")


def _check_zone(zone: Zone) -> None:
    key = f"zones.{zone.name}"
    crossing = crossing_sides(zone.points)
    if crossing:
        problem = "the sides from point {} and from point {} cross".format(*(edge + 1 for edge in crossing))
        raise ConfigError(f"{key}.points", problem, "list the points in order around the zone")
    if area(zone.points) < _SMALLEST_AREA:
        raise ConfigError(f"{key}.points", "the points enclose no area", "use corners that are not on one line")
    if zone.kind == "exclude" and zone.loitering_s:
        remedy = "remove it, or use another kind"
        raise ConfigError(f"{key}.loitering_s", "has no effect in a zone of kind exclude", remedy)


def _check_tls(tls: Tls) -> None:
    if not tls.enabled and (tls.ca_file or tls.cert_file or tls.key_file):
        raise ConfigError("mqtt.tls.enabled", "is false, although TLS files are set", "set enabled = true")
    if bool(tls.cert_file) != bool(tls.key_file):
        raise ConfigError("mqtt.tls", "only one of cert_file and key_file is set", "set both or neither")
    for key in ("ca_file", "cert_file", "key_file"):
        if file := getattr(tls, key):
            try:
                Path(file).read_bytes()
            except OSError as exc:
                problem = f"cannot read {file} ({exc.strerror})"
                raise ConfigError(f"mqtt.tls.{key}", problem, "check the path and its permissions") from exc


def _check_text(value: Any, key: str = "") -> None:
    """Refuse line breaks and NUL: no file name, topic or address needs them, and many libraries fail on them."""
    if isinstance(value, dict):
        for name, entry in value.items():
            _check_text(entry, f"{key}.{name}" if key else name)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            _check_text(entry, key_of_entry(key, index, entry) if isinstance(entry, dict) else key)
    elif isinstance(value, str) and any(ord(character) < ord(" ") for character in value):
        raise ConfigError(key, f"{value!r} contains control characters", "remove them")
