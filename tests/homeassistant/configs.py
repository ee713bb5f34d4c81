"""Configurations for tests."""

from typing import Any

import msgspec

from edge.config import Config

BED = {"name": "bed", "kind": "bed", "points": [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]}
MIRROR = {"name": "mirror", "kind": "exclude", "points": [[0.5, 0.5], [0.6, 0.5], [0.6, 0.9]]}
DOOR = {"name": "door", "from": [0.2, 0.9], "to": [0.2, 0.4]}


def config_with(**tables: Any) -> Config:
    """The configuration of the device `hall` with these tables."""
    return msgspec.convert({"device": {"id": "hall"}, **tables}, Config)
