"""Zones and lines that replace those of the file, and their text for the file."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import Config, Line, Zone, load
from edge.config.checks import MOST_PLACES
from edge.config.places import same_places, with_places
from edge.config.places_toml import places_toml
from edge.errors import ConfigError

TRIANGLE = [[0.1, 0.2], [0.30000000000000004, 1], [1e-5, 0.9]]
PLACES: dict[str, Any] = {
    "zones": [
        {"name": "bed", "points": TRIANGLE, "kind": "bed"},
        {"name": "desk", "points": TRIANGLE, "loitering_s": 2.5},
        {"name": "mirror", "points": TRIANGLE, "kind": "exclude"},
    ],
    "lines": [{"name": "door", "from": [0.2, 0.9], "to": [0.2, 0]}],
}


def zones(*tables: dict[str, Any]) -> tuple[Zone, ...]:
    return msgspec.convert(tables, tuple[Zone, ...])


def test_places_replace_those_of_the_file_and_nothing_else() -> None:
    file, other = msgspec.convert(PLACES | {"fall": {"confirm_s": 3}}, Config), zones({"name": "a", "points": TRIANGLE})
    changed = with_places(file, other, ())
    assert (changed.zones, changed.lines, changed.fall) == (other, (), file.fall)
    assert not same_places(changed, file)
    assert with_places(changed, file.zones, file.lines) == file


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        (zones({"name": "a", "points": [[0, 0], [1, 1], [1, 0], [0, 1]]}), "zones.a.points"),
        (zones({"name": "a", "points": [[0, 0], [1, 1], [0.5, 0.5]]}), "zones.a.points"),
        (zones(*[{"name": "a", "points": TRIANGLE}] * 2), "zones[2].name"),
        (zones({"name": "keys", "points": TRIANGLE}), "zones[1].name"),
        (zones({"name": "a", "points": TRIANGLE, "kind": "exclude", "loitering_s": 1}), "zones.a.loitering_s"),
        (zones(*({"name": f"z{k}", "points": TRIANGLE} for k in range(MOST_PLACES + 1))), "zones"),
    ],
)
def test_places_are_checked_like_the_file(wanted: tuple[Zone, ...], key: str) -> None:
    with pytest.raises(ConfigError) as exc:
        with_places(Config(), wanted, ())
    assert exc.value.key == key


def test_lines_are_checked_like_the_file() -> None:
    point = msgspec.convert([{"name": "a", "from": [0, 0], "to": [0, 0]}], tuple[Line, ...])
    with pytest.raises(ConfigError) as exc:
        with_places(Config(), (), point)
    assert exc.value.key == "lines.a"


def test_places_written_as_toml_are_the_same_in_the_configuration_file(tmp_path: Path) -> None:
    config = msgspec.convert(PLACES, Config)
    file = tmp_path / "edge-pose.toml"
    file.write_text('[mqtt]\nhost = "127.0.0.1"\n\n' + places_toml(config.zones, config.lines), encoding="utf-8")
    assert same_places(load(file, {}), config)


def test_defaults_are_left_out_of_the_toml() -> None:
    config = msgspec.convert(PLACES, Config)
    assert tomllib.loads(places_toml(config.zones, config.lines)) == PLACES


def test_without_places_the_toml_is_empty() -> None:
    assert places_toml((), ()) == ""
