"""Build the rules from the configuration."""

from edge.config import Config
from edge.rules.lines import Line, Lines
from edge.rules.posture import PostureClassifier
from edge.rules.presence import Presence
from edge.rules.rules import Rule, Rules
from edge.rules.zones import Zone, Zones


def open_rules(config: Config) -> Rules:
    """All enabled rules."""
    rules: list[Rule] = []
    if config.presence.enabled:
        rules.append(Presence(enter_s=config.presence.enter_s, leave_s=config.presence.leave_s))
    zones = _zones(config)
    if zones:
        rules.append(zones)
    if config.lines:
        rules.append(Lines([Line(line.name, line.start, line.to) for line in config.lines]))
    postures = PostureClassifier() if config.posture.enabled else None
    return Rules(rules, device_id=config.device.topic_id, postures=postures, places=zones)


def _zones(config: Config) -> Zones | None:
    """The zones in which people are located; None if there are none. Nothing is located in a zone of kind "exclude"."""
    zones = [Zone(zone.name, zone.points, zone.loitering_s) for zone in config.zones if zone.kind != "exclude"]
    return Zones(zones, leave_s=config.presence.leave_s) if zones else None
