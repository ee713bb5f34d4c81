"""The service: what systemd knows of it, how it ended last, whom it runs as, and its configuration."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from edge import config as configuration
from edge.doctor.access import Account, group_name
from edge.doctor.machine import SUDO, Finding, Level, Run, denied, split
from edge.errors import EXIT_CONFIG, ConfigError

UNIT = "edge-pose.service"
USER = "edge-pose"
INSTANCES = "edge-pose@*.service"
LINES = 500  # of the journal that are looked at
LONGEST_LINE = 300
RECENT_S = 86400

_INSTALL = "where the repository was cloned to: sudo ./systemd/install.sh"
_PROPERTIES = (
    "LoadState,UnitFileState,ActiveState,SubState,NRestarts,Result,ExecMainStatus,StatusText,User,SupplementaryGroups"
)
_ENDED = re.compile(r"Main process exited, code=(\w+), status=(\S+)")
# What systemd itself could not do, by exit code; systemd.exec(5) has them all.
_BEFORE_START = {
    203: ("the program is not where ExecStart says", "install edge-pose again"),
    217: ("its user does not exist", _INSTALL),
    226: ("a folder that the unit names is not there", "install edge-pose again"),
    243: ("its credentials cannot be read", "sudo chmod 600 /etc/edge-pose/mqtt_password, owned by root"),
}


def show(run: Run, unit: str = UNIT) -> dict[str, str]:
    """systemd's properties of a unit; empty where no systemd answers."""
    ran = run(["systemctl", "show", f"--property={_PROPERTIES}", unit])
    if ran.code != 0:
        return {}
    return dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)


def services(run: Run, unit: Mapping[str, str]) -> Iterator[Finding]:
    """State and last crash of the sensor of this machine, `unit`, and of all further ones."""
    if not unit:
        yield Finding("service", "unknown", "no systemd answers here")
        return
    listed = run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", INSTANCES]).out
    instances = [line.split()[0] for line in listed.splitlines() if line.strip()]
    unused = unit["LoadState"] == "not-found" or (unit["ActiveState"] == "inactive" and not _starts(unit))
    if not (instances and unused):
        yield from _service("", UNIT, unit, run)
    for instance in instances:
        if properties := show(run, instance):
            yield from _service(instance.removeprefix("edge-pose").removesuffix(".service"), instance, properties, run)


def _service(which: str, unit: str, show: Mapping[str, str], run: Run) -> Iterator[Finding]:
    state = _state(f"service {which}".strip(), unit, show)
    yield state
    if show["LoadState"] != "not-found":
        yield _last_crash(f"last crash {which}".strip(), unit, run, down=state.level == "problem")


def _state(name: str, unit: str, show: Mapping[str, str]) -> Finding:
    if show["LoadState"] == "not-found":
        return Finding(name, "warning", f"{unit} is not installed", "install it as the README says")
    if show["LoadState"] != "loaded":
        return Finding(name, "problem", f"{unit} is {show['LoadState']}", f"systemctl status {unit}")
    if show["ActiveState"] == "active":
        text = f"runs: {show['StatusText'] or show['SubState']}"
        if not _starts(show):
            return Finding(name, "warning", f"{text}; but does not start by itself", f"sudo systemctl enable {unit}")
        if (restarts := int(show["NRestarts"] or 0)) > 0:
            return Finding(name, "warning", f"{text}; restarts: {restarts}", f"journalctl -u {unit}")
        return Finding(name, "ok", text)
    return _down(name, unit, show)


def _down(name: str, unit: str, show: Mapping[str, str]) -> Finding:
    """Why it does not run."""
    status, restarts = int(show["ExecMainStatus"] or 0), int(show["NRestarts"] or 0)
    if show["ActiveState"] == "inactive" and not status:
        return Finding(name, "warning", "is not running", f"sudo systemctl enable --now {unit}")
    if show["ActiveState"] == "activating" and not restarts:
        return Finding(name, "ok", "is starting")
    fix = f"journalctl -u {unit} -n 30"
    if show["Result"] != "exit-code":
        text = f"by {show['Result']}"
    elif status == EXIT_CONFIG:
        text, fix = "configuration or model is wrong", f"mend it, then: sudo systemctl restart {unit}"
    else:
        text, fix = _BEFORE_START.get(status, ("it ended", fix))
        text = f"{text} (exit code {status})"
    state = f"does not stay up (restarts: {restarts})" if show["ActiveState"] == "activating" else "has failed"
    return Finding(name, "problem", f"{state}: {text}", fix)


def _starts(show: Mapping[str, str]) -> bool:
    """Whether it comes by itself after a reboot."""
    return show["UnitFileState"] not in ("disabled", "static", "indirect")


def _last_crash(name: str, unit: str, run: Run, *, down: bool) -> Finding:
    """When and how it last ended by itself, and what it said before: that line tells what to mend."""
    ran = run(["journalctl", "--unit", unit, "--output=json", f"--lines={LINES}", "--no-pager"])
    crash = said = ""
    crashed_s = 0.0
    for entry in map(json.loads, ran.out.splitlines()):
        message = entry.get("MESSAGE")
        if not isinstance(message, str):  # bytes that are no text come as a list
            continue
        if entry.get("_SYSTEMD_UNIT") == unit:
            said = " ".join(message.split()) or said
        elif (ended := _ENDED.search(message)) and ended[2] != "0/SUCCESS":
            crashed_s = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            when = datetime.fromtimestamp(crashed_s).astimezone()
            words = f"after «{said[:LONGEST_LINE]}»" if said else "without a word"
            crash, said = f"{when:%Y-%m-%d %H:%M}, {ended[1]} {ended[2]} {words}", ""
    if not ran.out:
        if "not seeing messages" in ran.err or ran.code != 0:
            return Finding(name, "unknown", "the journal cannot be read", SUDO)
        return Finding(name, "ok", "the journal has nothing of it")
    if not crash:
        return Finding(name, "ok", f"none in the last {LINES} lines of the journal")
    if not down and time.time() - crashed_s > RECENT_S:
        return Finding(name, "ok", crash)
    return Finding(
        name, "problem" if down else "warning", crash, f"mend what it says; there is more in: journalctl -u {unit}"
    )


def config(path: Path | None) -> tuple[Finding, configuration.Config | None]:
    """The configuration file, and as much of it as can be used."""
    shown = path or configuration.DEFAULT_PATH
    try:
        loaded = configuration.load(path)
    except ConfigError as exc:
        if denied(exc):
            finding = Finding("configuration", "unknown", str(exc), SUDO)
        else:
            finding = Finding("configuration", "problem", *split(str(exc)))
        try:
            return finding, configuration.load(shown, broker=False)
        except ConfigError:
            return finding, None
    return Finding("configuration", "ok", f"{shown} is fine"), loaded


def user(root: Path, account: Account | None, unit: Mapping[str, str]) -> Finding:
    """Whom the daemon runs as."""
    if account is None:
        name = unit.get("User") or USER
        level: Level = "problem" if unit.get("LoadState") == "loaded" else "warning"
        return Finding("user", level, f"there is no user {name}", _INSTALL)
    groups = ", ".join(sorted(group_name(root, number) for number in account.groups))
    return Finding("user", "ok", f"{account.name}, in the groups {groups}")
