"""`edge-pose doctor` and `edge-pose check` as a whole."""

import json
import re
import sys
import threading
from pathlib import Path

import pytest

from edge.doctor import machine, report, runner, selftest
from edge.doctor.command import run
from edge.doctor.result import SUDO, Result, from_error
from edge.errors import ConfigError
from tests.support.commands import Commands
from tests.support.sensor import run_edge


def test_a_command_that_fails_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["no-such-program"]).code is None
    assert "SIGABRT" in run([sys.executable, "-c", "import os; os.abort()"]).reason
    assert run([sys.executable, "-c", "raise SystemExit('first\\nlast')"]).reason == "last"
    monkeypatch.setattr("edge.doctor.command.LIMIT_S", 0.1)
    assert "no answer" in run(["sleep", "5"]).reason


def test_an_error_becomes_a_problem_with_its_remedy() -> None:
    error = ConfigError("mqtt.host", "it is missing", "name the broker", origin="/etc/edge-pose.toml")
    result = from_error("configuration", error)
    assert (result.level, result.exit_code) == ("problem", 78)
    assert (result.text, result.fix) == ("/etc/edge-pose.toml: mqtt.host: it is missing", "name the broker")
    assert result.line == str(error)


def test_an_error_about_an_unreadable_file_becomes_an_unknown_result() -> None:
    error = ConfigError("mqtt.password_file", "cannot read it", "make it readable")
    error.__cause__ = PermissionError()
    result = from_error("login", error)
    assert (result.level, result.fix, result.exit_code) == ("unknown", SUDO, 78)


def test_a_check_that_raises_or_hangs_becomes_an_unknown_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    released = threading.Event()

    def hang() -> Result:
        released.wait()
        return Result("clock", "ok", "")

    def fail(_root: Path) -> Result:
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr(runner, "LIMIT_S", 3.0)
    monkeypatch.setattr(machine, "clock", hang)
    monkeypatch.setattr(machine, "memory", fail)
    path = tmp_path / "edge-pose.toml"
    path.write_text('[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    found = runner.examine(path, root=tmp_path, run=Commands())
    lines = {line["name"]: line for line in report.as_json(found)}
    assert lines["clock"]["text"] == "no answer within 3 s"
    assert lines["memory"]["text"] == "this check failed: ZeroDivisionError: first second"
    assert lines["memory"]["level"] == lines["clock"]["level"] == "unknown"
    assert lines["camera"]["level"] == "ok"
    assert {line["group"] for line in lines.values()} == set(found)
    released.set()


def test_the_screen_shows_marks_fixes_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 200
    results = {
        "machine": [Result("clock", "ok", "fine"), Result("power", "problem", long, "fix it")],
        "camera": [Result("camera", "unknown", "which program has it open", "run with sudo")],
    }
    report.show(results)
    screen = capsys.readouterr().out
    assert "✓ clock   fine\n" in screen
    assert f"✗ power   {long}\n" in screen  # not wrapped, so that it can be copied
    assert "→ fix it\n" in screen
    assert "? camera  unknown: which program has it open\n" in screen
    assert screen.endswith("1 problem, 0 warnings, 1 unknown\n")
    assert "\x1b" not in screen
    assert report.has_problem(results)
    assert not report.has_problem({"machine": results["machine"][:1], "camera": results["camera"]})


def test_a_terminal_without_unicode_shows_plain_marks(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    path.write_text('[mqtt]\nhost = "127.0.0.1"\n[camera]\nsource = "synthetic:walk"\n')
    done = run_edge("doctor", "--config", str(path), environ={"PYTHONIOENCODING": "latin-1"})
    assert "  + configuration" in done.stdout


def test_the_documentation_explains_every_result() -> None:
    package = Path(runner.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in package.glob("*.py") if path.stem != "selftest")
    names = set(re.findall(r'(?:Result|permission|from_error)\("([^"]+)"', sources))
    assert names > {"simplejpeg", "topics", "clock", "camera access"}
    explained = (package.parents[1] / "docs/doctor.md").read_text(encoding="utf-8")
    assert {name for name in names | {"service", "last crash"} if f"| {name} |" not in explained} == set()


def test_the_command_doctor_prints_the_same_as_text_and_as_json(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    path.write_text('[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    done = run_edge("doctor", "--config", str(path), "--json")
    assert done.returncode == 1  # no broker listens at port 1
    lines = json.loads(done.stdout)
    assert all(set(line) == {"group", "name", "level", "text", "fix"} for line in lines)
    assert all(line["fix"] for line in lines if line["level"] == "problem")
    assert [line["text"] for line in lines if line["name"] == "port"] == ["127.0.0.1:1: connection refused"]
    assert [line for line in lines if line["text"].startswith("this check failed")] == []
    done = run_edge("doctor", "--config", str(path))
    assert done.returncode == 1
    assert "✗ port" in done.stdout
    assert "\x1b" not in done.stdout


def test_check_needs_a_configuration(tmp_path: Path) -> None:
    (result,) = selftest.run(tmp_path / "none.toml")
    assert (result.name, result.level, result.exit_code) == ("config", "problem", 78)


def test_check_offline_leaves_source_and_broker_out(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    path.write_text('[camera]\nsource = "images:/none"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    results = selftest.run(path, offline=True)
    assert [(result.name, result.level) for result in results] == [("config", "ok"), ("model", "ok")]
