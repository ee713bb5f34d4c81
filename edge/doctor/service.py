"""The service: its state in systemd, its last crash, its user, and its configuration."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from edge import config as configuration
from edge.doctor.access import Account, group_name
from edge.doctor.command import Run
from edge.doctor.result import SUDO, Level, Result, from_error
from edge.errors import EXIT_CONFIG, ConfigError

UNIT = "edge-pose.service"
USER = "edge-pose"
INSTANCES = "edge-pose@*.service"
JOURNAL_LINES = 500  # how many of the newest lines are searched
MAX_LINE_LENGTH = 300
RECENT_S = 86400

_INSTALL = "in a clone of the repository, run: sudo ./systemd/install.sh"
_PROPERTIES = (
    "LoadState,UnitFileState,ActiveState,SubState,NRestarts,Result,ExecMainStatus,StatusText,User,SupplementaryGroups,"
    "ProtectSystem,ReadWritePaths"
)
_ENDED = re.compile(r"Main process exited, code=(\w+), status=(\S+)")
# Exit codes of systemd itself -> problem and fix; systemd.exec(5) lists all of them.
_BEFORE_START = {
    203: ("ExecStart names a program that does not exist", "install edge-pose again"),
    217: ("its user does not exist", _INSTALL),
    226: ("the unit names a folder that does not exist", "install edge-pose again"),
    243: ("its credentials cannot be read", "sudo chmod 600 /etc/edge-pose/mqtt_password, owned by root"),
}


def unit_properties(run: Run, unit: str = UNIT) -> dict[str, str]:
    """The properties of a unit; empty if systemd does not answer."""
    ran = run(["systemctl", "show", f"--property={_PROPERTIES}", unit])
    if ran.code != 0:
        return {}
    return dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)


def services(run: Run, unit: Mapping[str, str]) -> Iterator[Result]:
    """State and last crash of edge-pose.service, whose properties are `unit`, and of every instance."""
    if not unit:
        yield Result("service", "unknown", "systemd does not answer")
        return
    listed = run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", INSTANCES]).out
    instances = [line.split()[0] for line in listed.splitlines() if line.strip()]
    unused = unit["LoadState"] == "not-found" or (unit["ActiveState"] == "inactive" and not _starts_at_boot(unit))
    if not (instances and unused):
        yield from _service("", UNIT, unit, run)
    for instance in instances:
        if properties := unit_properties(run, instance):
            yield from _service(instance.removeprefix("edge-pose").removesuffix(".service"), instance, properties, run)


def _service(which: str, unit: str, properties: Mapping[str, str], run: Run) -> Iterator[Result]:
    state = _state(f"service {which}".strip(), unit, properties)
    yield state
    if properties["LoadState"] != "not-found":
        yield _last_crash(f"last crash {which}".strip(), unit, run, down=state.level == "problem")


def _state(name: str, unit: str, properties: Mapping[str, str]) -> Result:
    if properties["LoadState"] == "not-found":
        return Result(name, "warning", f"{unit} is not installed", "install it: sudo ./systemd/install.sh")
    if properties["LoadState"] != "loaded":
        return Result(name, "problem", f"{unit} is {properties['LoadState']}", f"systemctl status {unit}")
    if properties["ActiveState"] == "active":
        text = f"runs: {properties['StatusText'] or properties['SubState']}"
        if not _starts_at_boot(properties):
            return Result(name, "warning", f"{text}; but does not start at boot", f"sudo systemctl enable {unit}")
        if (restarts := int(properties["NRestarts"] or 0)) > 0:
            return Result(name, "warning", f"{text}; restarts: {restarts}", f"journalctl -u {unit}")
        return Result(name, "ok", text)
    return _down(name, unit, properties)


def _down(name: str, unit: str, properties: Mapping[str, str]) -> Result:
    """Why the service is not running."""
    status, restarts = int(properties["ExecMainStatus"] or 0), int(properties["NRestarts"] or 0)
    if properties["ActiveState"] == "inactive" and not status:
        return Result(name, "warning", "is not running", f"sudo systemctl enable --now {unit}")
    if properties["ActiveState"] == "activating" and not restarts:
        return Result(name, "ok", "is starting")
    fix = f"journalctl -u {unit} -n 30"
    if properties["Result"] != "exit-code":
        text = f"by {properties['Result']}"
    elif status == EXIT_CONFIG:
        text, fix = "configuration or model is wrong", f"fix it, then: sudo systemctl restart {unit}"
    else:
        text, fix = _BEFORE_START.get(status, ("it ended", fix))
        text = f"{text} (exit code {status})"
    state = f"does not stay up (restarts: {restarts})" if properties["ActiveState"] == "activating" else "has failed"
    return Result(name, "problem", f"{state}: {text}", fix)


def _starts_at_boot(properties: Mapping[str, str]) -> bool:
    """Whether the service starts at boot."""
    return properties["UnitFileState"] not in ("disabled", "static", "indirect")


def _last_crash(name: str, unit: str, run: Run, *, down: bool) -> Result:
    """When and how the service last failed, with its last log line before that, which usually names the reason."""
    ran = run(["journalctl", "--unit", unit, "--output=json", f"--lines={JOURNAL_LINES}", "--no-pager"])
    crash = last_line = ""
    crashed_s = 0.0
    for entry in map(json.loads, ran.out.splitlines()):
        message = entry.get("MESSAGE")
        if not isinstance(message, str):  # journalctl prints bytes that are not UTF-8 as a list
            continue
        if entry.get("_SYSTEMD_UNIT") == unit:
            last_line = " ".join(message.split()) or last_line
        elif (ended := _ENDED.search(message)) and ended[2] != "0/SUCCESS":
            crashed_s = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            when = datetime.fromtimestamp(crashed_s).astimezone()
            before = f'after "{last_line[:MAX_LINE_LENGTH]}"' if last_line else "without a log line"
            crash, last_line = f"{when:%Y-%m-%d %H:%M}, {ended[1]} {ended[2]} {before}", ""
    if not ran.out:
        if "not seeing messages" in ran.err or ran.code != 0:
            return Result(name, "unknown", "the journal cannot be read", SUDO)
        return Result(name, "ok", "the journal has no lines from it")
    if not crash:
        return Result(name, "ok", f"none in the last {JOURNAL_LINES} lines of the journal")
    if not down and time.time() - crashed_s > RECENT_S:
        return Result(name, "ok", crash)
    return Result(name, "problem" if down else "warning", crash, f"see journalctl -u {unit}")


def config(path: Path | None) -> tuple[Result, configuration.Config | None]:
    """Whether the configuration is valid, and the configuration: without the broker if only that part is wrong."""
    shown = path or configuration.DEFAULT_PATH
    try:
        loaded = configuration.load(path)
    except ConfigError as exc:
        result = from_error("configuration", exc)
        try:
            return result, configuration.load(shown, broker=False)
        except ConfigError:
            return result, None
    return Result("configuration", "ok", f"{shown} is valid"), loaded


def user(root: Path, account: Account | None, unit: Mapping[str, str]) -> Result:
    """The user that the daemon runs as."""
    if account is None:
        name = unit.get("User") or USER
        level: Level = "problem" if unit.get("LoadState") == "loaded" else "warning"
        return Result("user", level, f"there is no user {name}", _INSTALL)
    groups = ", ".join(sorted(group_name(root, number) for number in account.groups))
    return Result("user", "ok", f"{account.name}, in the groups {groups}")
