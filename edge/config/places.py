"""Zones and lines that are used instead of those in the configuration file."""

from collections.abc import Iterable

import msgspec

from edge.config.checks import check
from edge.config.schema import Config, Line, Zone


def with_places(config: Config, zones: Iterable[Zone], lines: Iterable[Line]) -> Config:
    """The configuration with these zones and lines, checked like the file. Raises ConfigError."""
    changed = msgspec.structs.replace(config, zones=tuple(zones), lines=tuple(lines))
    check(changed)
    return changed


def same_places(one: Config, other: Config) -> bool:
    """Whether two configurations have the same zones and lines."""
    return (one.zones, one.lines) == (other.zones, other.lines)
