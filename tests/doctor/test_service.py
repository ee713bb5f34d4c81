"""The state of the service, its journal, its user, and its configuration."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edge.doctor import service
from edge.doctor.access import Account
from edge.doctor.command import Ran
from edge.doctor.result import SUDO
from tests.support.commands import Commands

RUNNING = {
    "LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", "SubState": "running", "NRestarts": "0",
    "Result": "success", "ExecMainStatus": "0", "StatusText": "14.9 fps, 1 person, online", "User": "edge-pose",
    "SupplementaryGroups": "video",
}  # fmt: skip
FAILED = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "StatusText": ""}


def journal(*lines: Mapping[str, str], age_s: float = 60) -> str:
    stamp = str(int((time.time() - age_s) * 1e6))
    return "".join(json.dumps({"__REALTIME_TIMESTAMP": stamp, **line}) + "\n" for line in lines)


def logged(text: str) -> dict[str, str]:
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
def test_every_state_of_the_service_has_a_level_and_a_reason(
    changed: dict[str, str], level: str, words: list[str]
) -> None:
    found = next(iter(service.services(Commands(systemctl="", journalctl=""), RUNNING | changed)))
    assert found.level == level
    assert all(word in f"{found.text} {found.fix}" for word in words)


def test_properties_are_read_from_systemctl() -> None:
    text = "\n".join(f"{key}={value}" for key, value in RUNNING.items())
    assert service.unit_properties(Commands(systemctl=text)) == RUNNING
    assert service.unit_properties(Commands()) == {}
    assert [one.level for one in service.services(Commands(), {})] == ["unknown"]


def test_the_last_crash_comes_with_the_last_log_line() -> None:
    config_line = "edge-pose: /etc/edge-pose/edge-pose.toml: mqtt.host: it is missing; name the broker"
    lines = journal(
        logged("Traceback"), logged("KeyError: 'old'"), ended("status=1/FAILURE"),
        logged("started"), ended("status=0/SUCCESS"),
        logged(config_line), ended("status=78/CONFIG"), {"_PID": "1", "MESSAGE": "Failed with result 'exit-code'."},
    )  # fmt: skip
    _, crash = service.services(Commands(systemctl="", journalctl=lines), RUNNING | FAILED)
    assert crash.level == "problem"
    assert crash.text.endswith(f'78/CONFIG after "{config_line}"')
    _, crash = service.services(Commands(systemctl="", journalctl=lines), RUNNING)
    assert crash.level == "warning", "it runs again"
    old = journal(logged("KeyError"), ended("status=1/FAILURE"), age_s=1e6)
    _, crash = service.services(Commands(systemctl="", journalctl=old), RUNNING)
    assert crash.level == "ok", "the crash is long ago"
    _, crash = service.services(Commands(systemctl="", journalctl=journal(logged("fine"))), RUNNING)
    assert crash.level == "ok"


def test_an_unreadable_journal_is_unknown() -> None:
    def answer(command: Sequence[str]) -> Ran:
        hint = "Hint: You are currently not seeing messages from other users and the system."
        return Ran(0, "", hint) if command[0] == "journalctl" else Ran(0)

    _, crash = service.services(answer, RUNNING)
    assert (crash.level, crash.fix) == ("unknown", SUDO)


def test_every_instance_has_its_own_results() -> None:
    properties = "".join(f"{key}={value}\n" for key, value in RUNNING.items())

    def answer(command: Sequence[str]) -> Ran:
        if "list-units" in command:
            return Ran(0, "edge-pose@door.service loaded active running edge-pose, a human pose sensor (door)\n")
        return Ran(0, properties if command[0] == "systemctl" else "")

    unused = RUNNING | {"LoadState": "not-found", "ActiveState": "inactive"}
    assert [one.name for one in service.services(answer, unused)] == ["service @door", "last crash @door"]
    assert next(one.name for one in service.services(answer, RUNNING)) == "service"


def test_a_broken_configuration_is_used_as_far_as_possible(tmp_path: Path) -> None:
    path = tmp_path / "edge-pose.toml"
    result, config = service.config(path)
    assert result.level == "problem"
    assert config is None
    path.write_text('[camera]\nsource = "synthetic:walk"\n')
    result, config = service.config(path)
    assert "mqtt.host" in result.text
    assert 'host = "192.168.1.10"' in result.fix
    assert config is not None
    assert config.camera.source == "synthetic:walk"  # the valid keys are used
    path.write_text('[mqtt]\nhost = "127.0.0.1"\n')
    assert service.config(path)[0].level == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: only root can become another user")
def test_an_unreadable_configuration_is_unknown(tmp_path: Path) -> None:
    path, secret = tmp_path / "edge-pose.toml", tmp_path / "password"
    path.write_text(f'[mqtt]\nhost = "127.0.0.1"\nusername = "edge"\npassword_file = "{secret}"\n')
    for private in (path, secret):
        private.touch(0o600)
    os.seteuid(65534)  # this user may not enter the folder of the test
    try:
        result, config = service.config(path)
    finally:
        os.seteuid(0)
    assert (result.level, result.fix) == ("unknown", SUDO)
    assert config is None


def test_a_missing_user_is_a_problem_only_if_the_service_is_installed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("video:x:44:\n")
    found = service.user(tmp_path, Account("edge-pose", 990, frozenset({44, 990})), RUNNING)
    assert found.text == "edge-pose, in the groups 990, video"
    assert service.user(tmp_path, None, RUNNING).level == "problem"
    assert service.user(tmp_path, None, {}).level == "warning"
