"""Settings: values in force, refusals, and what outlasts a restart."""

from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import Config
from edge.config.settings import SETTINGS, is_switch, parse, text_of, value_of
from edge.errors import ConfigError
from edge.service.settings import SAVE_S, Overrides, Settings

FILE = Config()


def config(**tables: Any) -> Config:
    return msgspec.convert(tables, Config)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "hall.settings.json"


def opened(path: Path | None, file: Config = FILE) -> Settings:
    return Settings(file, Overrides(path), monotonic=count(0, 10).__next__)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_can_be_changed_and_outlasts_a_restart(name: str, path: Path) -> None:
    value = ("ON" if value_of(FILE, name) is False else "OFF") if is_switch(name) else "1"
    settings, seen = opened(path), list[Config]()
    settings.changed = seen.append
    settings.set(name, value)
    assert seen == [FILE]
    assert text_of(value_of(settings.config, name)) == value
    assert settings.overrides == {name: value_of(settings.config, name)}
    assert opened(path).config == settings.config


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("enabled", "0"), ("enabled", ""), ("enabled", "true"), ("enabled", "o\ufb00"), ("fall_confirm_s", "0.4"),
        ("fall_confirm_s", "nan"), ("fall_confirm_s", "inf"), ("fall_confirm_s", "1e3"), ("fall_confirm_s", "1_0"),
        ("fall_confirm_s", "²"),
        ("min_confidence", "-0.1"), ("max_rate_hz", "9" * 400), ("presence_leave_s", "ON"), ("min_confidence", "0,5"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused_and_changes_nothing(name: str, text: str, path: Path) -> None:
    settings = opened(path)
    with pytest.raises(ConfigError) as refusal:
        settings.set(name, text)
    assert refusal.value.key == name
    assert settings.config == FILE
    assert not path.exists()


def test_values_are_written_as_short_as_they_can_be_read() -> None:
    for text in ("ON", "OFF", "0.3", "2", "0.1", "999999999", "0.30000000000000004", "0.00001"):
        name = "enabled" if text.isalpha() else "max_rate_hz"
        assert text_of(parse(name, text)) == text
    assert parse("enabled", "off") is False


def test_a_setting_holds_until_the_file_says_something_else(path: Path) -> None:
    opened(path).set("fall_confirm_s", "5")
    assert opened(path, config(presence={"leave_s": 3})).config.fall.confirm_s == 5
    assert opened(path, config(fall={"confirm_s": 3})).config.fall.confirm_s == 3
    assert opened(path).config == FILE


def test_a_camera_that_was_switched_on_once_is_off_when_the_file_says_so_again(path: Path) -> None:
    off, on = config(camera={"enabled": False}), config(camera={"enabled": True})
    opened(path, off).set("enabled", "ON")
    for file in (on, off):
        assert opened(path, file).config == file


def test_the_value_of_the_file_is_no_override(path: Path) -> None:
    settings = opened(path)
    settings.set("fall_confirm_s", "5")
    settings.set("fall_confirm_s", "2")
    assert (settings.overrides, settings.config) == ({}, FILE)


def test_a_reset_goes_back_to_the_file_but_never_opens_the_camera(path: Path) -> None:
    settings = opened(path)
    settings.set("fall_confirm_s", "5")
    settings.set("enabled", "OFF")
    settings.reset()
    assert settings.overrides == {"enabled": False}
    assert opened(path).config.camera.enabled is False


def test_a_reset_closes_a_camera_that_is_off_in_the_file(path: Path) -> None:
    settings = opened(path, config(camera={"enabled": False}))
    settings.set("enabled", "ON")
    settings.reset()
    assert settings.config.camera.enabled is False


def test_a_change_to_the_same_value_is_no_change(path: Path) -> None:
    settings, seen = opened(path), list[Config]()
    settings.changed = seen.append
    settings.set("fall_confirm_s", "2.0")
    assert not seen


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"v": 1, "settings": {"fall": 3}}', b"\xff\x00", b'{"more": ' + b"[" * 100_000]
)
def test_a_damaged_file_is_set_aside(content: bytes, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert opened(path).config == FILE
    assert len(caplog.records) == 1
    assert [one.read_bytes() for one in path.parent.iterdir()] == [content]
    assert not path.exists()


def test_saved_values_that_are_no_longer_valid_are_dropped(path: Path) -> None:
    path.parent.mkdir()
    values = '"fall_confirm_s": {"value": 99, "file": 2}, "gone": {"value": 1, "file": 1}'
    path.write_text(f'{{"v": 1, "settings": {{{values}, "posture": {{"value": false, "file": true}}}}}}')
    assert opened(path).overrides == {"posture": False}


def test_a_folder_that_cannot_be_written_gives_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    settings = opened(tmp_path / "file" / "hall.settings.json")
    settings.set("fall_confirm_s", "5")
    settings.set("fall_confirm_s", "6")
    assert settings.config.fall.confirm_s == 6
    assert "hall.settings.json" in caplog.text
    assert len(caplog.records) == 2  # it cannot be read either
    (tmp_path / "file").unlink()
    settings.tick()
    assert opened(tmp_path / "file" / "hall.settings.json").config.fall.confirm_s == 6


def test_a_file_that_cannot_be_cleaned_gives_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened(path).set("fall_confirm_s", "5")

    def refuse(*_arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("edge.service.settings.write_state", refuse)
    other = config(fall={"confirm_s": 3})
    assert opened(path, other).config == other
    assert len(caplog.records) == 1


def test_the_privacy_switch_is_saved_at_once(path: Path) -> None:
    settings = Settings(FILE, Overrides(path), monotonic=lambda: 100.0)
    settings.set("fall_confirm_s", "5")
    settings.set("enabled", "OFF")
    assert opened(path).config.camera.enabled is False


def test_many_changes_are_saved_once_per_second(path: Path) -> None:
    now_s = [100.0]
    settings = Settings(FILE, Overrides(path), monotonic=lambda: now_s[0])
    settings.set("fall_confirm_s", "5")
    settings.set("fall_confirm_s", "6")
    settings.tick()
    assert opened(path).config.fall.confirm_s == 5
    now_s[0] += SAVE_S
    settings.tick()
    assert opened(path).config.fall.confirm_s == 6
    settings.set("fall_confirm_s", "7")
    settings.save()  # at the end
    assert opened(path).config.fall.confirm_s == 7
