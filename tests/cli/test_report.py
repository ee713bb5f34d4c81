"""`edge-pose report`: files in, one page or figures out."""

import gzip
import json
import stat
from pathlib import Path

import pytest

from edge.errors import EXIT_CONFIG, EXIT_USAGE
from tests.report.reports import NOON_S
from tests.support.days import TABLE, Script, falling
from tests.support.sensor import run_edge

ZONE = {"TZ": "UTC"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two parts of a recording with a fall, the second one compressed, in a folder of the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "recordings"
    folder.mkdir()
    script = Script(NOON_S)
    script.frames(20, falling(1, TABLE), step_s=0.1)
    script.write(folder / "hall-000001.jsonl")
    script.lines.clear()
    script.header(restarted=False)
    script.frames(20, lambda _second: (), step_s=2.0)
    second = script.write(folder / "hall-000002.jsonl")
    (folder / "hall-000002.jsonl.gz").write_bytes(gzip.compress(second.read_bytes()))
    second.unlink()
    return folder


def test_it_writes_a_page_that_only_its_owner_can_read(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.html"
    done = run_edge("report", str(folder), "-o", str(out), environ=ZONE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {out}\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_without_a_name_the_page_is_called_by_device_and_day(folder: Path, tmp_path: Path) -> None:
    done = run_edge("report", str(folder), environ=ZONE)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hall-2026-12-01.html").is_file()


def test_a_dash_writes_to_standard_output(folder: Path) -> None:
    done = run_edge("report", str(folder), "-o", "-", environ=ZONE)
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stderr == ""


def test_json_prints_the_figures_and_writes_a_page_only_with_a_name(folder: Path, tmp_path: Path) -> None:
    done = run_edge("report", "--json", str(folder), environ=ZONE)
    figures = json.loads(done.stdout)
    (day,) = figures["days"]
    assert (figures["files"], figures["frames"], figures["flaws"]) == (2, 210, [])
    assert (day["device"], day["date"], day["falls"]["confirmed"]) == ("hall", "2026-12-01", 1)
    assert not list(tmp_path.glob("*.html"))


def test_the_time_zone_is_that_of_the_machine(folder: Path) -> None:
    done = run_edge("report", "--json", str(folder), environ={"TZ": "Asia/Tokyo"})
    (day,) = json.loads(done.stdout)["days"]
    assert day["first_seen"] == "2026-12-01T21:00:00.000+09:00"


def test_a_named_configuration_replaces_the_recorded_rules(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "edge-pose.toml"
    config.write_text("[fall]\nenabled = false\n")
    done = run_edge("report", "--json", str(folder), "--config", str(config), environ=ZONE)
    (day,) = json.loads(done.stdout)["days"]
    assert (day["falls"], day["zones"]) == (None, {})
    config.write_text("[fall]\nconfirm = 1\n")
    assert run_edge("report", str(folder), "--config", str(config)).returncode == EXIT_CONFIG


def test_damaged_lines_are_reported_on_standard_error(folder: Path, tmp_path: Path) -> None:
    file = folder / "hall-000001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[4] = b"damaged\n"
    file.write_bytes(b"".join(lines))
    done = run_edge("report", str(folder), "-o", str(tmp_path / "day.html"), environ=ZONE)
    assert done.returncode == 0
    assert done.stderr.startswith(f"edge-pose: {file}: line 5: ")


@pytest.mark.parametrize("what", ["missing", "empty folder", "no recording", "no folder for the page"])
def test_what_cannot_be_reported_is_a_usage_error(tmp_path: Path, folder: Path, what: str) -> None:
    path = tmp_path / "what"
    if what == "empty folder":
        path.mkdir()
    elif what == "no recording":
        path.write_text("hello\n")
    arguments = [str(folder), "-o", str(path / "day.html")] if what.startswith("no folder") else [str(path)]
    done = run_edge("report", *arguments)
    assert done.returncode == EXIT_USAGE
    assert done.stderr.startswith("edge-pose: ")
