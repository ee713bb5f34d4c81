"""`edge-pose doctor`: the software, the machine, the service, and the whole of it."""

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from edge.doctor import report, runner, service, software, system
from edge.doctor.access import Account
from edge.doctor.machine import COMMAND_S, SUDO, Finding, Ran, run, split
from edge.models import folders
from tests.support.sensor import run_edge

ABI = "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility. Expected 96')"


class Commands:
    """Programs by name, and what they say."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def __call__(self, command: Sequence[str]) -> Ran:
        known = self.answers.get(command[0])
        return Ran(None, err="No such file or directory") if known is None else Ran(0, known)


def packages(monkeypatch: pytest.MonkeyPatch, folder: Path, **sources: str) -> None:
    """Put packages into a folder that every Python which is started finds first."""
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_python() -> None:
    assert software.python().level == "ok"
    assert software.python((3, 9, 2)).level == "problem"


def test_commands_end_one_way_or_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["no-such-program"]).code is None
    assert "SIGABRT" in run([sys.executable, "-c", "import os; os.abort()"]).last_words
    assert run([sys.executable, "-c", "raise SystemExit('first\\nlast')"]).last_words == "last"
    monkeypatch.setattr("edge.doctor.machine.COMMAND_S", 0.1)
    assert COMMAND_S > 0.1
    assert "no answer" in run(["sleep", "5"]).last_words


def test_numpy_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415 - what the child is to find

    found = software.numpy(run, picamera2=True)
    assert found[0].level == "ok"
    assert np.__version__ in found[0].text
    packages(monkeypatch, tmp_path, numpy="raise ImportError('libopenblas.so.0: cannot open')")
    (broken,) = software.numpy(run, picamera2=True)
    assert broken.level == "problem"
    assert "libopenblas" in broken.text
    slow = Commands()  # gives no answer
    assert software.numpy(slow, picamera2=True)[0].level == software.runtime(slow).level == "unknown"


def test_simplejpeg_that_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages(monkeypatch, tmp_path / "dist-packages", simplejpeg="")
    assert [one.level for one in software.numpy(run, picamera2=True)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("folder", "fix"), [("dist-packages", "pip uninstall numpy"), ("site-packages", "pip install --upgrade simplejpeg")]
)
def test_simplejpeg_of_another_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, fix: str) -> None:
    packages(monkeypatch, tmp_path / folder, simplejpeg=ABI)
    _, found = software.numpy(run, picamera2=True)
    assert found.level == "problem"
    assert "numpy.dtype size changed" in found.text
    assert fix in found.fix
    assert software.numpy(run, picamera2=False)[1].level == "warning"  # for who has another camera


def test_simplejpeg_of_pip_before_apts_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages(monkeypatch, tmp_path / "dist-packages", numpy="__version__ = '1.24.2'")
    packages(monkeypatch, tmp_path / "site-packages", simplejpeg=ABI)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/site-packages:{tmp_path}/dist-packages")
    (_, found) = software.numpy(run, picamera2=True)
    assert "pip uninstall simplejpeg" in found.fix
    assert "numpy 1.24.2" in found.text


def test_the_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge.inference.tflite import installed  # noqa: PLC0415 - pulls the runtime in

    assert software.runtime(run) == Finding("runtime", "ok", installed())
    packages(monkeypatch, tmp_path, ai_edge_litert="raise ImportError", tflite_runtime="raise ImportError")
    found = software.runtime(run)
    assert found.level == "problem"
    assert "no runtime" in found.text


def test_the_pycoral_of_pypi_is_another_one(tmp_path: Path) -> None:
    package = tmp_path / "pycoral"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "pycoral.py").touch()
    spec = PathFinder.find_spec("pycoral", [str(tmp_path)])
    found = software.pycoral(spec)
    assert found.level == "warning"
    assert "uninstall pycoral" in found.fix
    (package / "utils").mkdir()
    (package / "utils/edgetpu.py").touch()
    assert software.pycoral(spec).level == "ok"
    assert software.pycoral().level == "ok"  # none is installed here


def test_models_that_are_not_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "_SYSTEM", tmp_path / "none")
    assert [one.level for one in software.models()] == ["ok"]
    shipped = folders.shipped()
    own = tmp_path / "edge-pose/models"
    shutil.copytree(shipped, own)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with (own / "posenet_mobilenet_v1_075_int8.tflite").open("r+b") as file:
        file.truncate(1000)
    (found,) = software.models()
    assert found.level == "problem"
    assert str(own) in found.text
    assert found.fix


def test_the_board(tmp_path: Path) -> None:
    assert system.board(tmp_path) == ""
    assert system.NO_PI in system.name(tmp_path).text
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert system.board(tmp_path) == "Raspberry Pi 5 Model B Rev 1.0"
    model.write_bytes(b"Rock 5\0")
    assert system.board(tmp_path) == ""


@pytest.mark.parametrize(
    ("flags", "level", "words"),
    [
        (0, "ok", []),
        (0x50005, "problem", ["now: under-voltage, throttled", "power supply"]),
        (0x50000, "warning", ["now: none; since boot: under-voltage, throttled", "power supply"]),
        (0x80008, "problem", ["soft temperature limit", "cool"]),
    ],
)
def test_power(flags: int, level: str, words: list[str]) -> None:
    found = system.power("Raspberry Pi 4", flags, Commands())
    assert found.level == level
    assert all(word in found.text + found.fix for word in words)
    # A Pi 5's kernel does not have the flags.
    assert system.power("Raspberry Pi 5", None, Commands(vcgencmd=f"throttled={flags:#x}\n")) == found


def test_power_that_nobody_tells_of() -> None:
    assert system.power("", None, Commands()).text == system.NO_PI
    assert system.power("Raspberry Pi 5", None, Commands()).level == "unknown"


@pytest.mark.parametrize(("celsius", "level"), [(None, "ok"), (55.1, "ok"), (81, "warning"), (85, "problem")])
def test_temperature(celsius: float | None, level: str) -> None:
    assert system.temperature(celsius).level == level


def test_memory(tmp_path: Path) -> None:
    assert system.memory(tmp_path).level == "unknown"
    meminfo = tmp_path / "proc/meminfo"
    meminfo.parent.mkdir()
    for free_kb, level in ((400 << 10, "ok"), (100 << 10, "warning"), (20 << 10, "problem")):
        meminfo.write_text(f"MemTotal:  1048576 kB\nMemFree:  1 kB\nMemAvailable:  {free_kb} kB\n")
        assert system.memory(tmp_path).level == level
        assert "of 1.0 GB" in system.memory(tmp_path).text
    assert system.memory(Path("/")).level != "unknown"


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_mb = shutil.disk_usage(tmp_path).free >> 20
    monkeypatch.setattr(system, "LITTLE_DISK_MB", free_mb / 2)
    assert [one.level for one in system.disk(tmp_path)] == ["ok", "ok"]
    monkeypatch.setattr(system, "LITTLE_DISK_MB", free_mb * 2)
    assert [one.level for one in system.disk(tmp_path)] == ["warning", "warning"]
    monkeypatch.setattr(system, "NO_DISK_MB", free_mb * 2)
    assert [one.level for one in system.disk(tmp_path)] == ["problem", "problem"]


def test_the_clock() -> None:
    assert system.clock(lambda: 2_000).level == "ok"
    assert system.clock(lambda: 16_000_000).level == "warning"
    assert system.clock_error_us() >= 0


RUNNING = {
    "LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", "SubState": "running", "NRestarts": "0",
    "Result": "success", "ExecMainStatus": "0", "StatusText": "14.9 fps, 1 person, online", "User": "edge-pose",
    "SupplementaryGroups": "video",
}  # fmt: skip
FAILED = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "StatusText": ""}


def journal(*lines: Mapping[str, str], age_s: float = 60) -> str:
    stamp = str(int((time.time() - age_s) * 1e6))
    return "".join(json.dumps({"__REALTIME_TIMESTAMP": stamp, **line}) + "\n" for line in lines)


def said(text: str) -> dict[str, str]:
    return {"_SYSTEMD_UNIT": service.UNIT, "MESSAGE": text}


def ended(how: str) -> dict[str, str]:
    return {"_PID": "1", "UNIT": service.UNIT, "MESSAGE": f"{service.UNIT}: Main process exited, code=exited, {how}"}


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, "ok", ["14.9 fps"]),
        ({"NRestarts": "3"}, "warning", ["restarts: 3"]),
        ({"UnitFileState": "disabled"}, "warning", ["systemctl enable"]),
        ({"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}, "warning", ["not installed"]),
        ({"LoadState": "masked", "ActiveState": "inactive"}, "problem", ["masked"]),
        ({"ActiveState": "inactive", "SubState": "dead"}, "warning", ["enable --now"]),
        ({"ActiveState": "activating"}, "ok", ["starting"]),
        ({**FAILED, "ExecMainStatus": "78"}, "problem", ["configuration or model is wrong"]),
        ({**FAILED, "ExecMainStatus": "217"}, "problem", ["its user does not exist", "install.sh"]),
        (
            {**FAILED, "ActiveState": "activating", "NRestarts": "12", "ExecMainStatus": "1"},
            "problem",
            ["restarts: 12"],
        ),
        ({**FAILED, "Result": "watchdog", "ExecMainStatus": "6"}, "problem", ["by watchdog"]),
    ],
)
def test_the_state_of_the_service(changed: dict[str, str], level: str, words: list[str]) -> None:
    found = next(iter(service.services(Commands(systemctl="", journalctl=""), RUNNING | changed)))
    assert found.level == level
    assert all(word in f"{found.text} {found.fix}" for word in words)


def test_properties_as_systemd_shows_them() -> None:
    text = "\n".join(f"{key}={value}" for key, value in RUNNING.items())
    assert service.show(Commands(systemctl=text)) == RUNNING
    assert service.show(Commands()) == {}
    assert [one.level for one in service.services(Commands(), {})] == ["unknown"]


def test_the_last_crash_is_told_in_the_daemons_own_words() -> None:
    config_line = "edge-pose: /etc/edge-pose/edge-pose.toml: mqtt.host: is missing; name the broker"
    lines = journal(
        said("Traceback"), said("KeyError: 'old'"), ended("status=1/FAILURE"),
        said("started"), ended("status=0/SUCCESS"),
        said(config_line), ended("status=78/CONFIG"), {"_PID": "1", "MESSAGE": "Failed with result 'exit-code'."},
    )  # fmt: skip
    _, crash = service.services(Commands(systemctl="", journalctl=lines), RUNNING | FAILED)
    assert crash.level == "problem"
    assert crash.text.endswith(f"78/CONFIG after «{config_line}»")
    _, crash = service.services(Commands(systemctl="", journalctl=lines), RUNNING)
    assert crash.level == "warning"  # it runs now
    old = journal(said("KeyError"), ended("status=1/FAILURE"), age_s=1e6)
    _, crash = service.services(Commands(systemctl="", journalctl=old), RUNNING)
    assert crash.level == "ok"  # and has for long
    _, crash = service.services(Commands(systemctl="", journalctl=journal(said("fine"))), RUNNING)
    assert crash.level == "ok"


def test_a_journal_that_may_not_be_read_is_unknown() -> None:
    def answer(command: Sequence[str]) -> Ran:
        hint = "Hint: You are currently not seeing messages from other users and the system."
        return Ran(0, "", hint) if command[0] == "journalctl" else Ran(0)

    _, crash = service.services(answer, RUNNING)
    assert (crash.level, crash.fix) == ("unknown", SUDO)


def test_further_sensors_have_lines_of_their_own() -> None:
    properties = "".join(f"{key}={value}\n" for key, value in RUNNING.items())

    def answer(command: Sequence[str]) -> Ran:
        if "list-units" in command:
            return Ran(0, "edge-pose@door.service loaded active running edge-pose, a human pose sensor (door)\n")
        return Ran(0, properties if command[0] == "systemctl" else "")

    unused = RUNNING | {"LoadState": "not-found", "ActiveState": "inactive"}
    assert [one.name for one in service.services(answer, unused)] == ["service @door", "last crash @door"]
    assert next(one.name for one in service.services(answer, RUNNING)) == "service"


def test_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    finding, config = service.config(path)
    assert finding.level == "problem"
    assert config is None
    path.write_text('[camera]\nsource = "synthetic:walk"\n')
    finding, config = service.config(path)
    assert "mqtt.host" in finding.text
    assert 'host = "192.168.1.10"' in finding.fix
    assert config is not None
    assert config.camera.source == "synthetic:walk"  # what can be used is used
    path.write_text('[mqtt]\nhost = "localhost"\n')
    assert service.config(path)[0].level == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: only root can become somebody else")
def test_what_may_not_be_read_is_unknown_and_no_problem(tmp_path: Path) -> None:
    path, secret = tmp_path / "edge-pose.toml", tmp_path / "password"
    path.write_text(f'[mqtt]\nhost = "localhost"\nusername = "edge"\npassword_file = "{secret}"\n')
    for private in (path, secret):
        private.touch(0o600)
    os.seteuid(65534)  # who may not even look into the folders of these tests
    try:
        finding, config = service.config(path)
    finally:
        os.seteuid(0)
    assert (finding.level, finding.fix) == ("unknown", SUDO)
    assert config is None


def test_the_user(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("video:x:44:\n")
    found = service.user(tmp_path, Account("edge-pose", 990, frozenset({44, 990})), RUNNING)
    assert found.text == "edge-pose, in the groups 990, video"
    assert service.user(tmp_path, None, RUNNING).level == "problem"
    assert service.user(tmp_path, None, {}).level == "warning"


def test_a_check_that_fails_or_hangs_is_a_line_and_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    never = threading.Event()

    def hang() -> Finding:
        never.wait()
        return Finding("disk", "ok", "")

    def fail(_root: Path) -> Finding:
        raise ZeroDivisionError("of no\nuse")

    monkeypatch.setattr(runner, "PATIENCE_S", 3.0)
    monkeypatch.setattr(system, "clock", hang)
    monkeypatch.setattr(system, "memory", fail)
    path = tmp_path / "edge-pose.toml"
    path.write_text('[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    found = runner.examine(path, root=tmp_path, run=Commands())
    lines = {one["name"]: one for one in report.as_json(found)}
    assert lines["clock"]["text"] == "no answer within 3 s"
    assert lines["memory"]["text"] == "this check failed: ZeroDivisionError: of no use"
    assert lines["memory"]["level"] == lines["clock"]["level"] == "unknown"
    assert lines["camera"]["level"] == "ok"
    assert {one["group"] for one in lines.values()} == set(found)
    never.set()


def test_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 200
    findings = {
        "machine": [Finding("clock", "ok", "fine"), Finding("power", "problem", long, "mend it")],
        "camera": [Finding("camera", "unknown", "who has it", "run with sudo")],
    }
    report.show(findings)
    screen = capsys.readouterr().out
    assert "✓ clock   fine\n" in screen
    assert f"✗ power   {long}\n" in screen  # not broken, so that it can be copied
    assert "→ mend it\n" in screen
    assert "? camera  unknown: who has it\n" in screen
    assert screen.endswith("1 problem, 0 warnings, 1 unknown\n")
    assert "\x1b" not in screen
    assert report.has_problem(findings)
    assert not report.has_problem({"machine": findings["machine"][:1], "camera": findings["camera"]})


def test_a_tick_that_a_terminal_cannot_show_is_no_question_mark(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    path.write_text('[mqtt]\nhost = "localhost"\n[camera]\nsource = "synthetic:walk"\n')
    done = run_edge("doctor", "--config", str(path), environ={"PYTHONIOENCODING": "latin-1"})
    assert "  + configuration" in done.stdout


def test_every_line_is_explained() -> None:
    package = Path(runner.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in package.glob("*.py"))
    names = set(re.findall(r'(?:Finding|permission)\("([^"]+)"', sources))
    assert names > {"simplejpeg", "topics", "clock", "camera access"}
    explained = (package.parents[1] / "docs/doctor.md").read_text(encoding="utf-8")
    assert {name for name in names | {"service", "last crash"} if f"| {name} |" not in explained} == set()


def test_errors_come_apart() -> None:
    assert split("a: is wrong; do b") == ("a: is wrong", "do b")
    assert split("a: is wrong") == ("a: is wrong", "")


def test_the_command_says_the_same_to_people_and_machines(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    path.write_text('[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    done = run_edge("doctor", "--config", str(path), "--json")
    assert done.returncode == 1  # nobody listens at port 1
    listed = json.loads(done.stdout)
    assert all(set(one) == {"group", "name", "level", "text", "fix"} for one in listed)
    assert all(one["fix"] for one in listed if one["level"] == "problem")
    assert [one["text"] for one in listed if one["name"] == "port"] == ["127.0.0.1:1: connection refused"]
    assert [one for one in listed if one["text"].startswith("this check failed")] == []
    done = run_edge("doctor", "--config", str(path))
    assert done.returncode == 1
    assert "✗ port" in done.stdout
    assert "\x1b" not in done.stdout
