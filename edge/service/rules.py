"""Build the rules from the configuration, or from the header of a recording."""

from typing import Any

import msgspec

from edge.config import Config
from edge.rules.fall import Falls
from edge.rules.gestures import Gestures
from edge.rules.lines import Line, Lines
from edge.rules.posture import PostureClassifier
from edge.rules.presence import Presence
from edge.rules.rules import Rule, Rules
from edge.rules.values import Event
from edge.rules.zones import Zone, Zones

_TABLES = ("presence", "posture", "fall", "gestures", "zones", "lines")


def tables_of_rules(config: Config) -> dict[str, Any]:
    """The tables from which the rules are built, as a recording keeps them."""
    tables: dict[str, Any] = msgspec.to_builtins(config)
    return {name: tables[name] for name in _TABLES}


def config_of_rules(tables: dict[str, Any], device_id: str) -> Config:
    """A configuration with these tables. Raises msgspec.ValidationError if this version does not know all of them."""
    return msgspec.convert({**tables, "device": {"id": device_id}}, Config)


def open_rules(config: Config) -> Rules:
    """All enabled rules."""
    enabled = _enabled(config)
    return Rules(
        enabled,
        device_id=config.device.topic_id,
        postures=PostureClassifier(),
        show_postures=config.posture.enabled,
        places=_places(enabled),
    )


def reconfigure(rules: Rules, config: Config) -> tuple[Event, ...]:
    """Bring running rules in line with a changed configuration; returns the events that end.

    These keys may change: `enabled` of presence, posture, fall and gestures, `fall.confirm_s`, `presence.leave_s`, and
    all zones and lines. Rules that stay enabled keep their state, and so do zones and lines that stay as they are.
    """
    running = {type(rule): rule for rule in rules.running}
    zones = running.get(Zones)
    ended = zones.use(_zones(config)) if isinstance(zones, Zones) else []
    wanted = [_continued(running.get(type(rule)), rule, config) for rule in _enabled(config)]
    return rules.replace(
        wanted,
        places=_places(wanted),
        show_postures=config.posture.enabled,
        reason="switched off",
        ended=ended,
    )


def _continued(running: Rule | None, wanted: Rule, config: Config) -> Rule:
    """The running rule with the settings of the wanted one; the wanted one if none is running."""
    match running, wanted:
        case Presence(), Presence():
            running.leave_s = wanted.leave_s
        case Zones(), Zones():
            running.leave_s = wanted.leave_s
        case Lines(), Lines():
            running.use(_lines(config))
        case Falls(), Falls():
            running.confirm_s, running.beds = wanted.confirm_s, wanted.beds
    return running or wanted


def _places(rules: list[Rule]) -> Zones | None:
    return next((rule for rule in rules if isinstance(rule, Zones)), None)


def _enabled(config: Config) -> list[Rule]:
    rules: list[Rule] = []
    if config.presence.enabled:
        rules.append(Presence(enter_s=config.presence.enter_s, leave_s=config.presence.leave_s))
    if zones := _zones(config):
        rules.append(Zones(zones, leave_s=config.presence.leave_s))
    if lines := _lines(config):
        rules.append(Lines(lines))
    if config.fall.enabled:
        rules.append(_falls(config))
    if config.gestures.enabled:
        rules.append(Gestures(hold_s=config.gestures.hold_s))
    return rules


def _zones(config: Config) -> list[Zone]:
    """The zones in which people are located: all but those of kind "exclude"."""
    return [Zone(zone.name, zone.points, zone.loitering_s) for zone in config.zones if zone.kind != "exclude"]


def _lines(config: Config) -> list[Line]:
    return [Line(line.name, line.start, line.to) for line in config.lines]


def _falls(config: Config) -> Falls:
    fall = config.fall
    return Falls(
        confirm_s=fall.confirm_s,
        still_down_s=fall.still_down_s,
        clear_s=fall.clear_s,
        lost_clear_s=fall.lost_clear_s,
        beds=[zone.points for zone in config.zones if zone.kind == "bed"],
    )
