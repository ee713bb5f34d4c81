"""Zones and lines from the page: what holds, what outlasts a restart, and what is refused."""

from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import Config, Line, Zone
from edge.config.places import same_places
from edge.errors import ConfigError, RequestError
from edge.service.places import SavedPlaces
from edge.service.settings import PLACES_BURST, PLACES_REFILL_S, Overrides, Settings

CORNERS = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]
BED = {"name": "bed", "points": CORNERS, "kind": "bed"}
DOOR = {"name": "door", "from": [0.2, 0.9], "to": [0.2, 0.4]}


def config(**tables: Any) -> Config:
    return msgspec.convert(tables, Config)


FILE = config(zones=[{"name": "desk", "points": CORNERS}])
DRAWN = config(zones=[BED], lines=[DOOR])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "hall.places.json"


def opened(path: Path | None, file: Config = FILE) -> Settings:
    return Settings(file, Overrides(None), SavedPlaces(path), monotonic=count(0, 10).__next__)


def test_places_replace_those_of_the_file_and_outlast_a_restart(path: Path) -> None:
    settings, seen = opened(path), list[Config]()
    settings.changed = seen.append
    settings.use_places(DRAWN.zones, DRAWN.lines)
    assert seen == [FILE]
    for one in (settings, opened(path)):
        assert (one.config, one.basis, one.file) == (DRAWN, DRAWN, FILE)
        assert one.places_changed
        assert one.overrides == {}


def test_places_are_on_the_disk_before_they_are_used(path: Path) -> None:
    """The answer comes after that, so nothing that was confirmed is lost if the service is killed."""
    settings, kept = opened(path), list[Config]()
    settings.changed = lambda _before: kept.append(opened(path).config)
    settings.use_places(DRAWN.zones, DRAWN.lines)
    settings.reset_places()
    assert kept == [DRAWN, FILE]


def test_settings_and_places_hold_together(path: Path) -> None:
    settings = opened(path)
    settings.set("fall_confirm_s", "5")
    settings.use_places(DRAWN.zones, DRAWN.lines)
    settings.set("fall_confirm_s", "6")
    assert same_places(settings.config, DRAWN)
    assert settings.config.fall.confirm_s == 6
    assert settings.basis.fall.confirm_s == FILE.fall.confirm_s


def test_places_hold_until_the_file_has_other_ones(path: Path) -> None:
    opened(path).use_places(DRAWN.zones, DRAWN.lines)
    same = config(zones=[{"name": "desk", "points": CORNERS}], fall={"confirm_s": 3})
    assert same_places(opened(path, same).config, DRAWN)
    other = config(zones=[{"name": "desk", "points": CORNERS}], lines=[DOOR])
    assert not opened(path, other).places_changed
    assert not path.exists()
    assert opened(path).config == FILE


def test_the_places_of_the_file_are_no_change(path: Path) -> None:
    settings, seen = opened(path), list[Config]()
    settings.use_places(DRAWN.zones, DRAWN.lines)
    settings.changed = seen.append
    settings.use_places(FILE.zones, FILE.lines)
    assert (settings.config, settings.places_changed) == (FILE, False)
    assert not path.exists()
    settings.use_places(FILE.zones, FILE.lines)
    settings.reset_places()
    assert seen == [DRAWN]


def test_all_places_of_the_file_can_be_removed(path: Path) -> None:
    opened(path).use_places((), ())
    assert opened(path).config == Config()


def test_a_reset_goes_back_to_the_places_of_the_file(path: Path) -> None:
    settings, seen = opened(path), list[Config]()
    settings.use_places(DRAWN.zones, DRAWN.lines)
    settings.set("fall_confirm_s", "5")
    settings.set("enabled", "OFF")
    before = settings.config
    settings.changed = seen.append
    settings.reset()
    assert seen == [before]
    assert same_places(settings.config, FILE)
    assert settings.overrides == {"enabled": False}
    assert not path.exists()


def test_invalid_places_are_refused_and_change_nothing(path: Path) -> None:
    settings = opened(path)
    with pytest.raises(ConfigError) as exc:
        settings.use_places(msgspec.convert([BED, BED], tuple[Zone, ...]), ())
    assert exc.value.key == "zones[2].name"
    assert settings.config == FILE
    assert not path.parent.exists()


def test_places_that_cannot_be_saved_are_refused_and_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = opened(tmp_path / "file" / "hall.places.json")
    with pytest.raises(RequestError) as exc:
        settings.use_places(DRAWN.zones, DRAWN.lines)
    assert exc.value.key == "places"
    assert settings.config == FILE
    (tmp_path / "file").unlink()
    settings.use_places(DRAWN.zones, DRAWN.lines)
    assert settings.config == DRAWN


def test_places_are_saved_only_so_often(path: Path) -> None:
    now_s = [100.0]
    settings = Settings(FILE, Overrides(None), SavedPlaces(path), monotonic=lambda: now_s[0])

    def change(number: int) -> None:
        settings.use_places((), msgspec.convert([DOOR | {"name": f"door_{number}"}], tuple[Line, ...]))

    for number in range(PLACES_BURST):
        change(number)
    with pytest.raises(RequestError):
        change(99)
    assert opened(path).config == settings.config
    now_s[0] += PLACES_REFILL_S
    change(99)
    settings.reset_places()  # at any time


def test_refused_changes_count_because_checking_takes_time(path: Path) -> None:
    settings = Settings(FILE, Overrides(None), SavedPlaces(path), monotonic=lambda: 100.0)
    for _ in range(PLACES_BURST):
        with pytest.raises(ConfigError):
            settings.use_places(DRAWN.zones * 2, ())
    with pytest.raises(RequestError):
        settings.use_places(DRAWN.zones * 2, ())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b'{"v": 1}', b"\xff\x00", b'{"more": ' + b"[" * 100_000,
        b'{"v":1,"drawn":{"zones":[{"name":"bed","points":[[0,0],[1,2],[1,1]]}],"lines":[]},"file":{"zones":[],"lines":[]}}',
    ],
    ids=["empty", "torn", "fields", "binary", "deep", "range"],
)  # fmt: skip
def test_a_damaged_file_is_set_aside(content: bytes, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert opened(path).config == FILE
    assert len(caplog.records) == 1
    assert [one.read_bytes() for one in path.parent.iterdir()] == [content]
    assert not path.exists()


def test_places_that_this_version_refuses_are_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened(path).use_places(DRAWN.zones, DRAWN.lines)
    path.write_bytes(path.read_bytes().replace(b'"bed",', b'"items",', 1))
    assert opened(path).config == FILE
    assert len(caplog.records) == 1
    assert not path.exists()


def test_only_the_owner_can_read_the_file(path: Path) -> None:
    opened(path).use_places(DRAWN.zones, DRAWN.lines)
    assert path.stat().st_mode & 0o777 == 0o600
