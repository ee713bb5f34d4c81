"""`edge-pose replay`: files, folders, the configuration, and what is printed where."""

import gzip
import json
from pathlib import Path

import jsonschema
import pytest

from edge.errors import EXIT_CONFIG, EXIT_USAGE
from edge.mqtt.topics import schemas
from edge.types import Observation
from tests.support.people import person
from tests.support.recordings import files, observed, record
from tests.support.sensor import run_edge

RULES = {"presence": {"enabled": True, "enter_s": 0.5, "leave_s": 2.0}, "zones": [], "lines": []}


def visit() -> list[Observation]:
    """A person is in view for three seconds, and the room is then empty for five."""
    return [observed(number, *((person(1),) if number < 45 else ())) for number in range(120)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    record(folder, visit(), max_bytes=200_000, rules=RULES)
    assert len(files(folder)) > 2
    return folder


def test_it_prints_a_line_per_event_and_the_number_of_events(folder: Path) -> None:
    done = run_edge("replay", str(folder))
    assert done.returncode == 0, done.stderr
    arrived, left = done.stdout.splitlines()
    assert arrived.startswith("18:00:00.534  hall  #8  presence arrived")
    assert left.startswith("18:00:04.")
    assert "presence left" in left
    assert done.stderr == "2 events\n"


def test_a_file_and_its_compressed_copy_are_played_once(folder: Path) -> None:
    for file in files(folder)[:2]:
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    files(folder)[0].unlink()
    done = run_edge("replay", str(folder))
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "2 events\n")


def test_json_gives_the_events_as_on_mqtt(folder: Path) -> None:
    done = run_edge("replay", "--json", *map(str, reversed(files(folder))))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event_type"] for event in events] == ["arrived", "left"]
    assert events[0]["id"] == events[1]["id"]
    for event in events:
        jsonschema.validate(event, schemas()["event"])


def test_a_named_configuration_replaces_the_recorded_rules_but_not_the_device(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "edge-pose.toml"
    config.write_text('[device]\nid = "other"\n[presence]\nleave_s = 60\n')
    before, after = (
        [json.loads(line) for line in run_edge("replay", "--json", str(folder), *options).stdout.splitlines()]
        for options in ((), ("--config", str(config)))
    )
    assert after == before[:1]
    config.write_text("[presence]\nleave = 60\n")
    wrong = run_edge("replay", str(folder), "--config", str(config))
    assert wrong.returncode == EXIT_CONFIG
    assert "presence.leave" in wrong.stderr


def test_damaged_lines_are_reported_on_standard_error(folder: Path) -> None:
    file = files(folder)[0]
    lines = file.read_bytes().splitlines(keepends=True)
    lines[4] = b"damaged\n"
    file.write_bytes(b"".join(lines))
    done = run_edge("replay", "--json", str(folder))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    first, last = done.stderr.splitlines()
    assert first.startswith(f"edge-pose: {file}: line 5: ")
    assert last == "2 events"


@pytest.mark.parametrize("what", ["missing", "empty folder", "no recording"])
def test_what_cannot_be_replayed_is_a_usage_error(tmp_path: Path, what: str) -> None:
    path = tmp_path / "what"
    if what == "empty folder":
        path.mkdir()
    elif what == "no recording":
        path.write_text("hello\n")
    done = run_edge("replay", str(path))
    assert done.returncode == EXIT_USAGE
    assert done.stderr.splitlines()[-1].startswith(f"edge-pose: {path}: ")


def test_rules_that_this_version_does_not_know_need_a_configuration(tmp_path: Path) -> None:
    record(tmp_path / "new", visit(), rules={"presence": {"added": 1}})
    done = run_edge("replay", str(tmp_path / "new"))
    assert done.returncode == EXIT_USAGE
    assert done.stderr.startswith("edge-pose: --config: ")
    config = tmp_path / "edge-pose.toml"
    config.write_text("")
    assert run_edge("replay", str(tmp_path / "new"), "--config", str(config)).returncode == 0
