"""Renamed keys: the old names work, and an upgrade rewrites them."""

import logging
import tomllib
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, load
from edge.config.renamed import RENAMED
from edge.config.upgrade import main, rewrite, upgrade
from edge.config.validation import plain_type
from edge.errors import EXIT_FAILURE, EXIT_OK, ConfigError
from tests.support import ROOT

OLD = Path(__file__).with_name("edge-pose-0.1.toml")  # as version 0.1 installed it
OLD_KEYS = "[decode]\nturned = false\n[inference]\nprobe_s = 60\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "edge-pose.toml"
    path.write_text(text, encoding="utf-8")
    return path


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_every_new_name_is_a_key_and_no_old_name_is() -> None:
    for old, new in RENAMED.items():
        assert plain_type(Config, new.split(".")) is not None
        assert plain_type(Config, old.split(".")) is None


def test_old_names_in_a_file_work_with_one_warning_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, OLD_KEYS)
    config = load(path, {}, broker=False)
    assert (config.people.detect_lying, config.inference.retry_s) == (False, 60)
    for line, (old, new) in zip(warnings(caplog), RENAMED.items(), strict=True):
        assert line.startswith(f"{path}: {old} is now called {new};")


def test_an_old_variable_works_with_a_warning_that_names_the_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "[people]\ndetect_lying = true\n")
    assert not load(path, {"EDGE_POSE_DECODE__TURNED": "false"}, broker=False).people.detect_lying
    (line,) = warnings(caplog)
    assert line.startswith("environment: EDGE_POSE_DECODE__TURNED is now called EDGE_POSE_PEOPLE__DETECT_LYING;")


def test_new_names_cause_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "[people]\ndetect_lying = false\n[inference]\nretry_s = 60\n")
    assert not load(path, {"EDGE_POSE_INFERENCE__RETRY_S": "5"}, broker=False).people.detect_lying
    assert warnings(caplog) == []


def test_both_names_with_the_same_value_are_accepted(tmp_path: Path) -> None:
    path = write(tmp_path, OLD_KEYS + "retry_s = 60\n[people]\ndetect_lying = false\n")
    variables = {"EDGE_POSE_DECODE__TURNED": "true", "EDGE_POSE_PEOPLE__DETECT_LYING": "true"}
    assert load(path, variables, broker=False).people.detect_lying


def test_both_names_with_different_values_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, OLD_KEYS + "[people]\ndetect_lying = true\n")
    with pytest.raises(ConfigError) as refused:
        load(path, {}, broker=False)
    assert (refused.value.origin, refused.value.key) == (str(path), "people.detect_lying")
    variables = {"EDGE_POSE_DECODE__TURNED": "true", "EDGE_POSE_PEOPLE__DETECT_LYING": "false"}
    for order in (list(variables), list(reversed(variables))):
        with pytest.raises(ConfigError) as refused:
            load(None, {name: variables[name] for name in order}, broker=False)
        assert refused.value.key == "EDGE_POSE_PEOPLE__DETECT_LYING"
        assert "EDGE_POSE_DECODE__TURNED" in refused.value.remedy


@pytest.mark.parametrize("text", ["decode = 3", "people = 3\n[decode]\nturned = true"])
def test_a_value_in_place_of_a_table_is_an_error_as_usual(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(tmp_path, text), {}, broker=False)
    assert refused.value.origin == str(tmp_path / "edge-pose.toml")


def test_an_untouched_0_1_file_becomes_the_current_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, OLD.read_text(encoding="utf-8"))
    path.chmod(0o640)
    line = upgrade(path)
    text = path.read_text(encoding="utf-8")
    current = tomllib.loads((ROOT / "config/edge-pose.toml").read_text(encoding="utf-8"))
    for name, table in tomllib.loads(text).items():  # tables and keys that came later keep their defaults
        assert table.items() <= current[name].items()
    assert msgspec.convert(tomllib.loads(text), Config) == Config()
    comments = [line.partition("#")[2] for line in OLD.read_text(encoding="utf-8").splitlines()]
    assert [line.partition("#")[2] for line in text.splitlines() if line not in ("", "[people]")] == [
        comment for comment, line in zip(comments, OLD.read_text(encoding="utf-8").splitlines(), strict=True) if line
    ]
    backup = tmp_path / "edge-pose.toml.bak"
    assert backup.read_text(encoding="utf-8") == OLD.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o640
    assert str(backup) in line
    assert all(old in line and new in line for old, new in RENAMED.items())


def test_an_upgraded_file_is_not_touched_again(tmp_path: Path) -> None:
    path = write(tmp_path, OLD.read_text(encoding="utf-8"))
    upgrade(path)
    before = path.stat()
    assert upgrade(path) == ""
    assert path.stat() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_second_upgrade_keeps_the_first_backup(tmp_path: Path) -> None:
    path = write(tmp_path, "[decode]\nturned = true\n")
    upgrade(path)
    write(tmp_path, "[decode]\nturned = false\n")
    upgrade(path)
    assert (tmp_path / "edge-pose.toml.bak").read_text() == "[decode]\nturned = true\n"
    assert (tmp_path / "edge-pose.toml.bak2").read_text() == "[decode]\nturned = false\n"


MOVED = """\
[decode]
# mine
mode = 'single'

[people]
detect_lying = false # why
                 # because

[mqtt]
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[decode]\n# mine\nturned = false   # why\n                 # because\nmode = 'single'\n\n[mqtt]\n", MOVED),
        ("[people]\n\n[decode]\nturned = false\n", "[people]\ndetect_lying = false\n\n[decode]\n"),
        ("[inference]\r\nprobe_s = 9 # x\r\n", "[inference]\r\nretry_s = 9 # x\r\n"),
        ("inference.probe_s = 9\n", "inference.retry_s = 9\n"),
        ("[inference]\nprobe_s = 9\nretry_s = 9 # x\n", "[inference]\nretry_s = 9 # x\n"),
        ("# only a comment\n", "# only a comment\n"),
    ],
)
def test_layout_and_comments_are_kept(before: str, after: str) -> None:
    assert rewrite(before)[0] == after


def test_a_file_that_cannot_be_rewritten_is_unchanged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inline = "decode = {turned = false, mode = 'single'}\n"
    for text in (inline, "[decode\n", OLD_KEYS + "retry_s = 61\n"):
        path = write(tmp_path, text)
        with pytest.raises(ConfigError) as refused:
            upgrade(path)
        assert str(path) in str(refused.value)
        assert path.read_text() == text
        assert [path] == list(tmp_path.iterdir())
    good = tmp_path / "good.toml"
    good.write_text(OLD_KEYS)
    assert main([str(path), str(good)]) == EXIT_FAILURE
    assert "retry_s" in good.read_text(), "one bad file does not stop the others"
    assert main([str(good)]) == EXIT_OK
    assert capsys.readouterr().out.count("\n") == 1
